// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155MetadataURI} from "@openzeppelin/contracts/token/ERC1155/extensions/IERC1155MetadataURI.sol";

import {ProductId} from "../types/ProductId.sol";
import {IDelivery} from "./IDelivery.sol";
import {IStandard} from "./IStandard.sol";

/// @title ICapacity
/// @notice Who may issue compute, and the ERC-1155 token of it: one id per product, whoever provides it. Each site has
/// a calendar of the units it has committed in every hour, across all products, windows and ways of issuing; what it
/// commits never passes what an auditor measured there, less what its delivery record costs it.
///
/// Units are whole standard units of a class. No user's token moves without that user's own call or signed order.
interface ICapacity is IERC1155MetadataURI {
    /* TYPES */

    /// @notice Devices of one model, in one metro, of one provider, offering one class.
    /// @param units What was attested there, in units.
    /// @param grade The best grade it was attested for; 0 where it never was.
    /// @param validUntil_s When the attestation ends, in seconds since the epoch.
    struct Site {
        address provider;
        uint32 devices;
        uint8 class;
        uint16 metro;
        uint16 hub;
        uint8 grade;
        uint32 units;
        uint64 validUntil_s;
        bytes32 device;
    }

    /* ERRORS */

    error Capacity_OnlyMarket(address caller);
    error Capacity_IssuePaused();
    error Capacity_NoDevices();
    /// @notice The standard has no rating of that device in that class.
    error Capacity_UnratedDevice(bytes32 device, uint8 class);
    error Capacity_NotAMetro(uint16 area);
    error Capacity_UnknownSite(uint32 site);
    error Capacity_NotProvider(uint32 site, address caller, address provider);
    error Capacity_UnknownGrade(uint8 grade);
    /// @notice More than the standard says that so many devices yield.
    error Capacity_AboveRating(uint32 site, uint64 units, uint256 unitsMax);
    error Capacity_AttestationInPast(uint64 validUntil_s, uint256 now_s);
    error Capacity_ZeroUnits();
    error Capacity_WrongClass(uint32 site, uint8 class, uint8 siteClass);
    error Capacity_WrongArea(uint32 site, uint16 area, uint16 siteArea);
    /// @notice The site may hold at most `gradeMax`: by its attestation, or by its delivery record.
    error Capacity_GradeTooHigh(uint32 site, uint8 grade, uint8 gradeMax);
    /// @notice The window has begun: nothing can be issued, split, merged or relaxed any more.
    error Capacity_WindowStarted(uint256 start_s, uint256 now_s);
    error Capacity_AttestationTooShort(uint32 site, uint64 validUntil_s, uint256 end_s);
    /// @notice In hour `hour_` of the window only `available` units are free.
    error Capacity_InsufficientCapacity(uint32 site, uint256 hour_, uint256 available, uint256 units);
    /// @notice A window of one hour has no parts.
    error Capacity_NotAWindow(uint256 product);
    error Capacity_HoursOutOfRange(uint16 hours_, uint16 hoursMax);
    /// @notice A tier can only be relaxed: METRO to HUB or WIDE, HUB to WIDE.
    error Capacity_NotRelaxed(uint8 tier, uint8 wanted);

    /* EVENTS */

    event SiteRegistered(
        uint32 indexed site,
        address indexed provider,
        bytes32 indexed device,
        uint32 devices,
        uint8 class,
        uint16 metro,
        uint16 hub,
        string uri
    );
    event Attested(uint32 indexed site, uint64 units, uint8 grade, bytes32 evidence, uint64 validUntil_s);
    /// @notice The site's calendar holds `units` more in every hour of the product's window.
    event Committed(uint32 indexed site, uint256 indexed product, uint64 units);
    /// @notice … and as many less.
    event Released(uint32 indexed site, uint256 indexed product, uint64 units);
    event Minted(uint32 indexed site, uint256 indexed product, address indexed provider, uint64 units);
    event Retired(uint32 indexed site, uint256 indexed product, address indexed provider, uint64 units);
    event Split(uint32 indexed site, uint256 indexed product, address indexed owner, uint64 units);
    event Merged(uint32 indexed site, uint256 indexed product, address indexed owner, uint64 units);
    event Relaxed(uint32 indexed site, uint256 indexed product, address indexed owner, uint64 units, uint256 into);
    event IssuePauseSet(bool paused);

    /* REGISTER AND ATTEST */

    /// @notice Registers the caller's devices. They may issue nothing until an auditor has measured them.
    /// Requirements:
    /// - `devices` is not zero
    /// - the standard rates `device` in `class`
    /// - `metro` is a metro
    /// @param device keccak256 of the model's name.
    /// @param uri Where the provider describes the site; a stranger's text.
    /// @return site Its number, from 1.
    function registerSite(bytes32 device, uint32 devices, uint8 class, uint16 metro, string calldata uri)
        external
        returns (uint32 site);

