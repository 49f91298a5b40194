// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {ERC1155Supply} from "@openzeppelin/contracts/token/ERC1155/extensions/ERC1155Supply.sol";
import {IERC1155MetadataURI} from "@openzeppelin/contracts/token/ERC1155/extensions/IERC1155MetadataURI.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ICapacity} from "./interfaces/ICapacity.sol";
import {IDelivery} from "./interfaces/IDelivery.sol";
import {IStandard} from "./interfaces/IStandard.sol";
import {HourLanes} from "./libraries/HourLanes.sol";
import {ProductText} from "./libraries/ProductText.sol";
import {HOURS_MAX, HUB, METRO, PREMIUM, ProductId} from "./types/ProductId.sol";

/// @title Capacity
/// @notice Issues compute as ERC-1155 tokens against attested sites. Specified in {ICapacity}.
contract Capacity is ICapacity, ERC1155Supply, AccessManaged {
    /* IMMUTABLES */

    /// @inheritdoc ICapacity
    IStandard public immutable standard;
    /// @inheritdoc ICapacity
    address public immutable exchange;
    /// @inheritdoc ICapacity
    IDelivery public immutable delivery;

    /* STORAGE */

    /// @inheritdoc ICapacity
    uint32 public siteCount;
    /// @inheritdoc ICapacity
    bool public issuePaused;
    mapping(uint32 site => Site) private _sites;
    /// @dev Committed units, eight hours to a word: see {HourLanes}.
    mapping(uint32 site => mapping(uint256 word => uint256)) private _calendar;

    constructor(address authority, IStandard standard_, address exchange_, IDelivery delivery_)
        ERC1155("")
        AccessManaged(authority)
    {
        standard = standard_;
        exchange = exchange_;
        delivery = delivery_;
    }

    modifier only(address caller) {
        require(msg.sender == caller, Capacity_OnlyMarket(msg.sender));
        _;
    }

    /* REGISTER AND ATTEST */

    /// @inheritdoc ICapacity
    function registerSite(bytes32 device, uint32 devices, uint8 class, uint16 metro, string calldata uri_)
        external
        returns (uint32 site)
    {
        require(devices != 0, Capacity_NoDevices());
        require(standard.ratingOf(device, class).milliUnits != 0, Capacity_UnratedDevice(device, class));
        uint16 hub = standard.hubOf(metro);
        require(hub != 0, Capacity_NotAMetro(metro));

        site = ++siteCount;
        _sites[site] = Site(msg.sender, devices, class, metro, hub, 0, 0, 0, device);
        emit SiteRegistered(site, msg.sender, device, devices, class, metro, hub, uri_);
    }

    /// @inheritdoc ICapacity
    function attest(uint32 site, uint64 units, uint8 grade, bytes32 evidence, uint64 validUntil_s) external restricted {
        Site storage s = _known(site);
        require(grade != 0 && grade <= PREMIUM, Capacity_UnknownGrade(grade));
        uint256 unitsMax = _ratedUnits(s);
        require(units <= unitsMax, Capacity_AboveRating(site, units, unitsMax));
        require(validUntil_s > block.timestamp, Capacity_AttestationInPast(validUntil_s, block.timestamp));

        // units <= unitsMax < 2^32.
        (s.units, s.grade, s.validUntil_s) = (uint32(units), grade, validUntil_s);
        emit Attested(site, units, grade, evidence, validUntil_s);
    }

    /// @dev What the devices yield by the latest rating, rounded down, and at most what a calendar lane holds.
    function _ratedUnits(Site storage s) private view returns (uint256) {
        uint256 rated = uint256(s.devices) * standard.ratingOf(s.device, s.class).milliUnits / 1000;
        return Math.min(rated, type(uint32).max);
    }

    /* MINT AND RETIRE */

    /// @inheritdoc ICapacity
    function mint(uint32 site, uint256 product, uint64 units) external {
        ProductId id = ProductId.wrap(product);
        _commit(site, id, units, msg.sender);
        emit Minted(site, product, msg.sender, units);
        delivery.issue(id, site, units, msg.sender);
        _mint(msg.sender, product, units, "");
    }

    /// @inheritdoc ICapacity
    function retire(uint32 site, uint256 product, uint64 units) external {
        _requireProvider(site, msg.sender);
        require(units != 0, Capacity_ZeroUnits());
        ProductId id = ProductId.wrap(product);
        (uint64 owed,) = delivery.obligationOf(product, site);
        require(units <= owed, IDelivery.Delivery_InsufficientObligation(product, site, owed, units));
        _burn(msg.sender, product, units);
        _release(site, id, units);
        emit Retired(site, product, msg.sender, units);
        delivery.discharge(id, site, units, msg.sender);
    }

    /// @dev Checks that the site may issue the product, in the order that {ICapacity.mint} states, and takes its hours.
    function _commit(uint32 site, ProductId product, uint64 units, address provider) private {
        require(!issuePaused, Capacity_IssuePaused());
        _requireProvider(site, provider);
        require(units != 0, Capacity_ZeroUnits());
        standard.requireProduct(product);
        Site storage s = _sites[site];
        require(product.classOf() == s.class, Capacity_WrongClass(site, product.classOf(), s.class));
        uint16 siteArea = _areaOf(s, product.tierOf());
        require(product.areaOf() == siteArea, Capacity_WrongArea(site, product.areaOf(), siteArea));
        _requireNotStarted(product);
        (uint64 cap, uint8 gradeMax) = _limits(site);
        require(product.gradeOf() <= gradeMax, Capacity_GradeTooHigh(site, product.gradeOf(), gradeMax));
        require(s.validUntil_s >= product.endOf(), Capacity_AttestationTooShort(site, s.validUntil_s, product.endOf()));

        (uint256 hour, uint256 end) = (product.startHourOf(), uint256(product.startHourOf()) + product.hoursOf());
        // At most 168 hours in 22 words: {requireProduct} has checked the window's length.
        while (hour < end) hour = _commitWord(site, hour, end, units, cap);
        emit Committed(site, product.raw(), units);
    }

    /// @dev Adds `units` to the hours of one calendar word; returns the first hour after it.
    function _commitWord(uint32 site, uint256 hour, uint256 end, uint256 units, uint256 cap) private returns (uint256) {
        uint256 index = hour / HourLanes.LANES;
        uint256 word = _calendar[site][index];
        uint256 stop = Math.min(end, (index + 1) * HourLanes.LANES);
        for (; hour < stop; ++hour) {
            uint256 lane = hour % HourLanes.LANES;
            uint256 committed = HourLanes.get(word, lane);
            uint256 available = Math.saturatingSub(cap, committed);
            require(units <= available, Capacity_InsufficientCapacity(site, hour, available, units));
            // committed + units <= cap < 2^32.
            word = HourLanes.set(word, lane, committed + units);
        }
        _calendar[site][index] = word;
        return stop;
    }

    function _release(uint32 site, ProductId product, uint64 units) private {
        (uint256 hour, uint256 end) = (product.startHourOf(), uint256(product.startHourOf()) + product.hoursOf());
        while (hour < end) {
            uint256 index = hour / HourLanes.LANES;
            uint256 word = _calendar[site][index];
            for (uint256 stop = Math.min(end, (index + 1) * HourLanes.LANES); hour < stop; ++hour) {
                uint256 lane = hour % HourLanes.LANES;
                word = HourLanes.set(word, lane, HourLanes.get(word, lane) - units);
            }
            _calendar[site][index] = word;
        }
        emit Released(site, product.raw(), units);
    }

    /// @dev Attested units times the derating, rounded down, and the best grade that attestation and record allow.
    function _limits(uint32 site) private view returns (uint64 cap, uint8 gradeMax) {
        Site storage s = _sites[site];
        (uint256 deratingBp, uint8 recordGrade) = delivery.standingOf(site);
        // s.units < 2^32 and deratingBp <= 10,000.
        cap = uint64(s.units * deratingBp / 10_000);
        gradeMax = recordGrade < s.grade ? recordGrade : s.grade;
    }

    function _areaOf(Site storage s, uint8 tier) private view returns (uint16) {
        return tier == METRO ? s.metro : tier == HUB ? s.hub : 0;
    }

    function _known(uint32 site) private view returns (Site storage s) {
        s = _sites[site];
        require(s.provider != address(0), Capacity_UnknownSite(site));
    }

    function _requireProvider(uint32 site, address caller) private view {
        address provider = _known(site).provider;
        require(caller == provider, Capacity_NotProvider(site, caller, provider));
    }

    function _requireNotStarted(ProductId product) private view {
        require(block.timestamp < product.startOf(), Capacity_WindowStarted(product.startOf(), block.timestamp));
    }

    /* SPLIT, MERGE, RELAX */

    /// @inheritdoc ICapacity
    function split(uint32 site, uint256 product, uint64 units) external {
        (ProductId[] memory window, ProductId[] memory parts) = _parts(ProductId.wrap(product), units);
        emit Split(site, product, msg.sender, units);
        _convert(site, window, parts, units);
    }

    /// @inheritdoc ICapacity
    function merge(uint32 site, uint256 product, uint64 units) external {
        (ProductId[] memory window, ProductId[] memory parts) = _parts(ProductId.wrap(product), units);
        emit Merged(site, product, msg.sender, units);
        _convert(site, parts, window, units);
    }

    /// @inheritdoc ICapacity
    function relax(uint32 site, uint256 product, uint64 units, uint8 tier) external {
        ProductId id = ProductId.wrap(product);
        standard.requireProduct(id);
        _requireNotStarted(id);
        require(units != 0, Capacity_ZeroUnits());
        require(tier > id.tierOf(), Capacity_NotRelaxed(id.tierOf(), tier));
        ProductId[] memory from = new ProductId[](1);
        ProductId[] memory into = new ProductId[](1);
        from[0] = id;
        into[0] = id.within(tier, _areaOf(_known(site), tier));
        standard.requireProduct(into[0]);
        emit Relaxed(site, product, msg.sender, units, into[0].raw());
        _convert(site, from, into, units);
    }

    /// @dev The window, and its hours: at most 168, checked by {IStandard.requireProduct}.
    function _parts(ProductId product, uint64 units)
        private
        view
        returns (ProductId[] memory window, ProductId[] memory parts)
    {
        standard.requireProduct(product);
        require(product.hoursOf() > 1, Capacity_NotAWindow(product.raw()));
        _requireNotStarted(product);
        require(units != 0, Capacity_ZeroUnits());
        window = new ProductId[](1);
        window[0] = product;
        parts = new ProductId[](product.hoursOf());
        for (uint256 i = 0; i < parts.length; ++i) {
            parts[i] = product.hourly(i);
        }
    }

    /// @dev Burns the caller's units of `from`, moves obligation and bond, mints units of `into`: the site's calendar
    /// holds the same hours before and after.
    function _convert(uint32 site, ProductId[] memory from, ProductId[] memory into, uint64 units) private {
        _burnBatch(msg.sender, _raw(from), _repeat(units, from.length));
        delivery.move(from, into, site, units, msg.sender);
        _mintBatch(msg.sender, _raw(into), _repeat(units, into.length), "");
    }

    function _raw(ProductId[] memory products) private pure returns (uint256[] memory ids) {
        ids = new uint256[](products.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = products[i].raw();
        }
    }

    function _repeat(uint64 units, uint256 count) private pure returns (uint256[] memory values) {
        values = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            values[i] = units;
        }
    }

    /* FOR THE MARKET'S CONTRACTS */

    /// @inheritdoc ICapacity
    function reserve(uint32 site, ProductId product, uint64 units, address provider) external only(exchange) {
        _commit(site, product, units, provider);
        (uint256[] memory ids, uint256[] memory values) = _pair(product, units);
        // No acceptance check: Exchange keeps the units for those who will hold them.
        _update(address(0), exchange, ids, values);
    }

    /// @inheritdoc ICapacity
    function unreserve(uint32 site, ProductId product, uint64 units) external only(exchange) {
        _burn(exchange, product.raw(), units);
        _release(site, product, units);
    }

    /// @inheritdoc ICapacity
    function take(address owner, ProductId product, uint256 units) external only(exchange) {
        (uint256[] memory ids, uint256[] memory values) = _pair(product, units);
        _update(owner, exchange, ids, values);
    }

    /// @inheritdoc ICapacity
    function give(ProductId product, uint256[] calldata deliveries) external only(exchange) {
        (uint256[] memory ids, uint256[] memory values) = _pair(product, 0);
        for (uint256 i = 0; i < deliveries.length; ++i) {
            uint256 delivered = deliveries[i];
            if (delivered == 0) continue;
            values[0] = uint96(delivered);
            _update(exchange, address(uint160(delivered >> 96)), ids, values);
        }
    }

    /// @inheritdoc ICapacity
    function burn(address holder, ProductId product, uint64 units) external only(address(delivery)) {
        _burn(holder, product.raw(), units);
    }

    function _pair(ProductId product, uint256 units)
        private
        pure
        returns (uint256[] memory ids, uint256[] memory values)
    {
        ids = new uint256[](1);
        values = new uint256[](1);
        (ids[0], values[0]) = (product.raw(), units);
    }

    /* STOP NEW ISSUES */

    /// @inheritdoc ICapacity
    function setIssuePaused(bool paused) external restricted {
        issuePaused = paused;
        emit IssuePauseSet(paused);
    }

    /* READ */

    /// @inheritdoc ICapacity
    function siteOf(uint32 site) external view returns (Site memory) {
        return _known(site);
    }

    /// @inheritdoc ICapacity
    function providerOf(uint32 site) external view returns (address) {
        return _sites[site].provider;
    }

    /// @inheritdoc ICapacity
    function issuableUnits(uint32 site) public view returns (uint64 cap) {
        if (_sites[site].validUntil_s > block.timestamp) (cap,) = _limits(site);
    }

    /// @inheritdoc ICapacity
    function committedUnits(uint32 site, uint32 hour_) public view returns (uint64) {
        return uint64(HourLanes.get(_calendar[site][hour_ / HourLanes.LANES], hour_ % HourLanes.LANES));
    }

    /// @inheritdoc ICapacity
    function availableUnits(uint32 site, uint32 startHour, uint16 hours_) external view returns (uint64) {
        require(hours_ != 0 && hours_ <= HOURS_MAX, Capacity_HoursOutOfRange(hours_, HOURS_MAX));
        if (_sites[site].validUntil_s < (uint256(startHour) + hours_) * 1 hours) return 0;
        uint256 most = 0;
        for (uint32 i = 0; i < hours_; ++i) {
            most = Math.max(most, committedUnits(site, startHour + i));
        }
        return uint64(Math.saturatingSub(issuableUnits(site), most));
    }

    /// @inheritdoc ICapacity
    function totalSupply(uint256 product) public view override(ERC1155Supply, ICapacity) returns (uint256) {
        return super.totalSupply(product);
    }

    /// @notice ERC-1155 metadata of a product as a `data:` URI, decoded from the id alone.
    function uri(uint256 product) public pure override(ERC1155, IERC1155MetadataURI) returns (string memory) {
        return ProductText.uri(ProductId.wrap(product));
    }
}
