// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {SignedOrder} from "../../../contracts/types/SignedOrder.sol";
import {Roles} from "./Roles.sol";

/// @title Thief
/// @notice Tries what is not for him: each call must fail, and he never has more than he came with.
abstract contract Thief is Roles {
    function steal(uint256 seed_) external acts(seed_) {
        ++tried[Act.STEAL];
        uint256 product = products.length == 0 ? _tradable() : products[_random(0, products.length - 1)];
        uint256 way = _random(0, 4);
        if (way == 0) _asMarket(product);
        else if (way == 1) _asRole();
        else if (way == 2) _asOwner(product);
        else if (way == 3) _onLease();
        else _onRounds(product);
        _did(Act.STEAL);
    }

    function _attempt(address target, bytes memory data) private {
        _attempt(thief, target, data, "INV-17: the thief's call passed");
    }

    /* PRETENDS TO BE THE MARKET */

    function _asMarket(uint256 product) private {
        ProductId id = ProductId.wrap(product);
        address victim = _anyone();
        uint32 site = _anySite();
        uint256[] memory words = new uint256[](1);
        words[0] = (uint256(uint160(thief)) << 96) | 1;
        ProductId[] memory ids = new ProductId[](1);
        ids[0] = id;
        _attempt(address(m.treasury), abi.encodeCall(ITreasury.escrow, (victim, 1)));
        _attempt(address(m.treasury), abi.encodeCall(ITreasury.escrowSigned, (victim, 1, _round(), 0, 0)));
        _attempt(address(m.treasury), abi.encodeCall(ITreasury.credit, (words)));
        _attempt(address(m.treasury), abi.encodeCall(ITreasury.revoke, (victim)));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.reserve, (site, id, 10, victim)));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.unreserve, (site, id, 1)));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.take, (victim, id, 1)));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.give, (id, words)));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.burn, (victim, id, 1)));
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.issue, (id, site, 1, victim)));
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.discharge, (id, site, 1, thief)));
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.move, (ids, ids, site, 1, victim)));
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.reserveOffer, (id, site, 1, _round(), 1, victim)));
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.settleOffer, (id, site, 0, 1, 1, 0)));
        SignedOrder memory none;
        _attempt(address(m.exchange), abi.encodeCall(IExchange.placeOne, (none, 0)));
    }

    /* PRETENDS TO HAVE A ROLE */

    function _asRole() private {
        uint32 site = _anySite();
        IStandard.ClassTerms memory terms = m.standard.termsOf(AI_LARGE);
        _attempt(address(m.standard), abi.encodeCall(IStandard.setClass, (AI_LARGE, terms)));
        _attempt(address(m.standard), abi.encodeCall(IStandard.rate, ("mine", AI_LARGE, 1, 1, "")));
        _attempt(address(m.standard), abi.encodeCall(IStandard.setArea, (999, 0, "mine")));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.attest, (site, 1, 1, "", uint64(_now() + 1 days))));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.setIssuePaused, (true)));
        _attempt(address(m.exchange), abi.encodeCall(IExchange.setOrdersPaused, (true)));
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.rule, (m.delivery.leaseCount(), 0, "", "")));
    }

    /* PRETENDS TO OWN */

    function _asOwner(uint256 product) private {
        address victim = _anyone();
        uint32 site = _anySite();
        uint256 held = m.capacity.balanceOf(victim, product);
        uint256 cash = m.treasury.cashOf(thief);
        _attempt(address(m.treasury), abi.encodeCall(ITreasury.withdraw, (cash + 1, thief)));
        _attempt(
            address(m.capacity),
            abi.encodeCall(IERC1155.safeTransferFrom, (victim, thief, product, held == 0 ? 1 : held, ""))
        );
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.mint, (site, product, 1)));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.retire, (site, product, 1)));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.split, (site, product, 1)));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.merge, (site, product, 1)));
        _attempt(address(m.capacity), abi.encodeCall(ICapacity.relax, (site, product, 1, 3)));
        _attempt(address(m.exchange), abi.encodeCall(IExchange.offer, (site, product, 250, 10)));
        _attempt(address(m.exchange), abi.encodeCall(IExchange.ask, (product, 250, 10)));
        _attempt(address(m.exchange), abi.encodeCall(IExchange.collect, (product, thief)));
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.redeem, (product, site, 1, "")));
    }

    /* MEDDLES */

    function _onLease() private {
        if (leases.length == 0) return;
        uint64 lease = leases[_random(0, leases.length - 1)];
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.report, (lease, 0, "")));
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.abort, (lease, 0)));
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.accept, (lease)));
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.dispute, (lease, "")));
        if (_now() <= _deadlineOf(m.delivery.leaseOf(lease))) {
            _attempt(address(m.delivery), abi.encodeCall(IDelivery.resolve, (lease)));
        }
        // Nothing ends twice.
        lease = uint64(_random(1, m.delivery.leaseCount()));
        if (m.delivery.leaseOf(lease).state != IDelivery.State.RESOLVED) return;
        _attempt(address(m.delivery), abi.encodeCall(IDelivery.resolve, (lease)));
    }

    function _onRounds(uint256 product) private {
        if (_now() <= _end(product) + GRACE) {
            _attempt(address(m.delivery), abi.encodeCall(IDelivery.expire, (product, _anySite())));
        }
        _attempt(address(m.exchange), abi.encodeCall(IExchange.clear, (product, _round())));
        if (batches.length == 0) return;
        Batch storage b = batches[_random(0, batches.length - 1)];
        uint32[] memory slots = _slotsOf(b.orders);
        if (!_isSettleable(b)) {
            _attempt(address(m.exchange), abi.encodeCall(IExchange.settle, (b.product, b.round, slots)));
        }
        if (!_isClearable(b)) _attempt(address(m.exchange), abi.encodeCall(IExchange.clear, (b.product, b.round)));
        // The same slots in another round, and only what was settled already.
        _attempt(address(m.exchange), abi.encodeCall(IExchange.settle, (b.product, b.round + 1_000_000, slots)));
        uint256 count = 0;
        for (uint256 i = 0; i < slots.length; ++i) {
            if (orders[b.orders[i]].settled) slots[count++] = slots[i];
        }
        uint32[] memory settled = new uint32[](count);
        for (uint256 i = 0; i < count; ++i) {
            settled[i] = slots[i];
        }
        _attempt(address(m.exchange), abi.encodeCall(IExchange.settle, (b.product, b.round, settled)));
    }
}
