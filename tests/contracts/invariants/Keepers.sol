// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {Kind, Order} from "../../../contracts/types/Order.sol";
import {SignedOrder} from "../../../contracts/types/SignedOrder.sol";
import {OrderTerms} from "../support/OrderTerms.sol";
import {Vm} from "../support/Vm.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {Buyers} from "./Buyers.sol";

/// @title Keepers
/// @notice The relayer, who places what others signed, good and bad; keepers, who clear, settle, resolve and expire; and
/// the clock.
abstract contract Keepers is Buyers {
    bytes32 internal domainSeparator;
    address internal relayer;
    /// @dev The last order that was relayed well, to try it again.
    SignedOrder private _used;

    /* RELAY */

    function relay(uint256 seed_) external acts(seed_) {
        ++tried[Act.RELAY];
        if (m.exchange.ordersPaused()) return;
        uint256 product = _tradable();
        uint256 count = _random(1, 5);
        SignedOrder[] memory orders = new SignedOrder[](count);
        bool[] memory good = new bool[](count);
        OrderTerms[] memory meant = new OrderTerms[](count);
        for (uint256 i = 0; i < count; ++i) {
            (orders[i], meant[i], good[i]) = _sign(product, uint8(i));
        }
        uint32[] memory free = _freeSlots(product, count);
        vm.recordLogs();
        vm.prank(relayer, relayer);
        m.exchange.placeSigned(orders, free);
        _recordRelayed(product, meant, good, vm.getRecordedLogs());
    }

    /// @dev A bid of an owner for itself, most of the time; else with one thing wrong in it.
    function _sign(uint256 product, uint8 nth) private returns (SignedOrder memory, OrderTerms memory o, bool good) {
        address owner = people[_random(0, people.length - 3)];
        (, uint32 epoch, uint64 round, uint80 used) = m.treasury.accountOf(owner);
        // Each order of a call takes one of sixteen numbers of its own.
        uint8 index = nth * 16;
        while (index < nth * 16 + 16 && round == _round() && (used >> index) & 1 == 1) ++index;
        o = OrderTerms({
            owner: owner,
            kind: uint8(Kind.BID),
            site: 0,
            product: product,
            tick: _bidTick(),
            units: uint64(_random(MIN_UNITS, MOST_UNITS)),
            round: _round(),
            index: index,
            epoch: epoch
        });
        address signer = owner;
        uint256 flaw = _random(0, 15);
        if (flaw == 0) signer = thief;
        else if (flaw == 1) ++o.round;
        else if (flaw == 2) ++o.epoch;
        else if (flaw == 3) o.index = 80;
        else if (flaw == 4) o.units = uint64(MIN_UNITS - 1);
        else if (flaw == 5) o.tick = 0;
        else if (flaw == 6 || index == nth * 16 + 16) o.kind = 4;
        else if (flaw == 7 && _used.what != 0) return (_used, o, false);
        else good = true;
        bytes memory signature = signatureOf(keyOf[signer], _digest(o));
        return (o.pack(signature), o, good);
    }

    function _digest(OrderTerms memory o) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator, o.hashStruct()));
    }

    /// @dev Some slots of the book, free or not.
    function _freeSlots(uint256 product, uint256 most) private returns (uint32[] memory slots) {
        (, uint32 count,,,) = m.exchange.bookOf(product);
        slots = new uint32[](count == 0 ? 0 : _random(0, most));
        for (uint256 i = 0; i < slots.length; ++i) {
            slots[i] = uint32(_random(0, count - 1));
        }
    }

    /// @dev The good ones stand in the book in their order, and no other does.
    function _recordRelayed(uint256 product, OrderTerms[] memory meant, bool[] memory good, Vm.Log[] memory logs)
        private
    {
        uint256 next = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (!_isPlaced(product, logs, i)) continue;
            while (next < good.length && !good[next]) ++next;
            bool wanted = next < good.length && address(uint160(uint256(logs[i].topics[2]))) == meant[next].owner;
            _check(17, wanted, "INV-17: an order was placed that its owner did not sign");
            if (!wanted) return;
            (uint32 slot,) = abi.decode(logs[i].data, (uint32, uint256));
            OrderTerms memory o = meant[next++];
            _record(product, Placed(o.owner, slot, Kind.BID, o.tick, uint32(o.units), 0, false, 0));
            _used = o.pack(signatureOf(keyOf[o.owner], _digest(o)));
            _did(Act.RELAY);
        }
        while (next < good.length && !good[next]) ++next;
        _check(17, next == good.length, "INV-17: a good order was passed over");
    }

    /// @dev Forge records the events of reverted calls too: an order stands if its slot holds it, and if it is the last
    /// that was said to be there.
    function _isPlaced(uint256 product, Vm.Log[] memory logs, uint256 i) private view returns (bool) {
        if (!_saysPlaced(product, logs[i])) return false;
        (uint32 slot, uint256 word) = abi.decode(logs[i].data, (uint32, uint256));
        for (uint256 j = i + 1; j < logs.length; ++j) {
            if (_saysPlaced(product, logs[j]) && abi.decode(logs[j].data, (uint32)) == slot) return false;
        }
        (Order order,) = m.exchange.orderOf(product, slot);
        return Order.unwrap(order) == word;
    }

    /// @dev A call may carry an order of another product, whose slots have the same numbers.
    function _saysPlaced(uint256 product, Vm.Log memory entry) private view returns (bool) {
        return entry.emitter == address(m.exchange) && entry.topics[0] == IExchange.OrderPlaced.selector
            && uint256(entry.topics[1]) == product;
    }

    /* CLEAR AND SETTLE */

    /// @dev Waits for the round's end if there is something to trade, or now and then.
    function clear(uint256 seed_) external acts(seed_) {
        ++tried[Act.CLEAR];
        if (batches.length == 0) return;
        uint256 from = _random(0, batches.length - 1);
        for (uint256 i = 0; i < batches.length; ++i) {
            Batch storage b = batches[(from + i) % batches.length];
            // Some rounds nobody clears: they are void.
            if (b.cleared || _chance(10)) continue;
            if (!_hasBothSides(b) && _chance(80)) continue;
            _waitUntil((uint256(b.round) + 1) * ROUND);
            if (!_isClearable(b)) continue;
            _clear(b);
            return;
        }
    }

    function _hasBothSides(Batch storage b) private view returns (bool) {
        (bool bids, bool asks) = (false, false);
        for (uint256 i = 0; i < b.orders.length; ++i) {
            if (_isBid(orders[b.orders[i]])) bids = true;
            else asks = true;
        }
        return bids && asks;
    }

    /// @dev A random part of a batch, in any order, some of it settled before.
    function settle(uint256 seed_) external acts(seed_) {
        ++tried[Act.SETTLE];
        if (batches.length == 0) return;
        uint256 from = _random(0, batches.length - 1);
        for (uint256 i = 0; i < batches.length; ++i) {
            Batch storage b = batches[(from + i) % batches.length];
            if (!_isSettleable(b)) continue;
            _settle(b, _part(b), relayer);
            return;
        }
    }

    function _part(Batch storage b) private returns (uint256[] memory ids) {
        uint256 count = b.orders.length;
        uint256 from = _random(0, count - 1);
        // One that waits at least, wherever it is; then its neighbours.
        while (orders[b.orders[from]].settled) from = (from + 1) % count;
        ids = new uint256[](_random(1, count));
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = b.orders[(from + i) % count];
        }
        // Or named twice.
        if (_chance(20)) ids[ids.length - 1] = ids[0];
    }

    /* RESOLVE, EXPIRE, COLLECT */

    function _deadlineOf(IDelivery.Lease memory l) internal pure returns (uint256) {
        if (l.state == IDelivery.State.OPEN) return _end(l.product) + REPORT_PERIOD;
        return l.state == IDelivery.State.REPORTED ? _disputeDeadline(l) : l.disputedAt_s + RULING_PERIOD;
    }

    function resolve(uint256 seed_) external acts(seed_) {
        ++tried[Act.RESOLVE];
        if (leases.length == 0) return;
        uint64 lease = leases[_random(0, leases.length - 1)];
        uint256 deadline_s = _deadlineOf(m.delivery.leaseOf(lease));
        if (_chance(30)) _waitUntil(deadline_s + 1);
        if (_now() <= deadline_s) return;
        _resolve(lease, relayer);
    }

    function _resolve(uint64 lease, address caller) internal {
        IDelivery.Lease memory l = m.delivery.leaseOf(lease);
        uint256 before = _cashOfBoth(l);
        vm.prank(caller);
        m.delivery.resolve(lease);
        IDelivery.Reason reason = l.state == IDelivery.State.OPEN
            ? IDelivery.Reason.UNREPORTED
            : l.state == IDelivery.State.REPORTED ? IDelivery.Reason.UNDISPUTED : IDelivery.Reason.UNRULED;
        _endedWith(lease, l, before, reason, l.reportedMilli);
        _did(Act.RESOLVE);
    }

    function _isOwed(uint256 product) private returns (bool) {
        (, uint256 owed) = _debtorOf(product);
        return owed != 0;
    }

    function expire(uint256 seed_) external acts(seed_) {
        ++tried[Act.EXPIRE];
        uint256 product = _find(_isOwed);
        if (product == 0) return;
        if (_chance(30)) _waitUntil(_end(product) + GRACE + 1);
        (uint32 site,) = _debtorOf(product);
        if (_now() <= _end(product) + GRACE || site == 0) return;
        _expire(product, site, relayer);
    }

    function _expire(uint256 product, uint32 site, address caller) internal {
        address provider = m.capacity.providerOf(site);
        (uint64 owed, uint256 bond) = m.delivery.obligationOf(product, site);
        uint256 cash = m.treasury.cashOf(provider);
        vm.prank(caller);
        m.delivery.expire(product, site);
        spent[product][site] += owed;
        _check(8, m.treasury.cashOf(provider) == cash + bond, "INV-8: an obligation expired to another sum");
        _did(Act.EXPIRE);
    }

    function _isHeld(uint256 product) private view returns (bool) {
        return m.exchange.heldOf(product, address(m.puppet)) != 0;
    }

    /// @dev The contract changes its manners now and then, and collects what it refused.
    function collect(uint256 seed_) external acts(seed_) {
        ++tried[Act.COLLECT];
        m.puppet.setManner(_chance(50) ? Puppet.Manner.REVERT : Puppet.Manner.ACCEPT);
        uint256 product = _find(_isHeld);
        if (product == 0) return;
        m.puppet.setManner(Puppet.Manner.ACCEPT);
        vm.prank(address(m.puppet));
        m.exchange.collect(product, address(m.puppet));
        _did(Act.COLLECT);
    }

    /* TIME */

    /// @dev Before hours pass, keepers mostly clear and settle what waits, and holders redeem.
    function _liveOn() internal override {
        for (uint256 i = 0; i < batches.length; ++i) {
            Batch storage b = batches[i];
            if (b.cleared || !_hasBothSides(b) || _chance(20)) continue;
            _waitUntil((uint256(b.round) + 1) * ROUND);
            if (_isClearable(b)) _clear(b);
        }
        for (uint256 i = batches.length; i > 0; --i) {
            Batch storage b = batches[i - 1];
            if (b.cleared && _chance(60)) _settle(b, b.orders, relayer);
        }
        for (uint256 i = 0; i < products.length; ++i) {
            if (_isRedeemable(products[i]) && _chance(60)) _redeemSome(products[i]);
        }
    }

    /// @dev Some seconds, some minutes, or up to an edge: a deadline to the second, or one past it.
    function pass(uint256 seed_) external acts(seed_) {
        ++tried[Act.PASS];
        uint256 way = _random(0, 9);
        if (way < 6) _waitUntil(_now() + _random(1, ROUND));
        else if (way < 8) _waitUntil(_now() + _random(1, 40 minutes));
        else if (way == 8 && leases.length != 0) _waitUntil(_edge(leases[_random(0, leases.length - 1)]));
        else if (products.length != 0) _waitUntil(_start(products[_random(0, products.length - 1)]) + _random(0, 1));
        _did(Act.PASS);
    }

    function _edge(uint64 lease) private returns (uint256) {
        IDelivery.Lease memory l = m.delivery.leaseOf(lease);
        return _chance(50) ? _end(l.product) + _random(0, 1) : _deadlineOf(l) + _random(0, 1);
    }
}
