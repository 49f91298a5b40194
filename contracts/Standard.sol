// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IExchange} from "./interfaces/IExchange.sol";
import {IStandard} from "./interfaces/IStandard.sol";
import {HUB, METRO, ProductId} from "./types/ProductId.sol";

/// @title Standard
/// @notice Says what a unit is. Specified in {IStandard}.
contract Standard is IStandard, AccessManaged {
    /* IMMUTABLES */

    /// @inheritdoc IStandard
    IExchange public immutable exchange;

    /* STORAGE */

    mapping(uint8 class => ClassTerms) private _terms;
    // slither-disable-next-line uninitialized-state a list begins empty; {rate} pushes to it
    mapping(bytes32 device => mapping(uint8 class => Rating[])) private _ratings;
    /// @dev A metro's hub; a hub is its own.
    mapping(uint16 area => uint16 hub) private _hubs;

    constructor(address authority, IExchange exchange_) AccessManaged(authority) {
        exchange = exchange_;
    }

    /* WRITE THE STANDARD */

    /// @inheritdoc IStandard
    function setClass(uint8 class, ClassTerms calldata terms) external restricted {
        require(
            class != 0 && bytes(terms.name).length != 0 && terms.tickSizeMicro != 0 && terms.minOrderUnits != 0
                && terms.bondPriceMicro != 0,
            Standard_IncompleteTerms(class)
        );
        _terms[class] = terms;
        emit ClassSet(class, terms);
        exchange.adoptTerms(class, terms.tickSizeMicro, terms.minOrderUnits);
    }

    /// @inheritdoc IStandard
    function rate(string calldata device, uint8 class, uint64 milliUnits, uint8 basis, bytes32 evidence)
        external
        restricted
        returns (uint32 version)
    {
        bytes32 id = keccak256(bytes(device));
        require(_terms[class].tickSizeMicro != 0, Standard_UnknownClass(class));
        require(basis == uint8(Basis.MEASURED) || basis == uint8(Basis.DATASHEET), Standard_UnknownBasis(basis));
        require(milliUnits != 0, Standard_ZeroRating(id, class));

        Rating[] storage ratings = _ratings[id][class];
        // 2^32 ratings of one device in one class would fill 2^33 slots first.
        version = uint32(ratings.length + 1);
        ratings.push(Rating(milliUnits, Basis(basis), version, evidence));
        emit Rated(id, class, version, device, milliUnits, Basis(basis), evidence);
    }

    /// @inheritdoc IStandard
    function setArea(uint16 area, uint16 hub, string calldata name) external restricted {
        require(area != 0, Standard_AreaZero());
        require(_hubs[area] == 0, Standard_AreaTaken(area));
        require(hub == 0 || isHub(hub), Standard_NotAHub(hub));
        _hubs[area] = hub == 0 ? area : hub;
        emit AreaSet(area, hub, name);
    }

    /* READ IT */

    /// @inheritdoc IStandard
    function termsOf(uint8 class) external view returns (ClassTerms memory) {
        require(_terms[class].tickSizeMicro != 0, Standard_UnknownClass(class));
        return _terms[class];
    }

    /// @inheritdoc IStandard
    function ratingOf(bytes32 device, uint8 class) external view returns (Rating memory rating) {
        Rating[] storage ratings = _ratings[device][class];
        if (ratings.length != 0) rating = ratings[ratings.length - 1];
    }

    /// @inheritdoc IStandard
    function ratingAt(bytes32 device, uint8 class, uint32 version) external view returns (Rating memory) {
        Rating[] storage ratings = _ratings[device][class];
        require(
            version != 0 && version <= ratings.length,
            Standard_UnknownVersion(device, class, version, uint32(ratings.length))
        );
        return ratings[version - 1];
    }

    /// @inheritdoc IStandard
    function hubOf(uint16 metro) external view returns (uint16) {
        return isHub(metro) ? 0 : _hubs[metro];
    }

    /// @inheritdoc IStandard
    function isHub(uint16 area) public view returns (bool) {
        return area != 0 && _hubs[area] == area;
    }

    /// @inheritdoc IStandard
    function requireProduct(ProductId product)
        external
        view
        returns (uint32 tickSizeMicro, uint32 minOrderUnits, uint64 bondPriceMicro)
    {
        require(product.wellFormed(), Standard_MalformedProduct(product.raw()));
        ClassTerms storage terms = _terms[product.classOf()];
        tickSizeMicro = terms.tickSizeMicro;
        require(tickSizeMicro != 0, Standard_UnknownClass(product.classOf()));
        (minOrderUnits, bondPriceMicro) = (terms.minOrderUnits, terms.bondPriceMicro);

        uint8 tier = product.tierOf();
        uint16 area = product.areaOf();
        if (tier == METRO || tier == HUB) {
            uint16 hub = _hubs[area];
            require(hub != 0 && (hub == area) == (tier == HUB), Standard_WrongArea(tier, area));
        }
    }
}
