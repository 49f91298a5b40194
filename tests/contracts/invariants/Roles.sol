// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Keepers} from "./Keepers.sol";

/// @title Roles
/// @notice Arbiter, auditor, guardian and committee: what they do moves nobody's cash and nobody's units.
abstract contract Roles is Keepers {
    /// @dev Nobody's money or units may change but by their own act.
    modifier movesNothing() {
        bytes32 before = _belongings();
        _;
        _check(13, _belongings() == before, "INV-13: a role moved someone's cash or units");
    }

    /// @dev A fingerprint of all that people have.
    function _belongings() private view returns (bytes32 print) {
        for (uint256 i = 0; i < people.length; ++i) {
            address owner = people[i];
            print = keccak256(abi.encode(print, m.treasury.cashOf(owner), m.dollar.balanceOf(owner)));
            for (uint256 j = 0; j < products.length; ++j) {
                print = keccak256(abi.encode(print, m.capacity.balanceOf(owner, products[j])));
            }
        }
    }

    /* ARBITER */

    /// @dev A ruling gives out one lease and its deposit to its two parties; nobody else is touched, nobody pays.
    function rule(uint256 seed_) external acts(seed_) {
        ++tried[Act.RULE];
        uint64 lease = _leaseIn(IDelivery.State.DISPUTED);
        if (lease == 0) return;
        IDelivery.Lease memory l = m.delivery.leaseOf(lease);
        if (_now() > l.disputedAt_s + RULING_PERIOD) return;
        uint256 most = l.aborted ? l.reportedMilli : uint256(l.units) * 1000;
        uint256 milli = _chance(30) ? l.reportedMilli : _random(0, most);
        uint256 before = _cashOfBoth(l);
        uint256[] memory others = _othersCash(l);
        vm.prank(arbiter);
        m.delivery.rule(lease, uint64(milli), "https://example.org/ruling", keccak256("reasons"));
        uint256[] memory after_ = _othersCash(l);
        for (uint256 i = 0; i < others.length; ++i) {
            _check(13, others[i] == after_[i], "INV-13: a ruling moved a stranger's cash");
        }
        _endedWith(lease, l, before, IDelivery.Reason.RULED, milli);
        _did(Act.RULE);
    }

    function _othersCash(IDelivery.Lease memory l) private view returns (uint256[] memory cash) {
        cash = new uint256[](people.length);
        address provider = m.capacity.providerOf(l.site);
        for (uint256 i = 0; i < people.length; ++i) {
            if (people[i] != l.holder && people[i] != provider) cash[i] = m.treasury.cashOf(people[i]);
        }
    }

    /* AUDITOR */

    /// @dev Up or down, for longer or shorter; what stands is kept.
    function attest(uint256 seed_) external acts(seed_) movesNothing {
        ++tried[Act.ATTEST];
        _attest(_anySite(), _random(100, 1000), _random(1, 3), _random(1, 60) * 1 days);
        _did(Act.ATTEST);
    }

    function _attest(uint32 site, uint256 units, uint256 grade, uint256 seconds_) internal {
        vm.prank(auditor);
        m.capacity.attest(site, uint64(units), uint8(grade), keccak256("measured"), uint64(_now() + seconds_));
        attested[site] = units;
    }

    /* GUARDIAN */

    /// @dev Stops new orders and mints, and lets them go on at the next call.
    function pause(uint256 seed_) external acts(seed_) movesNothing {
        ++tried[Act.PAUSE];
        bool stopped = m.exchange.ordersPaused() || m.capacity.issuePaused();
        _pause(!stopped && _chance(50), !stopped && _chance(50));
        _did(Act.PAUSE);
    }

    function _pause(bool orders, bool issues) internal {
        vm.startPrank(guardian);
        m.exchange.setOrdersPaused(orders);
        m.capacity.setIssuePaused(issues);
        vm.stopPrank();
    }

    /* COMMITTEE */

    /// @dev A class's terms change for books that open later, a rating is revised, a place is named.
    function legislate(uint256 seed_) external acts(seed_) movesNothing {
        ++tried[Act.LEGISLATE];
        vm.startPrank(committee);
        m.standard
            .setClass(
                AI_LARGE,
                IStandard.ClassTerms(
                    "AI_LARGE", "1/1000 H100", 80, uint32(_random(3, 5)), uint32(MIN_UNITS), uint64(_random(1000, 4000))
                )
            );
        m.standard.rate("H100 SXM5 80GB", AI_LARGE, uint64(_random(1_000_000, 1_100_000)), 1, keccak256("evidence"));
        m.standard.setArea(uint16(100 + done[Act.LEGISLATE]), EU_WEST, "Another");
        vm.stopPrank();
        _did(Act.LEGISLATE);
    }
}
