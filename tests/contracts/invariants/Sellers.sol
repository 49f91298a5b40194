// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Kind} from "../../../contracts/types/Order.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Books} from "./Books.sol";

/// @title Sellers
/// @notice Providers: register, offer, mint, retire, report, abort.
abstract contract Sellers is Books {
    uint256 private constant SITES_MAX = 4;
    bytes32 private constant H100 = keccak256("H100 SXM5 80GB");

    /* ISSUE */

    function register(uint256 seed_) external acts(seed_) {
        ++tried[Act.REGISTER];
        if (sites.length == SITES_MAX) return;
        address provider = people[_random(0, 1)];
        vm.prank(provider);
        sites.push(m.capacity.registerSite(H100, 1, AI_LARGE, FRANKFURT, "https://example.org/another"));
        _did(Act.REGISTER);
    }

    function offer(uint256 seed_) external acts(seed_) {
        ++tried[Act.OFFER];
        if (m.capacity.issuePaused() || m.exchange.ordersPaused()) return;
        uint32 site = _anySite();
        uint256 product = _tradable();
        (, uint64 waitingSince,,) = m.delivery.reservedOf(product, site);
        if (_offersWait(product, site) && waitingSince != _round()) {
            _finish(product, site);
            // It may have waited for the round's end.
            product = _tradable();
            if (_offersWait(product, site)) return;
        }
        for (uint256 i = _random(1, 3); i > 0; --i) {
            uint256 most = _min(_issuable(site, product), MOST_UNITS);
            if (most < MIN_UNITS) return;
            _offer(site, product, _askTick(), uint32(_random(MIN_UNITS, most)));
        }
    }

    function _offer(uint32 site, uint256 product, uint16 tick, uint32 units) internal {
        address provider = m.capacity.providerOf(site);
        vm.prank(provider);
        uint32 slot = m.exchange.offer(site, product, tick, units);
        _recordOffer(provider, site, product, tick, units, slot);
        _did(Act.OFFER);
    }

    /// @dev The margin by the rule: the class's, or what the limit is short of the floor.
    function _recordOffer(address provider, uint32 site, uint256 product, uint16 tick, uint32 units, uint32 slot)
        internal
    {
        (,, uint256 margin, uint256 floor) = m.delivery.reservedOf(product, site);
        uint256 limit = _price(product, tick);
        if (floor > limit + margin) margin = floor - limit;
        marginMicro[product][site] += units * margin;
        _record(product, Placed(provider, slot, Kind.OFFER, tick, units, site, false, margin));
        _checkCommitted(site, product);
    }

    function mint(uint256 seed_) external acts(seed_) {
        ++tried[Act.MINT];
        uint32 site = _anySite();
        uint256 product = _tradable();
        if (m.capacity.issuePaused()) return;
        uint256 most = _issuable(site, product);
        address provider = m.capacity.providerOf(site);
        bytes memory tooMuch = abi.encodeCall(ICapacity.mint, (site, product, uint64(most + 1)));
        _attempt(provider, address(m.capacity), tooMuch, "INV-17: issued more than there is");
        if (most == 0) return;
        uint64 units = uint64(_random(1, _min(most, MOST_UNITS)));
        bytes memory call = abi.encodeCall(ICapacity.mint, (site, product, units));
        if (_offersWait(product, site)) {
            _attempt(provider, address(m.capacity), call, "INV-17: minted while offers wait");
            return;
        }
        vm.prank(provider);
        m.capacity.mint(site, product, units);
        _touch(product);
        _checkCommitted(site, product);
        _did(Act.MINT);
    }

    /// @dev What the site may still issue of a product, by what it is allowed and what is free.
    function _issuable(uint32 site, uint256 product) internal view returns (uint256) {
        ICapacity.Site memory s = m.capacity.siteOf(site);
        (, uint8 gradeMax) = m.delivery.standingOf(site);
        ProductId id = ProductId.wrap(product);
        if (id.gradeOf() > s.grade || id.gradeOf() > gradeMax) return 0;
        if (id.tierOf() == 1 && id.areaOf() != s.metro) return 0;
        return m.capacity.availableUnits(site, id.startHourOf(), id.hoursOf());
    }

    /// @dev Whoever commits hours has them: never more than was attested, less what the record costs.
    function _checkCommitted(uint32 site, uint256 product) internal {
        uint256 from = _start(product) / 1 hours;
        for (uint256 i = 0; i < _hours(product); ++i) {
            uint256 committed = m.capacity.committedUnits(site, uint32(from + i));
            _check(4, committed <= _cap(site), "INV-4: an hour was sold twice");
        }
    }

    function retire(uint256 seed_) external acts(seed_) {
        ++tried[Act.RETIRE];
        uint32 site = _anySite();
        address provider = m.capacity.providerOf(site);
        uint256 from = products.length == 0 ? 0 : _random(0, products.length - 1);
        for (uint256 i = 0; i < products.length; ++i) {
            uint256 product = products[(from + i) % products.length];
            (uint64 owed,) = m.delivery.obligationOf(product, site);
            uint256 most = _min(m.capacity.balanceOf(provider, product), owed);
            if (most == 0) continue;
            uint64 units = uint64(_random(1, most));
            vm.prank(provider);
            m.capacity.retire(site, product, units);
            _did(Act.RETIRE);
            return;
        }
    }

    /* DELIVER */

    /// @dev A lease in that state, from a random one on; 0 if there is none.
    function _leaseIn(IDelivery.State state) internal returns (uint64) {
        uint256 count = leases.length;
        if (count == 0) return 0;
        uint256 from = _random(0, count - 1);
        for (uint256 i = 0; i < count; ++i) {
            uint64 lease = leases[(from + i) % count];
            if (m.delivery.leaseOf(lease).state == state) return lease;
        }
        return 0;
    }

    /// @dev Waits for the window, mostly, and reports: all, what was promised, or less.
    function report(uint256 seed_) external acts(seed_) {
        ++tried[Act.REPORT];
        uint64 lease = _leaseIn(IDelivery.State.OPEN);
        if (lease == 0) return;
        IDelivery.Lease memory l = m.delivery.leaseOf(lease);
        uint256 deadline_s = _end(l.product) + REPORT_PERIOD;
        if (_chance(70)) _waitUntil(_start(l.product) + _random(0, _hours(l.product) * 2) * 30 minutes);
        if (_chance(5)) _waitUntil(deadline_s);
        if (_now() < _start(l.product) || _now() > deadline_s) return;
        uint256 full = uint256(l.units) * 1000;
        uint256 milli = _chance(50) ? full : _chance(50) ? full * 95 / 100 - _random(0, 1) : _random(0, full);
        vm.prank(m.capacity.providerOf(l.site));
        m.delivery.report(lease, uint64(milli), keccak256("usage"));
        _did(Act.REPORT);
    }

    function abort(uint256 seed_) external acts(seed_) {
        ++tried[Act.ABORT];
        uint64 lease = _leaseIn(IDelivery.State.OPEN);
        if (lease == 0) return;
        IDelivery.Lease memory l = m.delivery.leaseOf(lease);
        if (_chance(60)) _waitUntil(_start(l.product) + _random(0, _hours(l.product) * 1 hours - 1));
        if (_now() >= _end(l.product)) return;
        uint256 passed_s = _now() < _start(l.product) ? 0 : _now() - _start(l.product);
        uint256 most = uint256(l.units) * 1000 * passed_s / (_hours(l.product) * 1 hours);
        _abort(lease, l, _chance(50) ? most : _random(0, most));
    }

    /// @dev The holder has at once what was not delivered; nothing is made or lost.
    function _abort(uint64 lease, IDelivery.Lease memory l, uint256 milli) private {
        uint256 full = uint256(l.units) * 1000;
        uint256 kept = l.bondMicro * _counted(l.product, milli, full) / full;
        uint256 held = m.treasury.cashOf(l.holder);
        vm.prank(m.capacity.providerOf(l.site));
        m.delivery.abort(lease, uint64(milli));
        _check(8, m.treasury.cashOf(l.holder) == held + l.bondMicro - kept, "INV-8: an abort refunded another sum");
        IDelivery.Lease memory after_ = m.delivery.leaseOf(lease);
        _check(8, after_.bondMicro == kept, "INV-8: an abort kept another sum");
        if (after_.state == IDelivery.State.RESOLVED) _forget(lease, l, IDelivery.Reason.ABORTED, milli);
        _did(Act.ABORT);
    }

    /// @dev The lease is over: its unit-hours are on record once, unless nobody ruled.
    function _forget(uint64 lease, IDelivery.Lease memory l, IDelivery.Reason reason, uint256 milli) internal {
        ++ended[reason];
        if (reason != IDelivery.Reason.UNRULED) {
            uint256 full = uint256(l.units) * 1000;
            uint256 counted = _counted(l.product, milli, full);
            deliveredMilliHours[l.site] += counted * _hours(l.product);
            failedMilliHours[l.site] += (full - counted) * _hours(l.product);
        }
        for (uint256 i = 0; i < leases.length; ++i) {
            if (leases[i] != lease) continue;
            leases[i] = leases[leases.length - 1];
            leases.pop();
            return;
        }
    }
}
