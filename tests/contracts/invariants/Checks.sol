// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Kind} from "../../../contracts/types/Order.sol";
import {Thief} from "./Thief.sol";

/// @title Checks
/// @notice What must hold between any two acts, read from the chain and held against the ghosts.
abstract contract Checks is Thief {
    /* AFTER EACH ACT */

    function _afterAct() internal override {
        for (uint256 i = 0; i < people.length; ++i) {
            _checkAccount(people[i]);
        }
        for (uint256 i = 0; i < products.length; ++i) {
            for (uint256 j = 0; j < sites.length; ++j) {
                _checkLevel(products[i], sites[j]);
            }
        }
        _dropOver();
    }

    /// @dev Marks of a round only grow; rounds and epochs only go up.
    function _checkAccount(address owner) private {
        (, uint32 epoch, uint64 round, uint80 used) = m.treasury.accountOf(owner);
        uint256[3] storage last = lastAccount[owner];
        bool sameRound = round == last[1];
        _check(12, epoch >= last[0] && round >= last[1], "INV-12: an epoch or round went back");
        _check(12, !sameRound || used & last[2] == last[2], "INV-12: a signed order can be placed again");
        if (epoch != last[0]) last[0] = epoch;
        if (!sameRound) last[1] = round;
        if (used != last[2]) last[2] = used;
    }

    /// @dev The level is what stood when no offers waited: those of a round settle one by one, at several limits.
    function _checkLevel(uint256 product, uint32 site) private {
        (uint64 units, uint256 bond) = m.delivery.obligationOf(product, site);
        (uint256 lastUnits, uint256 lastBond) = (levelUnits[product][site], levelBond[product][site]);
        if (units == lastUnits && bond == lastBond) return;
        bool thinner = units != 0 && lastUnits != 0 && bond * lastUnits < lastBond * units;
        _check(9, !thinner, "INV-9: a standing claim was thinned");
        if (units != 0 && _offersWait(product, site)) return;
        (levelUnits[product][site], levelBond[product][site]) = (units, bond);
    }

    /// @dev Forgets a product four hours after its end, when nothing of it waits any more. Its hours stay as they are.
    function _dropOver() private {
        for (uint256 i = products.length; i > 0; --i) {
            uint256 product = products[i - 1];
            if (_now() < _end(product) + 4 hours || !_isIdle(product)) continue;
            for (uint256 j = 0; j < sites.length; ++j) {
                for (uint256 h = 0; h < _hours(product); ++h) {
                    overHours[sites[j]][_start(product) / 1 hours + h] += spent[product][sites[j]];
                }
            }
            products[i - 1] = products[products.length - 1];
            productAt[products[i - 1]] = i;
            products.pop();
            delete productAt[product];
        }
    }

    function _isIdle(uint256 product) private view returns (bool) {
        for (uint256 j = 0; j < sites.length; ++j) {
            (uint64 owed,) = m.delivery.obligationOf(product, sites[j]);
            if (owed != 0 || _offersWait(product, sites[j])) return false;
        }
        for (uint256 i = 0; i < batches.length; ++i) {
            if (batches[i].product == product) return false;
        }
        return m.exchange.heldOf(product, address(m.puppet)) == 0;
    }

    /* MONEY */

    /// @dev INV-1: the treasury holds exactly what is owed to someone.
    function checkSolvency() external view {
        uint256 owed = 0;
        for (uint256 i = 0; i < people.length; ++i) {
            owed += m.treasury.cashOf(people[i]);
        }
        for (uint256 i = 0; i < products.length; ++i) {
            (,,,, uint256 escrow) = m.exchange.bookOf(products[i]);
            owed += escrow;
            for (uint256 j = 0; j < sites.length; ++j) {
                (, uint256 bond) = m.delivery.obligationOf(products[i], sites[j]);
                owed += bond + marginMicro[products[i]][sites[j]];
            }
        }
        for (uint256 i = 0; i < leases.length; ++i) {
            IDelivery.Lease memory l = m.delivery.leaseOf(leases[i]);
            owed += uint256(l.bondMicro) + l.depositMicro;
        }
        assertEq(m.dollar.balanceOf(address(m.treasury)), owed, "INV-1: solvency");
    }

    /// @dev INV-5: a book holds the limits of the bids that wait, and what settled bids paid and no seller got yet.
    function checkBooks() external view {
        for (uint256 i = 0; i < products.length; ++i) {
            uint256 escrow = 0;
            for (uint256 j = 0; j < batches.length; ++j) {
                if (batches[j].product == products[i]) escrow += _escrowOf(batches[j]);
            }
            (,,,, uint256 actual) = m.exchange.bookOf(products[i]);
            assertEq(actual, escrow, "INV-5: escrow");
        }
    }

    function _escrowOf(Batch storage b) private view returns (uint256 escrow) {
        escrow = uint256(b.bought) * _price(b.product, b.tick);
        for (uint256 i = 0; i < b.orders.length; ++i) {
            Placed storage o = orders[b.orders[i]];
            if (!o.settled && _isBid(o)) escrow += o.units * _price(b.product, o.tick);
        }
        // More can have been sold than bought so far: what waits pays for it.
        escrow -= uint256(b.sold) * _price(b.product, b.tick);
    }

    /* UNITS */

    /// @dev INV-2: until its window has ended, a unit is owed by a site or waits in an offer. INV-16: someone has it.
    function checkSupply() external view {
        for (uint256 i = 0; i < products.length; ++i) {
            uint256 product = products[i];
            uint256 supply = m.capacity.totalSupply(product);
            uint256 held = m.capacity.balanceOf(address(m.exchange), product);
            for (uint256 j = 0; j < people.length; ++j) {
                held += m.capacity.balanceOf(people[j], product);
            }
            assertEq(supply, held, "INV-16: supply");
            if (_now() >= _end(product)) continue;
            uint256 issued = 0;
            for (uint256 j = 0; j < sites.length; ++j) {
                issued += _outstanding(product, sites[j]);
            }
            assertEq(supply, issued, "INV-2: supply");
        }
    }

    function _outstanding(uint256 product, uint32 site) private view returns (uint256) {
        (uint64 owed,) = m.delivery.obligationOf(product, site);
        (uint64 reserved,,,) = m.delivery.reservedOf(product, site);
        return uint256(owed) + reserved;
    }

    /// @dev INV-3: a site's calendar holds in each hour what its products of that hour hold, and nothing else.
    function checkCalendar() external view {
        for (uint256 j = 0; j < sites.length; ++j) {
            uint32 site = sites[j];
            uint256[] memory holds = new uint256[](products.length);
            for (uint256 i = 0; i < products.length; ++i) {
                holds[i] = _outstanding(products[i], site) + spent[products[i]][site];
            }
            for (uint256 i = 0; i < products.length; ++i) {
                for (uint256 h = 0; h < _hours(products[i]); ++h) {
                    _checkHour(site, _start(products[i]) / 1 hours + h, holds);
                }
            }
        }
    }

    function _checkHour(uint32 site, uint256 hour, uint256[] memory holds) private view {
        uint256 sum = overHours[site][hour];
        for (uint256 i = 0; i < products.length; ++i) {
            uint256 from = _start(products[i]) / 1 hours;
            if (hour >= from && hour < from + _hours(products[i])) sum += holds[i];
        }
        assertEq(m.capacity.committedUnits(site, uint32(hour)), sum, "INV-3: calendar");
    }

    /// @dev INV-11: Exchange has the units that wait for sale, what settled sellers left for bids that wait, and what a
    /// contract refused.
    function checkEscrowedUnits() external view {
        for (uint256 i = 0; i < products.length; ++i) {
            uint256 units = m.exchange.heldOf(products[i], address(m.puppet));
            for (uint256 j = 0; j < batches.length; ++j) {
                Batch storage b = batches[j];
                if (b.product != products[i]) continue;
                for (uint256 k = 0; k < b.orders.length; ++k) {
                    Placed storage o = orders[b.orders[k]];
                    if (!o.settled && !_isBid(o)) units += o.units;
                }
                units = units + b.sold - b.bought;
            }
            assertEq(m.capacity.balanceOf(address(m.exchange), products[i]), units, "INV-11: units in escrow");
        }
    }

    /// @dev INV-15: the record is what ended leases make it, and a site may issue what it leaves.
    function checkRecords() external view {
        for (uint256 j = 0; j < sites.length; ++j) {
            (uint128 good, uint128 bad) = m.delivery.recordOf(sites[j]);
            assertEq(good, deliveredMilliHours[sites[j]], "INV-15: delivered");
            assertEq(bad, failedMilliHours[sites[j]], "INV-15: failed");
            if (m.capacity.siteOf(sites[j]).validUntil_s <= _now()) continue;
            assertEq(m.capacity.issuableUnits(sites[j]), _cap(sites[j]), "INV-15: issuable");
        }
    }
}
