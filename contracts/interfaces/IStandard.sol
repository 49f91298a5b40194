// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProductId} from "../types/ProductId.sol";
import {IExchange} from "./IExchange.sol";

/// @title IStandard
/// @notice What a unit is: classes of compute, what one device of a model yields in each, and where places are.
/// The standards committee writes it (role STANDARDS); everyone reads it. Nothing here moves money or tokens, and an
/// open book keeps the terms it opened with.
interface IStandard {
    /* TYPES */

    /// @notice What one unit of a class is and how it trades.
    /// @param name The class, for people.
    /// @param unit What one unit is, for people.
    /// @param minMemoryGb The least memory of one device, in GB.
    /// @param tickSizeMicro The price of one step of the grid, in micro of the settlement currency per unit-hour.
    /// @param minOrderUnits The smallest order, in units.
    /// @param bondPriceMicro What backs a unit that is minted rather than sold, in micro per unit-hour; the penalty
    /// margin of a sold one is a share of it.
    struct ClassTerms {
        string name;
        string unit;
        uint32 minMemoryGb;
        uint32 tickSizeMicro;
        uint32 minOrderUnits;
        uint64 bondPriceMicro;
    }

    /// @notice How a rating was found.
    enum Basis {
        NONE,
        MEASURED,
        DATASHEET
    }

    /// @notice What one device of a model yields in a class.
    /// @param milliUnits Thousandths of a unit.
    /// @param basis Measured results, or the datasheet where nothing was measured.
    /// @param version Counts the ratings of this device and class from 1.
    /// @param evidence Hash of the evidence.
    struct Rating {
        uint64 milliUnits;
        Basis basis;
        uint32 version;
        bytes32 evidence;
    }

    /* ERRORS */

    /// @notice A class has the number 0, no name, or a tick size, least order or bond price of 0.
    error Standard_IncompleteTerms(uint8 class);
    error Standard_UnknownClass(uint8 class);
    error Standard_UnknownBasis(uint8 basis);
    error Standard_ZeroRating(bytes32 device, uint8 class);
    error Standard_UnknownVersion(bytes32 device, uint8 class, uint32 version, uint32 latest);
    /// @notice Area 0 stands for "anywhere" and cannot be named.
    error Standard_AreaZero();
    error Standard_AreaTaken(uint16 area);
    error Standard_NotAHub(uint16 area);
    /// @notice The id is no product: see {wellFormed} for its shape.
    error Standard_MalformedProduct(uint256 product);
    /// @notice The product's area is not one of its tier: a metro for METRO, a hub for HUB.
    error Standard_WrongArea(uint8 tier, uint16 area);

    /* EVENTS */

    event ClassSet(uint8 indexed class, ClassTerms terms);
    event Rated(
        bytes32 indexed device,
        uint8 indexed class,
        uint32 version,
        string name,
        uint64 milliUnits,
        Basis basis,
        bytes32 evidence
    );
    event AreaSet(uint16 indexed area, uint16 indexed hub, string name);

    /* WRITE THE STANDARD */

    /// @notice Defines a class or changes its terms for books that open from now on.
    /// Requirements:
    /// - the caller has the role STANDARDS
    /// - the class, its name, tick size, least order and bond price are not zero
    function setClass(uint8 class, ClassTerms calldata terms) external;

    /// @notice Rates a device model in a class; older ratings stay readable.
    /// Requirements:
    /// - the caller has the role STANDARDS
    /// - the class exists
    /// - the basis is MEASURED (1) or DATASHEET (2)
    /// - `milliUnits` is not zero
    /// @param device The model's name; its keccak256 is the device id.
    /// @param milliUnits What one device yields, in thousandths of a unit.
    /// @return version The rating's number for this device and class, from 1.
    function rate(string calldata device, uint8 class, uint64 milliUnits, uint8 basis, bytes32 evidence)
        external
        returns (uint32 version);

    /// @notice Names a metro (with its hub) or a hub (`hub` = 0). Written once: a place does not move.
    /// Requirements:
    /// - the caller has the role STANDARDS
    /// - `area` is not zero and not taken
    /// - `hub` is 0 or a hub
    function setArea(uint16 area, uint16 hub, string calldata name) external;

    /* READ IT */

    /// @notice The terms of a class. Requirements: the class exists.
    function termsOf(uint8 class) external view returns (ClassTerms memory);

    /// @notice The latest rating; all zero where the device is not rated in the class.
    function ratingOf(bytes32 device, uint8 class) external view returns (Rating memory);

    /// @notice An earlier rating. Requirements: 1 <= `version` <= the latest.
    function ratingAt(bytes32 device, uint8 class, uint32 version) external view returns (Rating memory);

    /// @notice The hub of a metro; 0 for a hub and for what was never named.
    function hubOf(uint16 metro) external view returns (uint16);

    /// @notice Whether the area is a hub.
    function isHub(uint16 area) external view returns (bool);

    /// @notice Checks that a product can exist, and gives what trading in it needs.
    /// Requirements:
    /// - the id is well formed
    /// - its class exists
    /// - its area is of its tier
    /// @return tickSizeMicro In micro per unit-hour.
    /// @return minOrderUnits In units.
    /// @return bondPriceMicro In micro per unit-hour.
    function requireProduct(ProductId product)
        external
        view
        returns (uint32 tickSizeMicro, uint32 minOrderUnits, uint64 bondPriceMicro);

    /* WIRING, SET AT DEPLOYMENT */

    function exchange() external view returns (IExchange);
}
