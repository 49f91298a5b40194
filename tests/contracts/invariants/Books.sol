// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Kind} from "../../../contracts/types/Order.sol";
import {World} from "./World.sol";

/// @title Books
/// @notice The ghosts of orders: what a round must trade by the rule, and what settling its orders must pay.
abstract contract Books is World {
    /// @dev What people and sites have of one product, and people's cash.
    struct Holdings {
        uint256[] cash;
        uint256[] units;
        uint256[] owed;
        uint256[] bonds;
    }

    /* ORDERS */

    function _record(uint256 product, Placed memory order) internal {
        uint256 last = orderAt[product][order.slot];
        _check(10, last == 0 || orders[last - 1].settled, "INV-10: a slot was reused before it was settled");
        orders.push(order);
        orderAt[product][order.slot] = orders.length;
        _touch(product);
        uint64 round = _round();
        uint256 at_ = batchAt[product][round];
        if (at_ == 0) {
            Batch storage fresh = batches.push();
            (fresh.product, fresh.round) = (product, round);
            at_ = batches.length;
            batchAt[product][round] = at_;
        }
        Batch storage b = batches[at_ - 1];
        b.orders.push(orders.length - 1);
        ++b.waiting;
    }

    function _isBid(Placed storage order) internal view returns (bool) {
        return order.kind <= Kind.BID;
    }

    /* CLEAR */

    /// @dev A batch whose round has ended and that has not started to be delivered, not cleared yet.
    function _isClearable(Batch storage b) internal view returns (bool) {
        return !b.cleared && _now() >= (uint256(b.round) + 1) * ROUND && _now() < _start(b.product);
    }

    function _clear(Batch storage b) internal {
        (uint256 tick, uint256 volume) = _rule(b);
        m.exchange.clear(b.product, b.round);
        (bool cleared, uint16 priceTick, uint64 units) = m.exchange.clearingOf(b.product, b.round);
        (b.cleared, b.tick, b.volume) = (cleared, priceTick, units);
        _check(6, cleared && priceTick == tick && units == volume, "INV-6: not the price of the rule");
        tradedUnits += units;
        _did(Act.CLEAR);
    }

    /// @dev The clearing rule, tick by tick: most volume, then least left over, then the middle.
    function _rule(Batch storage b) private view returns (uint256 tick, uint256 volume) {
        (uint256 least, uint256 low, uint256 high) = (type(uint256).max, 0, 0);
        for (uint256 t = TICK_LOW; t <= TICK_HIGH; ++t) {
            (uint256 supply, uint256 demand) = _crossed(b, t);
            uint256 traded = _min(supply, demand);
            uint256 over = supply > demand ? supply - demand : demand - supply;
            if (traded > volume || (traded == volume && over < least)) (volume, least, low) = (traded, over, t);
            if (traded == volume && over == least) high = t;
        }
        tick = volume == 0 ? 0 : (low + high) / 2;
    }

    /// @dev Units of asks and offers at or below the tick, and of bids at or above it.
    function _crossed(Batch storage b, uint256 tick) private view returns (uint256 supply, uint256 demand) {
        for (uint256 i = 0; i < b.orders.length; ++i) {
            Placed storage o = orders[b.orders[i]];
            if (_isBid(o)) {
                if (o.tick >= tick) demand += o.units;
            } else if (o.tick <= tick) {
                supply += o.units;
            }
        }
    }

    /// @dev What an order must get: better ticks first, and its share of the units of its own, by its place.
    function _fillOf(Batch storage b, uint256 id) internal view returns (uint256) {
        if (b.volume == 0) return 0;
        Placed storage mine = orders[id];
        (uint256 better, uint256 before, uint256 same) = (0, 0, 0);
        bool seen = false;
        for (uint256 i = 0; i < b.orders.length; ++i) {
            Placed storage o = orders[b.orders[i]];
            if (_isBid(o) != _isBid(mine)) continue;
            if (b.orders[i] == id) seen = true;
            if (o.tick == mine.tick) {
                same += o.units;
                if (!seen) before += o.units;
            } else if (_isBid(o) == (o.tick > mine.tick)) {
                better += o.units;
            }
        }
        uint256 left = b.volume > better ? b.volume - better : 0;
        if (left >= same) return mine.units;
        return (before + mine.units) * left / same - before * left / same;
    }

    /* SETTLE */

    function _isSettleable(Batch storage b) internal view returns (bool) {
        return b.cleared || _now() >= _start(b.product);
    }

    /// @dev Settles the named orders, of which some may be settled already, and holds every payment against the rules.
    function _settle(Batch storage b, uint256[] memory ids, address caller) internal {
        uint256 product = b.product;
        Holdings memory expected = _holdings(product);
        for (uint256 i = 0; i < ids.length; ++i) {
            _expect(b, ids[i], expected);
        }
        vm.prank(caller);
        m.exchange.settle(product, b.round, _slotsOf(ids));
        _compare(expected, _holdings(product));
        if (b.waiting == 0) _close(b);
        _did(Act.SETTLE);
    }

    function _slotsOf(uint256[] memory ids) internal view returns (uint32[] memory slots) {
        slots = new uint32[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            slots[i] = orders[ids[i]].slot;
        }
    }

    function _expect(Batch storage b, uint256 id, Holdings memory expected) private {
        Placed storage o = orders[id];
        // Settled already: it must change nothing.
        if (o.settled) return;
        uint256 fill = _fillOf(b, id);
        uint256 price = _price(b.product, b.tick);
        (o.settled, b.waiting) = (true, b.waiting - 1);
        if (fill != 0) _check(7, _isBid(o) ? o.tick >= b.tick : o.tick <= b.tick, "INV-7: worse than its limit");
        uint256 person = _indexOf(o.owner);
        if (_isBid(o)) {
            b.bought += uint64(fill);
            expected.units[person] += fill;
            expected.cash[person] += o.units * _price(b.product, o.tick) - fill * price;
        } else {
            b.sold += uint64(fill);
            if (o.kind == Kind.ASK) {
                expected.units[person] += o.units - fill;
                expected.cash[person] += fill * price;
            } else {
                _expectOffer(b.product, o, fill, price, expected);
            }
        }
    }

    /// @dev Price and margin of what was sold are bond, the margin of the rest is cash.
    function _expectOffer(uint256 product, Placed storage o, uint256 fill, uint256 price, Holdings memory expected)
        private
    {
        marginMicro[product][o.site] -= o.units * o.marginMicro;
        expected.cash[_indexOf(o.owner)] += (o.units - fill) * o.marginMicro;
        for (uint256 i = 0; i < sites.length; ++i) {
            if (sites[i] != o.site) continue;
            expected.owed[i] += fill;
            expected.bonds[i] += fill * (price + o.marginMicro);
        }
    }

    function _compare(Holdings memory expected, Holdings memory actual) private {
        for (uint256 i = 0; i < people.length; ++i) {
            _check(6, actual.cash[i] == expected.cash[i], "INV-6: not paid at the round's price");
            _check(5, actual.units[i] == expected.units[i], "INV-5: not the units of the rule");
        }
        for (uint256 i = 0; i < sites.length; ++i) {
            _check(5, actual.owed[i] == expected.owed[i], "INV-5: not the units of the rule");
            _check(6, actual.bonds[i] == expected.bonds[i], "INV-6: not bonded at the round's price");
        }
    }

    /// @dev All of a round's orders are settled: both sides have traded the same.
    function _close(Batch storage b) private {
        _check(5, b.bought == b.volume && b.sold == b.volume, "INV-5: the sides traded unequally");
        uint256 at_ = batchAt[b.product][b.round];
        delete batchAt[b.product][b.round];
        uint256 last = batches.length;
        if (at_ != last) {
            batches[at_ - 1] = batches[last - 1];
            batchAt[batches[at_ - 1].product][batches[at_ - 1].round] = at_;
        }
        batches.pop();
    }

    function _holdings(uint256 product) internal view returns (Holdings memory h) {
        h.cash = new uint256[](people.length);
        h.units = new uint256[](people.length);
        h.owed = new uint256[](sites.length);
        h.bonds = new uint256[](sites.length);
        for (uint256 i = 0; i < people.length; ++i) {
            h.cash[i] = m.treasury.cashOf(people[i]);
            h.units[i] = m.capacity.balanceOf(people[i], product);
        }
        // What the contract refused is its own still.
        h.units[_indexOf(address(m.puppet))] += m.exchange.heldOf(product, address(m.puppet));
        for (uint256 i = 0; i < sites.length; ++i) {
            (h.owed[i], h.bonds[i]) = m.delivery.obligationOf(product, sites[i]);
        }
    }

    function _indexOf(address person) internal view returns (uint256 index) {
        while (people[index] != person) ++index;
    }

    /* WHAT WAITS */

    /// @dev Clears and settles all that the site's offers for the product wait for, as its provider would.
    function _finish(uint256 product, uint32 site) internal {
        (, uint64 round,,) = m.delivery.reservedOf(product, site);
        Batch storage b = batches[batchAt[product][round] - 1];
        _waitUntil((uint256(round) + 1) * ROUND);
        if (_isClearable(b)) _clear(b);
        _settle(b, b.orders, m.capacity.providerOf(site));
    }
}
