// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {Sites} from "./Sites.sol";

contract Capacity_merge_Test is Sites {
    uint256 private constant TRANSACTION_GAS_MAX = 2 ** 24;

    function _split(address owner, uint256 product, uint64 units) private {
        vm.prank(owner);
        capacity.split(site, product, units);
    }

    function _merge(address owner, uint32 site_, uint256 product, uint64 units) private {
        vm.prank(owner);
        capacity.merge(site_, product, units);
    }

    /// @dev There and back, all of it: as if nothing had happened.
    function testFuzz_merge_undoesASplit(uint256 seed, uint64 units) public {
        uint256 product = anyProduct(seed, 2, 48);
        units = uint64(bound(units, 1, CAP));
        issueTo(buyer.addr, provider.addr, site, product, units);
        uint256 bond = bondOf(site, product);
        uint256 cash = treasury.cashOf(buyer.addr);
        _split(buyer.addr, product, units);

        vm.expectEmit(address(capacity));
        emit ICapacity.Merged(site, product, buyer.addr, units);
        _merge(buyer.addr, site, product, units);
        assertEq(capacity.balanceOf(buyer.addr, product), units);
        assertEq(capacity.totalSupply(product), units);
        assertEq(owedBy(site, product), units);
        assertEq(bondOf(site, product), bond);
        assertEq(treasury.cashOf(buyer.addr), cash);
        for (uint256 i = 0; i < hoursOf(product); ++i) {
            uint256 hour = hourOf(product, i);
            assertEq(capacity.totalSupply(hour), 0);
            assertEq(owedBy(site, hour), 0);
            assertEq(bondOf(site, hour), 0);
        }
        assertCommitted(site, product, units);
    }

    /// @dev There and back, in parts: no bond is lost or won, and rounding costs the caller one micro at most.
    function testFuzz_merge_losesNoBond(uint256 seed, uint64 minted, uint64 split, uint64 merged) public {
        uint256 product = anyProduct(seed, 2, 12);
        minted = uint64(bound(minted, 1, CAP));
        split = uint64(bound(split, 1, minted));
        merged = uint64(bound(merged, 1, split));
        issueTo(buyer.addr, provider.addr, site, product, minted);
        uint256 bond = bondOf(site, product);
        uint256 cash = treasury.cashOf(buyer.addr);
        _split(buyer.addr, product, split);
        uint256 standing = bondOf(site, product);
        _merge(buyer.addr, site, product, merged);

        uint256 after_ = bondOf(site, product);
        for (uint256 i = 0; i < hoursOf(product); ++i) {
            after_ += bondOf(site, hourOf(product, i));
        }
        uint256 paid = cash - treasury.cashOf(buyer.addr);
        assertEq(after_, bond + paid);
        assertLe(paid, hoursOf(product));
        if (minted != split) {
            assertGe(bondOf(site, product) * (minted - split), standing * owedBy(site, product), "diluted");
        }
    }

    /// @dev Hours that were bought one by one make a window that nobody minted.
    function test_merge_makesAWindowOfMintedHours() public {
        uint256 product = productIn(METRO, FRANKFURT, 1, 24, 4);
        for (uint256 i = 0; i < 4; ++i) {
            issueTo(buyer.addr, provider.addr, site, hourOf(product, i), uint64(10 + i));
        }
        _merge(buyer.addr, site, product, 10);
        assertEq(capacity.balanceOf(buyer.addr, product), 10);
        assertEq(bondOf(site, product), fullBond(product, 10));
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(capacity.committedUnits(site, startHourOf(product) + uint32(i)), 10 + i);
            assertEq(owedBy(site, hourOf(product, i)), i);
        }
    }

    /// @dev The window was sold at a price: units that join it bring as much.
    function testFuzz_merge_addsWhatTheWindowCarriesMore(uint16 tick, uint64 sold, uint64 units) public {
        tick = uint16(bound(tick, 1, 700));
        sold = uint64(bound(sold, MIN_UNITS, 200));
        units = uint64(bound(units, 1, 200));
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 3);
        sell(site, product, tick, sold);
        for (uint256 i = 0; i < 3; ++i) {
            issueTo(reseller.addr, provider.addr, site, hourOf(product, i), units);
        }
        uint256 before = bondOf(site, product);
        uint256 cash = treasury.cashOf(reseller.addr);
        uint256 undiluted = (before * units + sold - 1) / sold;
        uint256 brought = fullBond(product, units);
        uint256 added = undiluted > brought ? undiluted - brought : 0;
        if (added != 0) {
            vm.expectEmit(address(delivery));
            emit IDelivery.BondPosted(reseller.addr, added);
        }
        _merge(reseller.addr, site, product, units);
        assertEq(bondOf(site, product), before + brought + added);
        assertGe(bondOf(site, product) * sold, before * owedBy(site, product), "diluted");
        assertEq(treasury.cashOf(reseller.addr), cash - added);
    }

    function test_merge_fitsATransactionWhen_windowIsLongest() public {
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 168);
        issueTo(buyer.addr, provider.addr, site, product, 10);
        _split(buyer.addr, product, 10);
        _merge(buyer.addr, site, product, 9);
        assertLt(vm.lastCallGas().gasTotalUsed, TRANSACTION_GAS_MAX);
    }

    function test_merge_worksWhen_issuingIsPaused() public {
        issueTo(buyer.addr, provider.addr, site, tomorrow(), 10);
        _split(buyer.addr, tomorrow(), 10);
        vm.prank(guardian);
        capacity.setIssuePaused(true);
        _merge(buyer.addr, site, tomorrow(), 10);
    }

    /* REVERTS */

    function testFuzz_merge_revertsWhen_productIsMalformed(uint256 product, uint64 units) public {
        product |= 1 << 88;
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, product));
        _merge(buyer.addr, site, product, units);
    }

    function testFuzz_merge_revertsWhen_windowIsOneHour(uint256 seed, uint64 units) public {
        uint256 product = anyProduct(seed, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NotAWindow.selector, product));
        _merge(buyer.addr, site, product, units);
    }

    function test_merge_revertsWhen_windowHasStarted() public {
        uint256 product = tomorrow();
        issueTo(buyer.addr, provider.addr, site, product, 10);
        _split(buyer.addr, product, 10);
        goTo(startOf(product));
        vm.expectRevert(
            abi.encodeWithSelector(ICapacity.Capacity_WindowStarted.selector, startOf(product), startOf(product))
        );
        _merge(buyer.addr, site, product, 10);
    }

    function test_merge_revertsWhen_unitsAreZero() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_ZeroUnits.selector));
        _merge(buyer.addr, site, tomorrow(), 0);
    }

    /// @dev One hour of the window is owed by another site.
    function testFuzz_merge_revertsWhen_siteOwesLessOfAnHour(uint256 index) public {
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 4);
        index = bound(index, 0, 3);
        for (uint256 i = 0; i < 4; ++i) {
            if (i == index) issueTo(buyer.addr, rival.addr, rivalSite, hourOf(product, i), 10);
            else issueTo(buyer.addr, provider.addr, site, hourOf(product, i), 10);
        }
        vm.expectRevert(
            abi.encodeWithSelector(
                IDelivery.Delivery_InsufficientObligation.selector, hourOf(product, index), site, 0, 10
            )
        );
        _merge(buyer.addr, site, product, 10);
    }

    function testFuzz_merge_revertsWhen_anHourIsNotHeld(uint256 index) public {
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 4);
        uint256 hour = hourOf(product, bound(index, 0, 3));
        issueTo(buyer.addr, provider.addr, site, product, 10);
        _split(buyer.addr, product, 10);
        vm.prank(buyer.addr);
        capacity.safeTransferFrom(buyer.addr, thief.addr, hour, 1, "");
        vm.expectRevert(
            abi.encodeWithSelector(IERC1155Errors.ERC1155InsufficientBalance.selector, buyer.addr, 9, 10, hour)
        );
        _merge(buyer.addr, site, product, 10);
    }

    function test_merge_revertsWhen_anOfferWaitsForTheWindow() public {
        uint256 product = tomorrow();
        issueTo(buyer.addr, provider.addr, site, product, 10);
        _split(buyer.addr, product, 10);
        offerAs(provider.addr, site, product, TICK, MIN_UNITS);
        vm.expectRevert(
            abi.encodeWithSelector(IDelivery.Delivery_OffersUnsettled.selector, product, site, exchange.currentRound())
        );
        _merge(buyer.addr, site, product, 10);
    }

    function test_merge_revertsWith_theFirstOfSeveral() public {
        uint256 startedHour = productIn(HUB, EU_WEST, 2, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NotAWindow.selector, startedHour));
        _merge(thief.addr, 99, startedHour, 0);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_ZeroUnits.selector));
        _merge(thief.addr, 99, tomorrow(), 0);
    }

    /* OWNERS THAT ARE CONTRACTS */

    function test_merge_isDoneWhen_theContractIsCalledBack() public {
        Puppet puppet = new Puppet();
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 3);
        issueTo(address(puppet), provider.addr, site, product, 10);
        puppet.act(address(capacity), abi.encodeCall(ICapacity.split, (site, product, 10)));
        puppet.plan(address(capacity), abi.encodeCall(ICapacity.merge, (site, product, 5)));
        puppet.plan(address(delivery), abi.encodeCall(IDelivery.redeem, (product, site, 6, "")));
        puppet.act(address(capacity), abi.encodeCall(ICapacity.merge, (site, product, 6)));
        assertFalse(puppet.answerOf(0).done);
        assertTrue(puppet.answerOf(1).done);
        assertEq(owedBy(site, product), 0);
        assertEq(owedBy(site, hourOf(product, 2)), 4);
        assertEq(capacity.totalSupply(product), 0);
        assertCommitted(site, product, 10);
    }

    function test_merge_revertsWhen_theContractRefuses() public {
        Puppet puppet = new Puppet();
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 3);
        issueTo(address(puppet), provider.addr, site, product, 10);
        puppet.act(address(capacity), abi.encodeCall(ICapacity.split, (site, product, 10)));
        puppet.setManner(Puppet.Manner.ANSWER_WRONG);
        vm.expectRevert(abi.encodeWithSelector(IERC1155Errors.ERC1155InvalidReceiver.selector, address(puppet)));
        puppet.act(address(capacity), abi.encodeCall(ICapacity.merge, (site, product, 10)));
        assertEq(owedBy(site, hourOf(product, 1)), 10);
    }
}