    /// @notice Records what was measured at a site; replaces the last attestation. Commitments that stand are kept,
    /// and new ones are measured against the new figure.
    /// Requirements:
    /// - the caller has the role AUDITOR
    /// - the site exists
    /// - `grade` is 1 … 3
    /// - `units` is at most what the standard's latest rating gives for its devices, and below 2^32
    /// - `validUntil_s` is in the future
    /// @param evidence Hash of the measurements.
    function attest(uint32 site, uint64 units, uint8 grade, bytes32 evidence, uint64 validUntil_s) external;

    /* MINT AND RETIRE */

    /// @notice Issues units to the provider's wallet, against a full bond from its cash: the class's bond price and
    /// the penalty margin, or what the product's units at this site already carry, whichever is more.
    /// Requirements:
    /// - issuing is not paused
    /// - the caller is the site's provider; `units` is not zero
    /// - the product is one of the standard's, of the site's class and area
    /// - its window has not begun
    /// - its grade is at most what the site was attested for and what its record supports
    /// - the attestation lasts to the window's end
    /// - in every hour of the window that many units are free
    /// - no offer of the site for this product waits to be settled
    /// - the caller's cash and allowance cover the bond
    function mint(uint32 site, uint256 product, uint64 units) external;

    /// @notice Burns units that the provider holds; their bond share and their hours come back.
    /// Requirements: the caller is the site's provider; `units` is not zero, at most the site's obligation, and held.
    function retire(uint32 site, uint256 product, uint64 units) external;

    /* SPLIT, MERGE, RELAX */

    /// @notice Turns units of a window into as many units of each of its hours, with obligation and bond.
    /// Where an hour's units at this site already carry more bond, the caller adds the difference, so that nobody's
    /// claim is diluted. Requirements:
    /// - the window has more than one hour and has not begun; `units` is not zero
    /// - the caller holds them, the site owes that many
    /// - no offer of the site for any of the hours waits to be settled
    /// - the caller's cash and allowance cover what must be added
    function split(uint32 site, uint256 product, uint64 units) external;

    /// @notice The way back: units of every hour into units of the window `product`.
    /// Requirements: those of {split}, for every hour.
    function merge(uint32 site, uint256 product, uint64 units) external;

    /// @notice Turns units into ones of a looser tier that the site's metro lies in. Requirements: those of {split},
    /// one hour included, and `tier` is looser than the product's.
    function relax(uint32 site, uint256 product, uint64 units, uint8 tier) external;

    /* FOR THE MARKET'S CONTRACTS */

    /// @notice Commits the site's hours and mints the units into the book's escrow. Requirements: the caller is
    /// Exchange; otherwise those of {mint} up to the hours, with `provider` for the caller.
    function reserve(uint32 site, ProductId product, uint64 units, address provider) external;

    /// @notice Burns `units` of the book's escrow that were not sold and frees their hours. Requirements: the caller is
    /// Exchange.
    function unreserve(uint32 site, ProductId product, uint64 units) external;

    /// @notice Takes an owner's units into the book's escrow, for an order the owner sent or signed.
    /// Requirements: the caller is Exchange; the owner holds them.
    function take(address owner, ProductId product, uint256 units) external;

    /// @notice Moves units out of the book's escrow to owners that are no contracts. Requirements: the caller is
    /// Exchange.
    /// @param deliveries Each `owner 160 | units 96`, or 0 for none; length bounded by the caller's own batch.
    function give(ProductId product, uint256[] calldata deliveries) external;

    /// @notice Burns the holder's units. Requirements: the caller is Delivery; the holder holds them.
    function burn(address holder, ProductId product, uint64 units) external;

    /* STOP NEW ISSUES */

    /// @notice Stops or allows new mints and offers; nothing else. Requirements: the caller has the role GUARDIAN.
    function setIssuePaused(bool paused) external;

    /* READ */

    function issuePaused() external view returns (bool);

    /// @notice Requirements: the site exists.
    function siteOf(uint32 site) external view returns (Site memory);

    /// @notice The site's provider; zero for a site that does not exist.
    function providerOf(uint32 site) external view returns (address);

    /// @notice How many sites there are; they are numbered from 1.
    function siteCount() external view returns (uint32);

    /// @notice What the site may commit in an hour, in units: attested, less what its record costs; 0 when unattested.
    function issuableUnits(uint32 site) external view returns (uint64);

    /// @notice What the site has committed in an hour, in units.
    function committedUnits(uint32 site, uint32 hour_) external view returns (uint64);

    /// @notice What the site can still issue for a window: the least over its hours, 0 where its attestation ends
    /// before. Requirements: 1 … 168 hours.
    function availableUnits(uint32 site, uint32 startHour, uint16 hours_) external view returns (uint64);

    /// @notice Units of a product that exist.
    function totalSupply(uint256 product) external view returns (uint256);

    /* WIRING, SET AT DEPLOYMENT */

    function standard() external view returns (IStandard);

    function exchange() external view returns (address);

    function delivery() external view returns (IDelivery);
}
