// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {Sites} from "./Sites.sol";

/// @dev No device-hour is sold twice: the calendar against an array of hours that the test keeps itself, through every
/// way of issuing, converting and giving back.
contract Capacity_calendar_Test is Sites {
    struct Step {
        uint8 act;
        uint8 start;
        uint8 count;
        uint8 tier;
        uint32 units;
        uint256 pick;
    }

    /// @dev Seven words of the calendar, not aligned to them.
    uint256 private constant HORIZON = 53;
    uint256 private constant STEPS = 16;

    uint32 private _base;
    uint256 private _cap = CAP;
    uint256[HORIZON] private _committed;
    /// @dev Products that were issued, and so may be held.
    uint256[] private _products;
    address[2] private _owners;

    function setUp() public override {
        super.setUp();
        // Trading in the first hours closes LEAD before them, and each offer takes a round.
        _base = uint32(vm.getBlockTimestamp() / 1 hours) + 3;
        _owners = [provider.addr, buyer.addr];
        fund(provider.addr, 100 * FUNDS);
        fund(buyer.addr, 100 * FUNDS);
    }

    function testFuzz_calendar_isWhatTheModelSays(Step[STEPS] memory steps) public {
        for (uint256 i = 0; i < STEPS; ++i) {
            _step(steps[i]);
            for (uint256 hour = 0; hour < HORIZON; ++hour) {
                assertEq(capacity.committedUnits(site, _base + uint32(hour)), _committed[hour], "hour");
            }
        }
        // Its neighbours in the words at both ends, and the rival's calendar, are as they were.
        for (uint32 i = 1; i <= 8; ++i) {
            assertEq(capacity.committedUnits(site, _base - i), 0);
            assertEq(capacity.committedUnits(site, _base + uint32(HORIZON) - 1 + i), 0);
            assertEq(capacity.committedUnits(rivalSite, _base + i), 0);
        }
    }

    function _step(Step memory step) private {
        uint256 act = step.act % 9;
        if (act <= 2) _mint(_draw(step), _units(step));
        else if (act <= 4) _offer(_draw(step), _units(step), step.pick);
        else if (act == 5) _attest(step.units);
        else if (_products.length != 0) _use(act, step.pick);
    }

    /// @dev A window within the horizon, of few starts and lengths, so that windows meet and repeat.
    function _draw(Step memory step) private view returns (uint256) {
        uint8 tier = METRO + step.tier % 3;
        uint256 count = 1 + step.count % 24;
        uint256 start = step.start % (HORIZON - count + 1);
        return (uint256(AI_LARGE) << 80) | (uint256(tier) << 72) | (uint256(areaOf(tier)) << 56) | (uint256(1) << 48)
            | ((_base + start) << 16) | count;
    }

    function _units(Step memory step) private pure returns (uint64) {
        return uint64(MIN_UNITS + step.units % (CAP / 2));
    }

    /* ISSUE */

    /// @dev Expects the refusal of the first hour that is too full; true where there is none.
    function _admits(uint256 product, uint256 units) private returns (bool) {
        (uint256 first, uint256 count) = _span(product);
        for (uint256 hour = first; hour < first + count; ++hour) {
            uint256 free = _cap > _committed[hour] ? _cap - _committed[hour] : 0;
            if (units <= free) continue;
            vm.expectRevert(
                abi.encodeWithSelector(
                    ICapacity.Capacity_InsufficientCapacity.selector, site, _base + hour, free, units
                )
            );
            return false;
        }
        return true;
    }

    function _mint(uint256 product, uint64 units) private {
        if (_admits(product, units)) _commit(product, units);
        mintAs(provider.addr, site, product, units);
    }

    /// @dev Offered, sold in part or not at all, and settled; the rest comes back.
    function _offer(uint256 product, uint64 units, uint256 pick) private {
        uint64 round = exchange.currentRound();
        bool admitted = _admits(product, units);
        offerAs(provider.addr, site, product, TICK, units);
        if (!admitted) return;
        _commit(product, units);
        (uint256 first,) = _span(product);
        assertEq(capacity.committedUnits(site, _base + uint32(first)), _committed[first], "offered");

        uint64 sold = uint64(bound(pick, 0, units));
        if (sold < MIN_UNITS) sold = 0;
        else bidAs(buyer.addr, product, TICK, sold);
        nextRound();
        exchange.clear(product, round);
        settleAll(product, round);
        _release(product, units - sold);
    }

    function _attest(uint32 units) private {
        _cap = bound(units, 0, CAP);
        attestAs(site, uint64(_cap), 3, vm.getBlockTimestamp() + 30 days);
    }

    /* USE */

    /// @dev Retiring frees hours; splitting, merging, relaxing and redeeming move nothing.
    function _use(uint256 act, uint256 pick) private {
        uint256 product = _products[pick % _products.length];
        address owner = act == 6 ? provider.addr : _owners[(pick >> 128) % 2];
        uint64 held = uint64(capacity.balanceOf(owner, product));
        if (held == 0) return;
        uint64 units = uint64(bound(pick >> 64, 1, held));
        vm.startPrank(owner);
        if (act == 6) {
            capacity.retire(site, product, units);
            _release(product, units);
        } else if (act == 7 && hoursOf(product) > 1) {
            capacity.split(site, product, units);
            // Sometimes there and back; else the hours may be retired later.
            if (pick % 2 == 0) capacity.merge(site, product, units);
            else _products.push(hourOf(product, pick % hoursOf(product)));
        } else if (act == 7 && uint8(product >> 72) < WIDE) {
            capacity.relax(site, product, units, WIDE);
            _products.push(productWide(product));
        } else {
            delivery.redeem(product, site, units, "");
        }
        vm.stopPrank();
    }

    function productWide(uint256 product) private pure returns (uint256) {
        return ((product >> 80) << 80) + uint256(WIDE) * 2 ** 72 + product % 2 ** 56;
    }

    /* THE MODEL */

    function _span(uint256 product) private view returns (uint256 first, uint256 count) {
        return (startHourOf(product) - _base, hoursOf(product));
    }

    function _commit(uint256 product, uint256 units) private {
        (uint256 first, uint256 count) = _span(product);
        for (uint256 hour = first; hour < first + count; ++hour) {
            _committed[hour] += units;
        }
        _products.push(product);
    }

    function _release(uint256 product, uint256 units) private {
        (uint256 first, uint256 count) = _span(product);
        for (uint256 hour = first; hour < first + count; ++hour) {
            _committed[hour] -= units;
        }
    }
}
