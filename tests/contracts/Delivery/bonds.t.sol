// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Vm} from "../support/Vm.sol";
import {Leases} from "./Leases.sol";

/// @notice Bonds through any history of one site: a micro that came in goes out once, and no act thins a standing claim.
contract Delivery_bonds_Test is Leases {
    uint8 private constant METRO = 1;
    uint16 private constant LENGTH = 3;
    uint256 private constant ACTS = 24;

    /// @dev The window in METRO and in HUB, and the HUB's hours: all that these acts can reach.
    uint256[] private _products;
    uint256[] private _bonds;
    uint64[] private _units;
    uint256 private _seed;
    uint256 private _came;
    uint256 private _went;

    function setUp() public override {
        super.setUp();
        _products.push(productIn(METRO, FRANKFURT, 2, 24, LENGTH));
        _products.push(productOf(2, LENGTH));
        for (uint256 i = 0; i < LENGTH; ++i) {
            _products.push(ProductId.unwrap(ProductId.wrap(productOf(2, LENGTH)).hourly(i)));
        }
        _bonds = new uint256[](_products.length);
        _units = new uint64[](_products.length);
        // All acts are the provider's, who may then do every one of them with the same units.
        fund(provider.addr, 100 * FUNDS);
    }

    /* THE PROPERTIES */

    function testFuzz_bonds_thinNoClaimWhen_anythingHappens(uint256 seed) public {
        _seed = seed;
        for (uint256 i = 0; i < ACTS; ++i) {
            _act();
            _assertNobodyDiluted();
        }
    }

    /// @dev Everything is redeemed, retired or left to expire, every lease ends somehow: what was paid in bonds and
    /// margins and prices has been paid out, to the micro, and the treasury holds cash alone.
    function testFuzz_bonds_payOutWhatCameInWhen_everythingHasEnded(uint256 seed) public {
        _seed = seed;
        vm.recordLogs();
        for (uint256 i = 0; i < ACTS; ++i) {
            _act();
        }
        goTo(startOf(_products[0]) + 90 minutes);
        for (uint64 lease = 1; lease <= delivery.leaseCount(); ++lease) {
            _start(lease);
        }
        goTo(endOf(_products[0]) + GRACE + 1);
        for (uint256 i = 0; i < _products.length; ++i) {
            (uint64 owed,) = delivery.obligationOf(_products[i], site);
            if (owed != 0) delivery.expire(_products[i], site);
        }
        skip(30 days);
        for (uint64 lease = 1; lease <= delivery.leaseCount(); ++lease) {
            if (delivery.leaseOf(lease).state != IDelivery.State.RESOLVED) delivery.resolve(lease);
        }
        _count(vm.getRecordedLogs());
        assertEq(_went, _came);
        assertGt(_came, 0);
        assertSolvent(0);
    }

    /* ACTS */

    function _random(uint256 least, uint256 most) private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return bound(_seed, least, most);
    }

    /// @dev One act of the eight, with units that it can be done with; none if there are none.
    function _act() private {
        uint256 which = _random(0, 7);
        uint256 product = _products[_random(0, _products.length - 1)];
        if (which == 0) mintAs(provider.addr, site, product, uint64(_random(1, 700)));
        if (which == 1 || which == 2) _trade(product);
        if (which == 3) _convert(_products[1], true);
        if (which == 4) _convert(_products[1], false);
        (uint64 owed,) = delivery.obligationOf(which == 5 ? _products[0] : product, site);
        if (owed == 0) return;
        uint64 units = uint64(_random(1, owed));
        vm.startPrank(provider.addr);
        if (which == 5) capacity.relax(site, _products[0], units, 2);
        if (which == 6) delivery.redeem(product, site, units, JOB);
        if (which == 7) capacity.retire(site, product, units);
        vm.stopPrank();
    }

    /// @dev Up to three offers of the site in one round, at several limits, against one bid.
    function _trade(uint256 product) private {
        uint256 offers = _random(1, 3);
        for (uint256 i = 0; i < offers; ++i) {
            offerAs(provider.addr, site, product, uint16(_random(1, 500)), uint64(_random(MIN_UNITS, 300)));
        }
        bidAs(provider.addr, product, uint16(_random(1, 700)), uint64(_random(MIN_UNITS, 900)));
        uint64 round = nextRound();
        exchange.clear(product, round);
        settleAll(product, round);
    }

    function _convert(uint256 window, bool split) private {
        uint64 least = type(uint64).max;
        for (uint256 i = split ? 1 : 2; i < (split ? 2 : _products.length); ++i) {
            (uint64 owed,) = delivery.obligationOf(_products[i], site);
            if (owed < least) least = owed;
        }
        if (least == 0) return;
        uint64 units = uint64(_random(1, least));
        vm.startPrank(provider.addr);
        if (split) capacity.split(site, window, units);
        else capacity.merge(site, window, units);
        vm.stopPrank();
    }

    /// @dev Brings an open lease on one of its ways.
    function _start(uint64 lease) private {
        uint256 product = delivery.leaseOf(lease).product;
        if (block.timestamp < startOf(product)) return;
        uint64 full = uint64(delivery.leaseOf(lease).units) * 1000;
        uint256 which = _random(0, 4);
        if (which == 0) return;
        if (which == 1 && block.timestamp < endOf(product)) {
            abortAs(provider.addr, lease, uint64(_random(0, full / 4)));
        } else {
            reportAs(provider.addr, lease, uint64(_random(0, full)));
        }
        if (delivery.leaseOf(lease).state == IDelivery.State.RESOLVED) return;
        if (which == 2) acceptAs(provider.addr, lease);
        if (which >= 3) disputeAs(provider.addr, lease);
        if (which == 4) ruleAs(arbiter, lease, uint64(_random(0, full)));
    }

    /* ASSERTIONS */

    function _assertNobodyDiluted() private {
        for (uint256 i = 0; i < _products.length; ++i) {
            (uint64 units, uint256 bond) = delivery.obligationOf(_products[i], site);
            if (units != 0 && _units[i] != 0) assertGe(bond * _units[i], _bonds[i] * units, "diluted");
            (_units[i], _bonds[i]) = (units, bond);
        }
    }

    /// @dev From Delivery's events alone: bonds posted, sold units' price and margin, against all that was paid.
    function _count(Vm.Log[] memory logs) private {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(delivery)) continue;
            bytes32 topic = logs[i].topics[0];
            if (topic == IDelivery.BondPosted.selector || topic == IDelivery.BondReleased.selector) {
                uint256 amount = abi.decode(logs[i].data, (uint256));
                if (topic == IDelivery.BondPosted.selector) _came += amount;
                else _went += amount;
            } else if (topic == IDelivery.OfferSettled.selector) {
                (uint64 filled,,) = abi.decode(logs[i].data, (uint64, uint64, uint256));
                // What a settled offer brings stands in the Obliged that follows it.
                if (filled != 0) {
                    (, uint256 bond) = abi.decode(logs[i + 1].data, (uint64, uint256));
                    _came += bond;
                }
            } else if (topic == IDelivery.Aborted.selector) {
                (, uint256 toHolder) = abi.decode(logs[i].data, (uint64, uint256));
                _went += toHolder;
            } else if (topic == IDelivery.Resolved.selector) {
                (,, uint256 toProvider, uint256 toHolder) = abi.decode(logs[i].data, (uint8, uint64, uint256, uint256));
                _went += toProvider + toHolder;
            }
        }
    }
}
