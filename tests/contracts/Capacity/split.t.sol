// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {Sites} from "./Sites.sol";

contract Capacity_split_Test is Sites {
    uint256 private constant TRANSACTION_GAS_MAX = 2 ** 24;

    function _split(address owner, uint32 site_, uint256 product, uint64 units) private {
        vm.prank(owner);
        capacity.split(site_, product, units);
    }

    function testFuzz_split_turnsAWindowIntoItsHours(uint256 seed, uint64 minted, uint64 units) public {
        uint256 product = anyProduct(seed, 2, 48);
        minted = uint64(bound(minted, 1, CAP));
        units = uint64(bound(units, 1, minted));
        issueTo(buyer.addr, provider.addr, site, product, minted);
        uint256 bond = bondOf(site, product);
        uint256 share = shareOf(site, product, units);

        vm.expectEmit(address(capacity));
        emit ICapacity.Split(site, product, buyer.addr, units);
        vm.expectEmit(address(delivery));
        emit IDelivery.Discharged(product, site, units, share);
        _split(buyer.addr, site, product, units);

        assertEq(capacity.balanceOf(buyer.addr, product), minted - units);
        assertEq(owedBy(site, product), minted - units);
        assertEq(bondOf(site, product), bond - share);
        uint256 moved = 0;
        for (uint256 i = 0; i < hoursOf(product); ++i) {
            uint256 hour = hourOf(product, i);
            assertEq(capacity.balanceOf(buyer.addr, hour), units);
            assertEq(capacity.totalSupply(hour), units);
            assertEq(owedBy(site, hour), units);
            uint256 part = bondOf(site, hour);
            assertGe(part, share / hoursOf(product));
            assertLe(part, share / hoursOf(product) + 1);
            moved += part;
        }
        assertEq(moved, share, "bond");
        assertCommitted(site, product, minted);
    }

    /// @dev The same amounts of the same hours: nothing is paid, nothing is freed.
    function testFuzz_split_costsNothingWhen_hoursAreFresh(uint256 seed, uint64 units) public {
        uint256 product = anyProduct(seed, 2, 24);
        units = uint64(bound(units, 1, CAP));
        issueTo(thief.addr, provider.addr, site, product, units);
        assertEq(treasury.cashOf(thief.addr), 0);
        _split(thief.addr, site, product, units);
        assertEq(capacity.availableUnits(site, startHourOf(product), hoursOf(product)), CAP - units);
    }

    /// @dev One of the hours was sold at some price before: the caller adds what its units there lack, for nobody's
    /// claim to shrink.
    function testFuzz_split_addsWhatAnHourCarriesMore(uint16 tick, uint64 sold, uint64 units, uint256 index) public {
        tick = uint16(bound(tick, 1, 700));
        sold = uint64(bound(sold, MIN_UNITS, 500));
        units = uint64(bound(units, 1, 500));
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 5);
        uint256 hour = hourOf(product, bound(index, 0, 4));
        sell(site, hour, tick, sold);
        issueTo(reseller.addr, provider.addr, site, product, units);
        uint256 before = bondOf(site, hour);
        uint256 share = bondOf(site, product);
        uint256 cash = treasury.cashOf(reseller.addr);

        // Every part of this share is the same: 2,200 micro a unit-hour.
        uint256 part = share / 5;
        assertEq(part * 5, share);
        uint256 undiluted = (before * units + sold - 1) / sold;
        uint256 added = undiluted > part ? undiluted - part : 0;
        if (added != 0) {
            vm.expectEmit(address(delivery));
            emit IDelivery.BondPosted(reseller.addr, added);
        }
        _split(reseller.addr, site, product, units);

        assertEq(bondOf(site, hour), before + part + added);
        assertGe(bondOf(site, hour) * sold, before * owedBy(site, hour), "diluted");
        assertEq(treasury.cashOf(reseller.addr), cash - added);
    }

    function test_split_revertsWhen_theAdditionIsNotCovered() public {
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 5);
        sell(site, hourOf(product, 3), 700, 100);
        issueTo(thief.addr, provider.addr, site, product, 100);
        uint256 added = bondOf(site, hourOf(product, 3)) - bondOf(site, product) / 5;
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, thief.addr, 0, added));
        _split(thief.addr, site, product, 100);
        assertEq(capacity.balanceOf(thief.addr, product), 100);
        dollar.mint(thief.addr, added);
        vm.prank(thief.addr);
        dollar.approve(address(treasury), added);
        _split(thief.addr, site, product, 100);
        assertEq(capacity.balanceOf(thief.addr, hourOf(product, 3)), 100);
    }

    /// @dev Whose units they were does not matter, only which site owes them.
    function test_split_movesTheObligationOfTheNamedSite() public {
        uint256 product = tomorrow();
        issueTo(buyer.addr, provider.addr, site, product, 10);
        issueTo(reseller.addr, rival.addr, rivalSite, product, 10);
        _split(buyer.addr, rivalSite, product, 10);
        assertEq(owedBy(site, product), 10);
        assertEq(owedBy(rivalSite, product), 0);
        assertEq(owedBy(rivalSite, hourOf(product, 0)), 10);
    }

    /// @dev The later hours can be redeemed when the window has begun long ago.
    function test_split_keepsLaterHoursRedeemable() public {
        uint256 product = tomorrow();
        issueTo(buyer.addr, provider.addr, site, product, 10);
        _split(buyer.addr, site, product, 10);
        goTo(startOf(product) + 20 hours);
        vm.prank(buyer.addr);
        delivery.redeem(hourOf(product, 23), site, 10, "");
        assertCommitted(site, product, 10);
    }

    function test_split_worksWhen_issuingIsPaused() public {
        issueTo(buyer.addr, provider.addr, site, tomorrow(), 10);
        vm.prank(guardian);
        capacity.setIssuePaused(true);
        _split(buyer.addr, site, tomorrow(), 10);
    }

    /// @dev The longest window, for an owner that holds none of its hours: EIP-7825's cap of 2^24 gas.
    function test_split_fitsATransactionWhen_windowIsLongest() public {
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 168);
        issueTo(buyer.addr, provider.addr, site, product, 10);
        _split(buyer.addr, site, product, 10);
        assertLt(vm.lastCallGas().gasTotalUsed, TRANSACTION_GAS_MAX);
    }

    /* REVERTS */

    function testFuzz_split_revertsWhen_productIsMalformed(uint256 product, uint64 units) public {
        product |= 1 << 88;
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, product));
        _split(buyer.addr, site, product, units);
    }

    function testFuzz_split_revertsWhen_windowIsOneHour(uint256 seed, uint64 units) public {
        uint256 product = anyProduct(seed, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NotAWindow.selector, product));
        _split(buyer.addr, site, product, units);
    }

    function test_split_revertsWhen_windowHasStarted() public {
        uint256 product = tomorrow();
        issueTo(buyer.addr, provider.addr, site, product, 10);
        goTo(startOf(product));
        vm.expectRevert(
            abi.encodeWithSelector(ICapacity.Capacity_WindowStarted.selector, startOf(product), startOf(product))
        );
        _split(buyer.addr, site, product, 10);
        goTo(startOf(product) - 1);
        _split(buyer.addr, site, product, 10);
    }

    function test_split_revertsWhen_unitsAreZero() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_ZeroUnits.selector));
        _split(buyer.addr, site, tomorrow(), 0);
    }

    function testFuzz_split_revertsWhen_siteOwesLess(uint64 owed, uint64 units) public {
        owed = uint64(bound(owed, 0, 100));
        units = uint64(bound(units, owed + 1, 200));
        uint256 product = tomorrow();
        if (owed != 0) mintAs(provider.addr, site, product, owed);
        issueTo(buyer.addr, rival.addr, rivalSite, product, units);
        vm.expectRevert(
            abi.encodeWithSelector(IDelivery.Delivery_InsufficientObligation.selector, product, site, owed, units)
        );
        _split(buyer.addr, site, product, units);
    }

    function testFuzz_split_revertsWhen_unitsAreNotHeld(uint64 had, uint64 units) public {
        had = uint64(bound(had, 0, 99));
        units = uint64(bound(units, had + 1, 100));
        uint256 product = tomorrow();
        mintAs(provider.addr, site, product, 100);
        vm.prank(provider.addr);
        capacity.safeTransferFrom(provider.addr, thief.addr, product, had, "");
        vm.expectRevert(
            abi.encodeWithSelector(IERC1155Errors.ERC1155InsufficientBalance.selector, thief.addr, had, units, product)
        );
        _split(thief.addr, site, product, units);
    }

    function testFuzz_split_revertsWhen_anOfferWaitsForAnHour(uint256 index) public {
        uint256 product = tomorrow();
        uint256 hour = hourOf(product, bound(index, 0, 23));
        issueTo(buyer.addr, provider.addr, site, product, 10);
        offerAs(provider.addr, site, hour, TICK, MIN_UNITS);
        uint64 round = exchange.currentRound();
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_OffersUnsettled.selector, hour, site, round));
        _split(buyer.addr, site, product, 10);
        // Anyone may settle it, sold or not; and an offer of the window itself is no obstacle.
        nextRound();
        exchange.clear(hour, round);
        settleAll(hour, round);
        offerAs(provider.addr, site, product, TICK, MIN_UNITS);
        _split(buyer.addr, site, product, 10);
    }

    function test_split_revertsWith_theFirstOfSeveral() public {
        uint256 startedHour = productIn(HUB, EU_WEST, 2, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NotAWindow.selector, startedHour));
        _split(thief.addr, 99, startedHour, 0);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_ZeroUnits.selector));
        _split(thief.addr, 99, tomorrow(), 0);
    }

    /* OWNERS THAT ARE CONTRACTS */

    function test_split_asksAContract() public {
        Puppet puppet = new Puppet();
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 3);
        issueTo(address(puppet), provider.addr, site, product, 10);
        puppet.act(address(capacity), abi.encodeCall(ICapacity.split, (site, product, 10)));
        assertEq(puppet.received(), 10 + 3 * 10);
    }

    function testFuzz_split_revertsWhen_theContractRefuses(bool reverts) public {
        Puppet puppet = new Puppet();
        uint256 product = tomorrow();
        issueTo(address(puppet), provider.addr, site, product, 10);
        puppet.setManner(reverts ? Puppet.Manner.REVERT : Puppet.Manner.ANSWER_WRONG);
        vm.expectRevert(
            reverts
                ? abi.encodeWithSelector(Puppet.Puppet_Refuses.selector)
                : abi.encodeWithSelector(IERC1155Errors.ERC1155InvalidReceiver.selector, address(puppet))
        );
        puppet.act(address(capacity), abi.encodeCall(ICapacity.split, (site, product, 10)));
        assertEq(owedBy(site, product), 10);
        assertEq(capacity.balanceOf(address(puppet), product), 10);
    }

    /// @dev Called back in the middle of things, a contract finds the window gone and the hours there: it can merge them
    /// back, redeem one, and split no more than it has.
    function test_split_isDoneWhen_theContractIsCalledBack() public {
        Puppet puppet = new Puppet();
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 3);
        issueTo(address(puppet), provider.addr, site, product, 10);
        puppet.plan(address(capacity), abi.encodeCall(ICapacity.split, (site, product, 6)));
        puppet.plan(address(capacity), abi.encodeCall(ICapacity.merge, (site, product, 4)));
        puppet.plan(address(delivery), abi.encodeCall(IDelivery.redeem, (hourOf(product, 1), site, 1, "")));
        puppet.act(address(capacity), abi.encodeCall(ICapacity.split, (site, product, 5)));
        assertFalse(puppet.answerOf(0).done);
        assertTrue(puppet.answerOf(1).done);
        assertTrue(puppet.answerOf(2).done);
        assertEq(capacity.balanceOf(address(puppet), product), 9);
        assertEq(owedBy(site, product), 9);
        assertEq(capacity.balanceOf(address(puppet), hourOf(product, 0)), 1);
        assertEq(owedBy(site, hourOf(product, 0)), 1);
        assertEq(owedBy(site, hourOf(product, 1)), 0);
        assertCommitted(site, product, 10);
    }

    /// @dev "more than one hour and has not begun; units is not zero": the clock is looked at first.
    function test_split_revertsWith_theClockBeforeTheUnits() public {
        uint256 started = productIn(HUB, EU_WEST, 2, 0, 2);
        bytes memory expected =
            abi.encodeWithSelector(ICapacity.Capacity_WindowStarted.selector, startOf(started), vm.getBlockTimestamp());
        vm.startPrank(thief.addr);
        vm.expectRevert(expected);
        capacity.split(site, started, 0);
        vm.expectRevert(expected);
        capacity.merge(site, started, 0);
        vm.expectRevert(expected);
        capacity.relax(site, started, 0, WIDE);
        vm.stopPrank();
    }
}
