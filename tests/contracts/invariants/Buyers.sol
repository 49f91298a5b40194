// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {Kind} from "../../../contracts/types/Order.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {Sellers} from "./Sellers.sol";

/// @title Buyers
/// @notice Buyers and resellers: bid, redeem, accept, dispute; ask, split, merge, relax, transfer; and everyone's money.
abstract contract Buyers is Sellers {
    /* BUY */

    function bid(uint256 seed_) external acts(seed_) {
        ++tried[Act.BID];
        if (m.exchange.ordersPaused()) return;
        uint256 product = _tradable();
        for (uint256 i = _random(1, 3); i > 0; --i) {
            _bid(_anyone(), product, _bidTick(), uint32(_random(MIN_UNITS, MOST_UNITS)));
        }
    }

    function _bid(address owner, uint256 product, uint16 tick, uint32 units) internal {
        uint32 slot;
        if (owner == address(m.puppet)) {
            // By its own call, so that it is no account with a key.
            bytes memory call = abi.encodeCall(IExchange.bid, (product, tick, units));
            slot = abi.decode(m.puppet.act(address(m.exchange), call), (uint32));
        } else {
            vm.prank(owner);
            slot = m.exchange.bid(product, tick, units);
        }
        _record(product, Placed(owner, slot, Kind.BID, tick, units, 0, false, 0));
        _did(Act.BID);
    }

    function _isRedeemable(uint256 product) internal view returns (bool) {
        return _now() < _start(product) && m.capacity.totalSupply(product) != 0;
    }

    function redeem(uint256 seed_) external acts(seed_) {
        ++tried[Act.REDEEM];
        uint256 product = _find(_isRedeemable);
        if (product != 0) _redeemSome(product);
    }

    /// @dev Up to three leases.
    function _redeemSome(uint256 product) internal {
        for (uint256 i = _random(1, 3); i > 0; --i) {
            (address holder, uint256 held) = _holderOf(product);
            (uint32 site, uint256 owed) = _debtorOf(product);
            if (held == 0 || owed == 0) return;
            _redeem(holder, product, site, uint64(_random(1, _min(held, owed))));
        }
    }

    function _redeem(address holder, uint256 product, uint32 site, uint64 units) internal {
        (uint64 owed, uint256 bond) = m.delivery.obligationOf(product, site);
        vm.prank(holder);
        uint64 lease = m.delivery.redeem(product, site, units, keccak256("job"));
        leases.push(lease);
        spent[product][site] += units;
        (uint64 owedAfter, uint256 bondAfter) = m.delivery.obligationOf(product, site);
        _check(8, m.delivery.leaseOf(lease).bondMicro + bondAfter == bond, "INV-8: a lease's bond came from nowhere");
        _check(8, owedAfter + units == owed, "INV-8: units redeemed are owed still");
        _did(Act.REDEEM);
    }

    /* AGREE OR NOT */

    function accept(uint256 seed_) external acts(seed_) {
        ++tried[Act.ACCEPT];
        uint64 lease = _leaseIn(IDelivery.State.REPORTED);
        if (lease == 0) return;
        IDelivery.Lease memory l = m.delivery.leaseOf(lease);
        uint256 before = _cashOfBoth(l);
        vm.prank(l.holder);
        m.delivery.accept(lease);
        _endedWith(lease, l, before, IDelivery.Reason.ACCEPTED, l.reportedMilli);
        _did(Act.ACCEPT);
    }

    function dispute(uint256 seed_) external acts(seed_) {
        ++tried[Act.DISPUTE];
        uint64 lease = _leaseIn(IDelivery.State.REPORTED);
        if (lease == 0) return;
        IDelivery.Lease memory l = m.delivery.leaseOf(lease);
        if (_now() > _disputeDeadline(l)) return;
        vm.prank(l.holder);
        m.delivery.dispute(lease, keccak256("evidence"));
        _did(Act.DISPUTE);
    }

    function _disputeDeadline(IDelivery.Lease memory l) internal pure returns (uint256) {
        bool afterEnd = l.aborted || l.at_s > _end(l.product);
        return (afterEnd ? l.at_s : _end(l.product)) + DISPUTE_PERIOD;
    }

    function _cashOfBoth(IDelivery.Lease memory l) internal view returns (uint256) {
        return m.treasury.cashOf(l.holder) + m.treasury.cashOf(m.capacity.providerOf(l.site));
    }

    /// @dev Provider and holder together have what the lease held, to the micro, and it holds nothing more. Where they
    /// are one, its cash was counted twice before and after.
    function _endedWith(uint64 lease, IDelivery.Lease memory l, uint256 before, IDelivery.Reason reason, uint256 milli)
        internal
    {
        uint256 held = uint256(l.bondMicro) + l.depositMicro;
        if (l.holder == m.capacity.providerOf(l.site)) held *= 2;
        _check(8, _cashOfBoth(l) == before + held, "INV-8: a lease paid another sum than it held");
        IDelivery.Lease memory after_ = m.delivery.leaseOf(lease);
        _check(8, after_.state == IDelivery.State.RESOLVED, "INV-8: a lease that ended goes on");
        _forget(lease, l, reason, milli);
    }

    /* RESELL */

    function _isAskable(uint256 product) private view returns (bool) {
        return m.capacity.totalSupply(product) != 0 && (uint256(_round()) + 1) * ROUND + LEAD <= _start(product);
    }

    function ask(uint256 seed_) external acts(seed_) {
        ++tried[Act.ASK];
        uint256 product = m.exchange.ordersPaused() ? 0 : _find(_isAskable);
        if (product == 0) return;
        (address owner, uint256 held) = _holderOf(product);
        if (held < MIN_UNITS) return;
        _ask(owner, product, _askTick(), uint32(_random(MIN_UNITS, _min(held, MOST_UNITS))));
    }

    function _ask(address owner, uint256 product, uint16 tick, uint32 units) internal {
        vm.prank(owner);
        uint32 slot = m.exchange.ask(product, tick, units);
        _record(product, Placed(owner, slot, Kind.ASK, tick, units, 0, false, 0));
        _did(Act.ASK);
    }

    function _isSplittable(uint256 product) private view returns (bool) {
        return _hours(product) > 1 && _isRedeemable(product);
    }

    function split(uint256 seed_) external acts(seed_) {
        ++tried[Act.SPLIT];
        uint256 product = _find(_isSplittable);
        if (product == 0) return;
        (address owner, uint256 held) = _holderOf(product);
        (uint32 site, uint256 owed) = _debtorOf(product);
        if (held == 0 || owed == 0) return;
        bool waits = false;
        for (uint256 i = 0; i < _hours(product); ++i) {
            _touch(_hour(product, i));
            waits = waits || _offersWait(_hour(product, i), site);
        }
        bytes memory call = abi.encodeCall(ICapacity.split, (site, product, uint64(_random(1, _min(held, owed)))));
        _convert(Act.SPLIT, owner, call, waits);
    }

    function merge(uint256 seed_) external acts(seed_) {
        ++tried[Act.MERGE];
        uint256 product = _productOf(_chance(80) ? 1 : 4, _openHour());
        (uint32 site,) = _debtorOf(_hour(product, 0));
        (address owner,) = _holderOf(_hour(product, 0));
        if (site == 0 || owner == address(0)) return;
        uint256 most = type(uint64).max;
        for (uint256 i = 0; i < _hours(product); ++i) {
            (uint64 owed,) = m.delivery.obligationOf(_hour(product, i), site);
            most = _min(most, _min(owed, m.capacity.balanceOf(owner, _hour(product, i))));
        }
        if (most == 0) return;
        _touch(product);
        bytes memory call = abi.encodeCall(ICapacity.merge, (site, product, uint64(_random(1, most))));
        _convert(Act.MERGE, owner, call, _offersWait(product, site));
    }

    function _hour(uint256 product, uint256 index) private pure returns (uint256) {
        return ProductId.unwrap(ProductId.wrap(product).hourly(index));
    }

    /// @dev Passes, unless offers wait where the units would go: what they will bring is not known yet.
    function _convert(Act act, address owner, bytes memory call, bool offersWait) private {
        // A contract that asks for units takes them.
        if (owner == address(m.puppet)) m.puppet.setManner(Puppet.Manner.ACCEPT);
        if (offersWait) {
            _attempt(owner, address(m.capacity), call, "INV-17: moved where offers wait");
            return;
        }
        vm.prank(owner);
        (bool passed, bytes memory why) = address(m.capacity).call(call);
        assertTrue(passed, string(why));
        _did(act);
    }

    function _isMetro(uint256 product) private view returns (bool) {
        return ProductId.wrap(product).tierOf() == 1 && _isRedeemable(product);
    }

    function relax(uint256 seed_) external acts(seed_) {
        ++tried[Act.RELAX];
        uint256 product = _find(_isMetro);
        if (product == 0) return;
        (address owner, uint256 held) = _holderOf(product);
        (uint32 site, uint256 owed) = _debtorOf(product);
        uint256 into = ProductId.unwrap(ProductId.wrap(product).within(2, EU_WEST));
        if (held == 0 || owed == 0) return;
        _touch(into);
        bytes memory call = abi.encodeCall(ICapacity.relax, (site, product, uint64(_random(1, _min(held, owed))), 2));
        _convert(Act.RELAX, owner, call, _offersWait(into, site));
    }

    function _hasSupply(uint256 product) internal view returns (bool) {
        return m.capacity.totalSupply(product) != 0;
    }

    function transfer(uint256 seed_) external acts(seed_) {
        ++tried[Act.TRANSFER];
        uint256 product = _find(_hasSupply);
        if (product == 0) return;
        (address owner, uint256 held) = _holderOf(product);
        // Not to the contract, which may refuse.
        address to = people[_random(0, people.length - 3)];
        if (held == 0) return;
        vm.prank(owner);
        m.capacity.safeTransferFrom(owner, to, product, _random(1, held), "");
        _did(Act.TRANSFER);
    }

    /* MONEY */

    function deposit(uint256 seed_) external acts(seed_) {
        ++tried[Act.DEPOSIT];
        address owner = _anyone();
        uint256 wallet = m.dollar.balanceOf(owner);
        if (wallet == 0) return;
        vm.prank(owner);
        m.treasury.deposit(_random(1, wallet / 10 + 1));
        _did(Act.DEPOSIT);
    }

    function withdraw(uint256 seed_) external acts(seed_) {
        ++tried[Act.WITHDRAW];
        address owner = _anyone();
        uint256 cash = m.treasury.cashOf(owner);
        if (cash == 0) return;
        vm.prank(owner);
        m.treasury.withdraw(_random(1, cash), owner);
        _did(Act.WITHDRAW);
    }

    function revoke(uint256 seed_) external acts(seed_) {
        ++tried[Act.REVOKE];
        vm.prank(_anyone());
        m.exchange.revokeSigned();
        _did(Act.REVOKE);
    }
}
