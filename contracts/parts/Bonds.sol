// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ICapacity} from "../interfaces/ICapacity.sol";
import {IDelivery} from "../interfaces/IDelivery.sol";
import {IStandard} from "../interfaces/IStandard.sol";
import {ITreasury} from "../interfaces/ITreasury.sol";
import {Grades} from "../libraries/Grades.sol";
import {ProductId} from "../types/ProductId.sol";

/// @title Bonds
/// @notice The part of {Delivery} that holds what sites owe and the bonds behind it.
abstract contract Bonds is IDelivery {
    using SafeCast for uint256;

    /* TYPES */

    struct Obligation {
        uint64 units;
        uint112 bondMicro;
    }

    /// @dev Offers of one site for one product that wait to be settled: all of one round, hence of one clearing price.
    /// Both figures per unit are those of the round's first offer, so that its last is held to the same.
    struct Reserve {
        uint40 round;
        uint64 units;
        uint72 marginMicro;
        uint72 floorMicro;
    }

    /* IMMUTABLES */

    /// @inheritdoc IDelivery
    IStandard public immutable standard;
    /// @inheritdoc IDelivery
    ICapacity public immutable capacity;
    /// @inheritdoc IDelivery
    ITreasury public immutable treasury;
    /// @inheritdoc IDelivery
    address public immutable exchange;

    uint16 internal immutable PENALTY_MARGIN_BP;

    /* STORAGE */

    mapping(ProductId product => mapping(uint32 site => Obligation)) internal _obligations;
    mapping(ProductId product => mapping(uint32 site => Reserve)) private _reserves;

    constructor(
        IStandard standard_,
        ICapacity capacity_,
        ITreasury treasury_,
        address exchange_,
        uint16 penaltyMarginBp
    ) {
        require(penaltyMarginBp <= Grades.ONE_BP, Delivery_TermsOutOfRange(penaltyMarginBp, 10_000));
        (standard, capacity, treasury, exchange) = (standard_, capacity_, treasury_, exchange_);
        PENALTY_MARGIN_BP = penaltyMarginBp;
    }

    modifier only(address caller) {
        require(msg.sender == caller, Delivery_OnlyMarket(msg.sender));
        _;
    }

    /* FOR THE MARKET'S CONTRACTS */

    /// @inheritdoc IDelivery
    function issue(ProductId product, uint32 site, uint64 units, address provider) external only(address(capacity)) {
        _requireNoOffers(product, site);
        uint256 bond = mintBondOf(product.raw(), site, units);
        _addObligation(product, site, units, bond);
        emit BondPosted(provider, bond);
        treasury.escrow(provider, bond);
    }

    /// @inheritdoc IDelivery
    function discharge(ProductId product, uint32 site, uint64 units, address provider)
        external
        only(address(capacity))
    {
        _release(provider, _subObligation(product, site, units));
    }

    /// @inheritdoc IDelivery
    function move(ProductId[] calldata from, ProductId[] calldata into, uint32 site, uint64 units, address payer)
        external
        only(address(capacity))
    {
        uint256 left = 0;
        for (uint256 i = 0; i < from.length; ++i) {
            left += _subObligation(from[i], site, units);
        }
        uint256 added = 0;
        for (uint256 i = 0; i < into.length; ++i) {
            _requireNoOffers(into[i], site);
            // An equal part of what is left, rounded down; the last takes the rest.
            uint256 part = left / (into.length - i);
            left -= part;
            uint256 needed = _undilutedBond(into[i], site, units);
            if (part < needed) added += needed - part;
            _addObligation(into[i], site, units, Math.max(part, needed));
        }
        if (added == 0) return;
        emit BondPosted(payer, added);
        treasury.escrow(payer, added);
    }

    /// @inheritdoc IDelivery
    function reserveOffer(
        ProductId product,
        uint32 site,
        uint64 units,
        uint64 round,
        uint256 limitMicro,
        address provider
    ) external only(exchange) {
        Reserve storage reserve = _reserves[product][site];
        if (reserve.units == 0) {
            (,, uint256 bondPriceMicro) = standard.requireProduct(product);
            // Rounded up: a bond is never short of its margin, nor of its fellows.
            uint256 margin = Math.ceilDiv(bondPriceMicro * product.hoursOf() * PENALTY_MARGIN_BP, Grades.ONE_BP);
            // round = block.timestamp / ROUND < 2^40.
            (reserve.round, reserve.marginMicro) = (uint40(round), margin.toUint72());
            reserve.floorMicro = _undilutedBond(product, site, 1).toUint72();
        } else {
            require(reserve.round == round, Delivery_OffersUnsettled(product.raw(), site, reserve.round));
        }
        reserve.units += units;
        uint256 amount = units * _marginOf(reserve, limitMicro);
        emit MarginEscrowed(product.raw(), site, provider, units, amount);
        treasury.escrow(provider, amount);
    }

    /// @inheritdoc IDelivery
    function settleOffer(
        ProductId product,
        uint32 site,
        uint64 filled,
        uint64 unfilled,
        uint256 limitMicro,
        uint256 proceedsMicro
    ) external only(exchange) {
        Reserve storage reserve = _reserves[product][site];
        uint256 margin = _marginOf(reserve, limitMicro);
        reserve.units -= filled + unfilled;
        uint256 returned = unfilled * margin;
        emit OfferSettled(product.raw(), site, filled, unfilled, returned);
        if (filled != 0) _addObligation(product, site, filled, proceedsMicro + filled * margin);
        treasury.credit(_payment(capacity.providerOf(site), returned));
    }

    /// @dev One unit's margin at a limit price: the class's, or what the limit is short of the floor.
    function _marginOf(Reserve storage reserve, uint256 limitMicro) private view returns (uint256) {
        return Math.max(reserve.marginMicro, Math.saturatingSub(reserve.floorMicro, limitMicro));
    }

    function _requireNoOffers(ProductId product, uint32 site) private view {
        Reserve storage reserve = _reserves[product][site];
        require(reserve.units == 0, Delivery_OffersUnsettled(product.raw(), site, reserve.round));
    }

    /// @dev The least bond of `units` more that lowers nobody's, rounded up.
    function _undilutedBond(ProductId product, uint32 site, uint64 units) private view returns (uint256) {
        Obligation storage obligation = _obligations[product][site];
        if (obligation.units == 0) return 0;
        return Math.ceilDiv(uint256(obligation.bondMicro) * units, obligation.units);
    }

    function _addObligation(ProductId product, uint32 site, uint64 units, uint256 bond) private {
        Obligation storage obligation = _obligations[product][site];
        obligation.units += units;
        obligation.bondMicro += bond.toUint112();
        emit Obliged(product.raw(), site, units, bond);
    }

    /// @dev Takes units out with their share of the bond, rounded down: those who stay lose nothing; the last take all.
    function _subObligation(ProductId product, uint32 site, uint64 units) internal returns (uint112 share) {
        Obligation storage obligation = _obligations[product][site];
        uint64 owed = obligation.units;
        require(units <= owed, Delivery_InsufficientObligation(product.raw(), site, owed, units));
        // units <= owed: the share is at most the bond.
        share = uint112(uint256(obligation.bondMicro) * units / owed);
        (obligation.units, obligation.bondMicro) = (owed - units, obligation.bondMicro - share);
        emit Discharged(product.raw(), site, units, share);
    }

    function _release(address payee, uint256 amount) internal {
        emit BondReleased(payee, amount);
        treasury.credit(_payment(payee, amount));
    }

    function _payment(address owner, uint256 amount) internal pure returns (uint256[] memory payments) {
        payments = new uint256[](1);
        payments[0] = _packed(owner, amount);
    }

    /// @dev See {ITreasury.credit}: 0 for no payment.
    function _packed(address owner, uint256 amount) internal pure returns (uint256) {
        return amount == 0 ? 0 : (uint256(uint160(owner)) << 96) | amount.toUint96();
    }

    /* READ */

    /// @inheritdoc IDelivery
    function obligationOf(uint256 product, uint32 site) external view returns (uint64 units, uint256 bondMicro) {
        Obligation storage obligation = _obligations[ProductId.wrap(product)][site];
        return (obligation.units, obligation.bondMicro);
    }

    /// @inheritdoc IDelivery
    function reservedOf(uint256 product, uint32 site)
        external
        view
        returns (uint64 units, uint64 round, uint256 marginMicro, uint256 floorMicro)
    {
        Reserve storage reserve = _reserves[ProductId.wrap(product)][site];
        return (reserve.units, reserve.round, reserve.marginMicro, reserve.floorMicro);
    }

    /// @inheritdoc IDelivery
    function mintBondOf(uint256 product, uint32 site, uint64 units) public view returns (uint256) {
        ProductId id = ProductId.wrap(product);
        (,, uint256 bondPriceMicro) = standard.requireProduct(id);
        uint256 unitHours = uint256(units) * id.hoursOf();
        // Rounded up: a bond is never short.
        uint256 full = Math.ceilDiv(unitHours * bondPriceMicro * (Grades.ONE_BP + PENALTY_MARGIN_BP), Grades.ONE_BP);
        return Math.max(full, _undilutedBond(id, site, units));
    }
}
