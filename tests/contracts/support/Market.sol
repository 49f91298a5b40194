// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {TestDollar} from "../../../contracts/dev/TestDollar.sol";
import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {Kind} from "../../../contracts/types/Order.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {SignedOrder} from "../../../contracts/types/SignedOrder.sol";
import {OrderTerms} from "./OrderTerms.sol";
import {Test} from "./Test.sol";

/// @title Market
/// @notice Deploys and wires the five contracts as production does, with production's periods, seeds a small standard,
/// and gives tests the people of a market and their usual acts.
abstract contract Market is Test {
    uint64 internal constant STANDARDS = 1;
    uint64 internal constant AUDITOR = 2;
    uint64 internal constant ARBITER = 3;
    uint64 internal constant GUARDIAN = 4;

    uint256 internal constant ROUND = 60;
    uint256 internal constant LEAD = 600;

    uint8 internal constant AI_LARGE = 1;
    uint16 internal constant FRANKFURT = 11;
    uint16 internal constant PARIS = 12;
    uint16 internal constant EU_WEST = 10;
    uint16 internal constant US_EAST = 20;
    uint32 internal constant TICK_SIZE = 4;
    uint32 internal constant MIN_UNITS = 10;
    uint64 internal constant BOND_PRICE = 2000;
    /// @dev A price near 2,000 micro: (128 + 122) * 2 * 4.
    uint16 internal constant TICK = 250;
    bytes32 internal constant H100 = keccak256("H100 SXM5 80GB");
    /// @dev 2^20 micro dollars each: a million.
    uint256 internal constant FUNDS = 1_000_000e6;

    AccessManager internal authority;
    TestDollar internal dollar;
    IStandard internal standard;
    ICapacity internal capacity;
    ITreasury internal treasury;
    IExchange internal exchange;
    IDelivery internal delivery;

    User internal provider;
    User internal buyer;
    User internal reseller;
    User internal thief;
    address internal committee;
    address internal auditor;
    address internal arbiter;
    address internal guardian;

    function setUp() public virtual {
        (committee, auditor, arbiter, guardian) =
        (makeAddr("committee"), makeAddr("auditor"), makeAddr("arbiter"), makeAddr("guardian"));
        (provider, buyer) = (makeUser("provider"), makeUser("buyer"));
        (reseller, thief) = (makeUser("reseller"), makeUser("thief"));
        _deploy(IERC20(address(new TestDollar())));
        _grant();
        _seedStandard();
        fund(provider.addr, FUNDS);
        fund(buyer.addr, FUNDS);
        fund(reseller.addr, FUNDS);
        skip(ROUND - block.timestamp % ROUND);
    }

    /* DEPLOY */

    /// @dev Addresses are predicted from the deployer's nonce, as in production: all wiring is immutable.
    function _deploy(IERC20 token) internal {
        dollar = TestDollar(address(token));
        authority = new AccessManager(address(this));
        uint256 nonce = vm.getNonce(address(this));
        address exchangeAt = vm.computeCreateAddress(address(this), nonce + 3);
        address deliveryAt = vm.computeCreateAddress(address(this), nonce + 4);
        standard = IStandard(_deployed("Standard", abi.encode(authority, exchangeAt)));
        capacity = ICapacity(_deployed("Capacity", abi.encode(authority, standard, exchangeAt, deliveryAt)));
        treasury = ITreasury(_deployed("Treasury", abi.encode(token, exchangeAt, deliveryAt)));
        exchange = IExchange(
            _deployed("Exchange", abi.encode(authority, standard, capacity, treasury, deliveryAt, ROUND, LEAD))
        );
        delivery = IDelivery(
            _deployed("Delivery", abi.encode(authority, standard, capacity, treasury, exchangeAt, productionTerms()))
        );
        assertEq(address(delivery), deliveryAt);
    }

    /// @dev The bytecode that production deploys, as scripts/build left it.
    function _deployed(string memory name, bytes memory arguments) private returns (address) {
        return vm.deployCode(string.concat("out/contracts/", name, ".sol/", name, ".json"), arguments);
    }

    function productionTerms() internal pure returns (IDelivery.Terms memory) {
        return IDelivery.Terms({
            reportPeriod_s: 24 hours,
            disputePeriod_s: 24 hours,
            rulingPeriod_s: 72 hours,
            grace_s: 1 hours,
            penaltyMarginBp: 1000,
            disputeDepositBp: 500,
            deratingFloorBp: 2000
        });
    }

    function _grant() private {
        authority.grantRole(STANDARDS, committee, 0);
        authority.grantRole(AUDITOR, auditor, 0);
        authority.grantRole(ARBITER, arbiter, 0);
        authority.grantRole(GUARDIAN, guardian, 0);
        bytes4[] memory selectors = new bytes4[](3);
        (selectors[0], selectors[1], selectors[2]) =
        (IStandard.setClass.selector, IStandard.rate.selector, IStandard.setArea.selector);
        authority.setTargetFunctionRole(address(standard), selectors, STANDARDS);
        _restrict(address(capacity), ICapacity.attest.selector, AUDITOR);
        _restrict(address(capacity), ICapacity.setIssuePaused.selector, GUARDIAN);
        _restrict(address(exchange), IExchange.setOrdersPaused.selector, GUARDIAN);
        _restrict(address(delivery), IDelivery.rule.selector, ARBITER);
    }

    function _restrict(address target, bytes4 selector, uint64 role) private {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        authority.setTargetFunctionRole(target, selectors, role);
    }

    function _seedStandard() private {
        vm.startPrank(committee);
        standard.setClass(
            AI_LARGE, IStandard.ClassTerms("AI_LARGE", "1/1000 H100", 80, TICK_SIZE, MIN_UNITS, BOND_PRICE)
        );
        standard.rate("H100 SXM5 80GB", AI_LARGE, 1_000_000, 1, keccak256("evidence"));
        standard.setArea(EU_WEST, 0, "EU West");
        standard.setArea(US_EAST, 0, "US East");
        standard.setArea(FRANKFURT, EU_WEST, "Frankfurt");
        standard.setArea(PARIS, EU_WEST, "Paris");
        vm.stopPrank();
    }

    /* PEOPLE */

    /// @dev Gives a wallet money, an allowance for the treasury, and half of it as free cash.
    function fund(address owner, uint256 amount) internal {
        dollar.mint(owner, amount);
        vm.startPrank(owner);
        dollar.approve(address(treasury), type(uint256).max);
        treasury.deposit(amount / 2);
        vm.stopPrank();
    }

    /// @dev A site in Frankfurt, attested for everything until far away.
    function attestedSite(address owner, uint32 devices) internal returns (uint32 site) {
        vm.prank(owner);
        site = capacity.registerSite(H100, devices, AI_LARGE, FRANKFURT, "https://example.org/site");
        vm.prank(auditor);
        capacity.attest(
            site, uint64(devices) * 1000, 3, keccak256("measured"), uint64(vm.getBlockTimestamp() + 365 days)
        );
    }

    /* PRODUCTS AND ROUNDS */

    /// @dev A window that starts `inHours` full hours from now.
    function productIn(uint8 tier, uint16 area, uint8 grade, uint256 inHours, uint16 length)
        internal
        view
        returns (uint256)
    {
        uint256 startHour = vm.getBlockTimestamp() / 1 hours + inHours;
        return (uint256(AI_LARGE) << 80) | (uint256(tier) << 72) | (uint256(area) << 56) | (uint256(grade) << 48)
            | (startHour << 16) | length;
    }

    /// @dev Tomorrow's 24 hours in the EU West hub, grade STANDARD.
    function tomorrow() internal view returns (uint256) {
        return productIn(2, EU_WEST, 2, 24, 24);
    }

    function nextRound() internal returns (uint64 ended) {
        ended = uint64(vm.getBlockTimestamp() / ROUND);
        skip(ROUND - vm.getBlockTimestamp() % ROUND);
    }

    /// @dev The clock at `timestamp`, one block on.
    function goTo(uint256 timestamp) internal {
        vm.warp(timestamp);
        vm.roll(vm.getBlockNumber() + 1);
    }

    function startOf(uint256 product) internal pure returns (uint256) {
        return ProductId.wrap(product).startOf();
    }

    function endOf(uint256 product) internal pure returns (uint256) {
        return ProductId.wrap(product).endOf();
    }

    /* ACTS */

    function bidAs(address owner, uint256 product, uint16 tick, uint64 units) internal returns (uint32) {
        vm.prank(owner, owner);
        return exchange.bid(product, tick, units);
    }

    function askAs(address owner, uint256 product, uint16 tick, uint64 units) internal returns (uint32) {
        vm.prank(owner);
        return exchange.ask(product, tick, units);
    }

    function offerAs(address owner, uint32 site, uint256 product, uint16 tick, uint64 units) internal returns (uint32) {
        vm.prank(owner);
        return exchange.offer(site, product, tick, units);
    }

    function mintAs(address owner, uint32 site, uint256 product, uint64 units) internal {
        vm.prank(owner);
        capacity.mint(site, product, units);
    }

    /// @dev `0, 1, … count - 1`.
    function firstIndices(uint256 count) internal pure returns (uint32[] memory indices) {
        indices = new uint32[](count);
        for (uint256 i = 0; i < count; ++i) {
            indices[i] = uint32(i);
        }
    }

    function settleAll(uint256 product, uint64 round) internal {
        (, uint32 count,,,) = exchange.bookOf(product);
        exchange.settle(product, round, firstIndices(count));
    }

    /// @dev The buyer bids and the site offers the same at one tick; the round is cleared and settled.
    function sell(uint32 site, uint256 product, uint16 tick, uint64 units) internal {
        offerAs(provider.addr, site, product, tick, units);
        bidAs(buyer.addr, product, tick, units);
        uint64 round = nextRound();
        exchange.clear(product, round);
        settleAll(product, round);
    }

    /* SIGNED ORDERS */

    function signedBid(User memory owner, uint256 product, uint16 tick, uint64 units, uint8 index)
        internal
        view
        returns (SignedOrder memory)
    {
        return signed(owner, Kind.BID, 0, product, tick, units, index);
    }

    function signed(User memory owner, Kind kind, uint32 site, uint256 product, uint16 tick, uint64 units, uint8 index)
        internal
        view
        returns (SignedOrder memory)
    {
        (, uint32 epoch,,) = treasury.accountOf(owner.addr);
        OrderTerms memory order = OrderTerms({
            owner: owner.addr,
            kind: uint8(kind),
            site: site,
            product: product,
            tick: tick,
            units: units,
            round: exchange.currentRound(),
            index: index,
            epoch: epoch
        });
        (bytes32 r, bytes32 vs) = vm.signCompact(owner.key, digestOf(order));
        return order.pack(abi.encodePacked(r, vs));
    }

    function digestOf(OrderTerms memory order) internal view returns (bytes32) {
        (, string memory name, string memory version, uint256 chainId, address verifier,,) =
            IERC5267(address(exchange)).eip712Domain();
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chainId,
                verifier
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, order.hashStruct()));
    }
}
