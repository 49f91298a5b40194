// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignedOrder} from "../../../contracts/types/SignedOrder.sol";
import {Market} from "../support/Market.sol";

/// @title Lifecycle
/// @notice What each step of an order's life costs, as whole transactions: intrinsic gas, calldata and refunds included.
/// `scripts/gas` writes snapshots/Lifecycle.json from it; a test run fails when a figure drifts from that file.
contract LifecycleTest is Market {
    uint256 private product;
    uint32 private site;

    function setUp() public override {
        super.setUp();
        site = attestedSite(provider.addr, 4_000_000);
        product = tomorrow();
    }

    function _snap(string memory name) private {
        vm.snapshotGasLastCall("Lifecycle", name);
    }

    /* MONEY */

    function test_gas_deposit_and_withdraw() public {
        vm.prank(buyer.addr);
        treasury.deposit(5e6);
        _snap("deposit_next");
        vm.prank(buyer.addr);
        treasury.withdraw(5e6, buyer.addr);
        _snap("withdraw");
    }

    /* ONE ORDER AT A TIME */

    function test_gas_bid() public {
        bidAs(buyer.addr, product, TICK, 400);
        _snap("bid_first");
        bidAs(buyer.addr, product, TICK, 400);
        _snap("bid_next");
    }

    function test_gas_ask() public {
        mintAs(provider.addr, site, product, 2000);
        vm.prank(provider.addr);
        capacity.safeTransferFrom(provider.addr, reseller.addr, product, 1500, "");
        askAs(reseller.addr, product, TICK, 400);
        askAs(reseller.addr, product, TICK, 400);
        _snap("ask_next");
    }

    function test_gas_offer() public {
        offerAs(provider.addr, site, product, TICK, 400);
        _snap("offer_first");
        offerAs(provider.addr, site, product, TICK, 400);
        _snap("offer_next");
    }

    /* A HUNDRED SIGNED ORDERS */

    function test_gas_place_signed() public {
        User[] memory owners = _owners(100);
        exchange.placeSigned(_signedBids(owners), new uint32[](0));
        _snap("place_signed_100");
        assertEq(_orderCount(), 100);

        uint64 round = nextRound();
        exchange.clear(product, round);
        settleAll(product, round);
        exchange.placeSigned(_signedBids(owners), firstIndices(100));
        _snap("place_signed_100_recycled");
        assertEq(_orderCount(), 100);
    }

    /* CLEARING */

    /// @dev Every tick of 32 slots a side, the same ticks on both: half of each side trades.
    function test_gas_clear_32() public {
        _spread(256, 512, 256, 512, 1);
        exchange.clear(product, nextRound());
        _snap("clear_32");
        _assertCleared(128 * 10);
    }

    /// @dev 32 slots a side of which every tick trades: the most that 32 slots can cost.
    function test_gas_clear_32_all_trade() public {
        _spread(512, 768, 256, 512, 1);
        exchange.clear(product, nextRound());
        _snap("clear_32_all_trade");
        _assertCleared(256 * 10);
    }

    /// @dev All 1,023 ticks on both sides: all 128 slots of eight ticks.
    function test_gas_clear_full() public {
        _spread(1, 1024, 1, 1024, 1);
        exchange.clear(product, nextRound());
        _snap("clear_full");
        _assertCleared(512 * 10);
    }

    function test_gas_clear_100_orders() public {
        _spread(400, 450, 400, 450, 1);
        exchange.clear(product, nextRound());
        _snap("clear_100_orders");
        _assertCleared(25 * 10);
    }

    function test_gas_clear_10000_orders() public {
        _spread(400, 450, 400, 450, 100);
        assertEq(_orderCount(), 10_000);
        exchange.clear(product, nextRound());
        _snap("clear_10000_orders");
        _assertCleared(25 * 1000);
    }

    /* SETTLING */

    function test_gas_settle() public {
        User[] memory owners = _owners(100);
        uint64 round = _sellTo(owners, new uint32[](0));
        exchange.settle(product, round, firstIndices(100));
        _snap("settle_100_fresh");
        exchange.settle(product, round, _only(100));

        round = _sellTo(owners, firstIndices(100));
        exchange.settle(product, round, firstIndices(100));
        _snap("settle_100_warm");
        exchange.settle(product, round, _only(101));
        _snap("settle_offer");
        assertEq(capacity.balanceOf(owners[99].addr, product), 20);
    }

    /* ISSUING */

    function test_gas_mint_and_split() public {
        mintAs(provider.addr, site, product, 1000);
        _snap("mint_24h");
        vm.prank(provider.addr);
        capacity.split(site, product, 500);
        _snap("split_24h");
        vm.prank(provider.addr);
        capacity.merge(site, product, 500);
        _snap("merge_24h");
    }

    /* DELIVERY */

    function test_gas_deliver() public {
        sell(site, product, TICK, 1000);
        vm.startPrank(buyer.addr);
        delivery.redeem(product, site, 100, keccak256("job"));
        uint64 lease = delivery.redeem(product, site, 400, keccak256("job"));
        _snap("redeem");
        vm.stopPrank();
        goTo(endOf(product));
        vm.prank(provider.addr);
        delivery.report(lease, 400_000, keccak256("usage"));
        _snap("report");
        vm.prank(buyer.addr);
        delivery.accept(lease);
        _snap("accept");
        skip(24 hours + 1);
        delivery.resolve(1);
        _snap("resolve_refund");
    }

    /* HELPERS */

    function _owners(uint256 count) private returns (User[] memory owners) {
        owners = new User[](count);
        for (uint256 i = 0; i < count; ++i) {
            owners[i] = makeUser(string.concat("owner", vm.toString(i)));
            fund(owners[i].addr, 1000e6);
        }
    }

    /// @dev One bid of ten units each, over 32 ticks: 256 … 287.
    function _signedBids(User[] memory owners) private view returns (SignedOrder[] memory orders) {
        orders = new SignedOrder[](owners.length);
        for (uint256 i = 0; i < owners.length; ++i) {
            orders[i] = signedBid(owners[i], product, uint16(256 + i % 32), 10, 0);
        }
    }

    /// @dev Everyone's bid is filled below its limit: units and a refund for each.
    function _sellTo(User[] memory owners, uint32[] memory freeSlots) private returns (uint64 round) {
        exchange.placeSigned(_signedBids(owners), freeSlots);
        offerAs(provider.addr, site, product, 200, 2000);
        round = nextRound();
        exchange.clear(product, round);
    }

    function _only(uint32 index) private pure returns (uint32[] memory indices) {
        indices = new uint32[](1);
        indices[0] = index;
    }

    /// @dev `each` bids and asks of ten units at every tick of [bidFrom, bidTo) and [askFrom, askTo).
    function _spread(uint16 bidFrom, uint16 bidTo, uint16 askFrom, uint16 askTo, uint256 each) private {
        fund(buyer.addr, 1e18);
        fund(provider.addr, 1e18);
        mintAs(provider.addr, site, product, uint64((askTo - askFrom) * each * 10));
        for (uint256 i = 0; i < each; ++i) {
            for (uint16 tick = bidFrom; tick < bidTo; ++tick) {
                bidAs(buyer.addr, product, tick, 10);
            }
            for (uint16 tick = askFrom; tick < askTo; ++tick) {
                askAs(provider.addr, product, tick, 10);
            }
        }
    }

    function _assertCleared(uint256 units) private view {
        (bool cleared,, uint64 traded) = exchange.clearingOf(product, exchange.currentRound() - 1);
        assertTrue(cleared);
        assertEq(uint256(traded), units);
    }

    function _orderCount() private view returns (uint256) {
        (, uint32 count,,,) = exchange.bookOf(product);
        return count;
    }
}
