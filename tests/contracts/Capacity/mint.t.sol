// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {HookDollar} from "../support/tokens/HookDollar.sol";
import {Sites} from "./Sites.sol";

contract Capacity_mint_Test is Sites {
    function testFuzz_mint_issuesAgainstAFullBond(uint256 seed, uint64 units) public {
        uint256 product = anyProduct(seed, 1, 168);
        units = uint64(bound(units, 1, CAP));
        uint256 bond = fullBond(product, units);
        uint256 cash = treasury.cashOf(provider.addr);

        vm.expectEmit(address(capacity));
        emit ICapacity.Committed(site, product, units);
        vm.expectEmit(address(capacity));
        emit ICapacity.Minted(site, product, provider.addr, units);
        vm.expectEmit(address(delivery));
        emit IDelivery.Obliged(product, site, units, bond);
        vm.expectEmit(address(delivery));
        emit IDelivery.BondPosted(provider.addr, bond);
        vm.expectEmit(address(capacity));
        emit IERC1155.TransferSingle(provider.addr, address(0), provider.addr, product, units);
        mintAs(provider.addr, site, product, units);

        assertEq(capacity.balanceOf(provider.addr, product), units);
        assertEq(capacity.totalSupply(product), units);
        assertEq(owedBy(site, product), units);
        assertEq(bondOf(site, product), bond);
        assertEq(treasury.cashOf(provider.addr), cash - bond);
        assertCommitted(site, product, units);
        assertEq(capacity.availableUnits(site, startHourOf(product), hoursOf(product)), CAP - units);
    }

    /// @dev A bond price at which the margin is not whole: the bond is rounded up, and twice for two mints.
    function testFuzz_mint_roundsTheBondUp(uint256 seed, uint64 units, uint64 bondPrice) public {
        uint256 product = anyProduct(seed, 1, 24);
        units = uint64(bound(units, 1, 1000));
        bondPrice = uint64(bound(bondPrice, 1, 1_000_000));
        vm.prank(committee);
        standard.setClass(AI_LARGE, IStandard.ClassTerms("A", "", 80, TICK_SIZE, MIN_UNITS, bondPrice));
        mintAs(provider.addr, site, product, units);
        uint256 exact = uint256(units) * hoursOf(product) * bondPrice * 11_000;
        assertGe(bondOf(site, product) * ONE_BP, exact);
        assertLt(bondOf(site, product) * ONE_BP, exact + ONE_BP);
    }

    /// @dev Sold units carry their price: one minted beside them brings as much, and dilutes nobody.
    function testFuzz_mint_bringsWhatTheUnitsThereCarry(uint16 tick, uint64 sold, uint64 units) public {
        tick = uint16(bound(tick, 1, 600));
        sold = uint64(bound(sold, MIN_UNITS, 500));
        units = uint64(bound(units, 1, 500));
        uint256 product = tomorrow();
        sell(site, product, tick, sold);
        uint256 before = bondOf(site, product);

        uint256 undiluted = (before * units + sold - 1) / sold;
        uint256 full = fullBond(product, units);
        uint256 bond = undiluted > full ? undiluted : full;
        vm.expectEmit(address(delivery));
        emit IDelivery.BondPosted(provider.addr, bond);
        mintAs(provider.addr, site, product, units);
        assertEq(bondOf(site, product), before + bond);
        assertGe(bondOf(site, product) * sold, before * owedBy(site, product), "diluted");
    }

    /// @dev What the cash does not cover comes from the wallet.
    function test_mint_pullsTheShortfall() public {
        uint256 product = tomorrow();
        uint256 bond = fullBond(product, 10);
        uint256 cash = treasury.cashOf(provider.addr);
        vm.prank(provider.addr);
        treasury.withdraw(cash - bond + 1, provider.addr);
        uint256 wallet = dollar.balanceOf(provider.addr);
        mintAs(provider.addr, site, product, 10);
        assertEq(treasury.cashOf(provider.addr), 0);
        assertEq(dollar.balanceOf(provider.addr), wallet - 1);
    }

    function test_mint_worksUntil_theWindowStarts() public {
        uint256 product = productIn(HUB, EU_WEST, 2, 1, 1);
        goTo(startOf(product) - 1);
        mintAs(provider.addr, site, product, 1);
        goTo(startOf(product));
        _expectStarted(product);
        mintAs(provider.addr, site, product, 1);
    }

    function test_mint_worksWhen_attestationEndsWithTheWindow() public {
        uint256 product = tomorrow();
        attestAs(site, CAP, 3, endOf(product));
        mintAs(provider.addr, site, product, CAP);
        assertCommitted(site, product, CAP);
    }

    function _expectStarted(uint256 product) private {
        vm.expectRevert(
            abi.encodeWithSelector(ICapacity.Capacity_WindowStarted.selector, startOf(product), vm.getBlockTimestamp())
        );
    }

    /* HOURS */

    /// @dev Two windows that meet: the first hour that is too full is named.
    function testFuzz_mint_revertsWhen_anHourIsFull(uint256 seedA, uint256 seedB, uint64 a, uint64 b) public {
        (uint256 first, uint256 second) = (anyProduct(seedA, 1, 48), anyProduct(seedB, 1, 48));
        a = uint64(bound(a, 1, CAP));
        b = uint64(bound(b, 1, CAP));
        mintAs(provider.addr, site, first, a);
        uint256 meet = startHourOf(first) > startHourOf(second) ? startHourOf(first) : startHourOf(second);
        bool meets = meet < startHourOf(first) + hoursOf(first) && meet < startHourOf(second) + hoursOf(second);
        bool refused = meets && a + b > CAP;
        if (refused) {
            vm.expectRevert(
                abi.encodeWithSelector(ICapacity.Capacity_InsufficientCapacity.selector, site, meet, CAP - a, b)
            );
        }
        mintAs(provider.addr, site, second, b);
        for (uint32 hour = startHourOf(second); hour < startHourOf(second) + hoursOf(second); ++hour) {
            bool inFirst = hour >= startHourOf(first) && hour < startHourOf(first) + hoursOf(first);
            assertEq(capacity.committedUnits(site, hour), (inFirst ? a : 0) + (refused ? 0 : b));
        }
    }

    function testFuzz_mint_revertsWhen_unitsLeaveTheLane(uint64 units) public {
        units = uint64(bound(units, CAP + 1, type(uint64).max));
        uint256 product = tomorrow();
        vm.expectRevert(
            abi.encodeWithSelector(
                ICapacity.Capacity_InsufficientCapacity.selector, site, startHourOf(product), CAP, units
            )
        );
        mintAs(provider.addr, site, product, units);
    }

    /// @dev A full lane of 32 bits does not spill into its neighbour.
    function test_mint_fillsALaneToItsLastUnit() public {
        vm.startPrank(provider.addr);
        uint32 huge = capacity.registerSite(H100, type(uint32).max, AI_LARGE, FRANKFURT, "");
        vm.stopPrank();
        attestAs(huge, type(uint32).max, 3, vm.getBlockTimestamp() + 30 days);
        uint256 product = productIn(WIDE, 0, 3, 10, 1);
        dollar.mint(provider.addr, fullBond(product, type(uint32).max));
        mintAs(provider.addr, huge, product, type(uint32).max);
        assertCommitted(huge, product, type(uint32).max);
        vm.expectRevert(
            abi.encodeWithSelector(ICapacity.Capacity_InsufficientCapacity.selector, huge, startHourOf(product), 0, 1)
        );
        mintAs(provider.addr, huge, product, 1);
    }

    /* OFFERS AND MONEY */

    function test_mint_revertsWhen_anOfferWaits() public {
        uint256 product = tomorrow();
        offerAs(provider.addr, site, product, TICK, MIN_UNITS);
        uint64 round = exchange.currentRound();
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_OffersUnsettled.selector, product, site, round));
        mintAs(provider.addr, site, product, 1);
        // Another site's offer is no obstacle.
        mintAs(rival.addr, rivalSite, product, 1);

        nextRound();
        exchange.clear(product, round);
        settleAll(product, round);
        mintAs(provider.addr, site, product, 1);
    }

    function testFuzz_mint_revertsWhen_theBondIsNotCovered(uint256 seed, uint64 units) public {
        uint256 product = anyProduct(seed, 1, 168);
        units = uint64(bound(units, 1, CAP));
        uint256 bond = fullBond(product, units);
        uint256 cash = treasury.cashOf(provider.addr);
        vm.startPrank(provider.addr);
        treasury.withdraw(cash - bond + 1, thief.addr);
        dollar.approve(address(treasury), 0);
        vm.stopPrank();
        vm.expectRevert(_insufficientCash(provider.addr, bond - 1, bond));
        mintAs(provider.addr, site, product, units);
        assertEq(capacity.committedUnits(site, startHourOf(product)), 0);
    }

    function _insufficientCash(address owner, uint256 have, uint256 need) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, owner, have, need);
    }

    /* THE FIRST THAT FAILS */

    function _fails(address caller, uint32 site_, uint256 product, uint64 units, bytes memory expected) private {
        vm.expectRevert(expected);
        mintAs(caller, site_, product, units);
    }

    /// @dev Everything is wrong at first, and is put right one by one, in the order that the interface states.
    function test_mint_revertsWith_theFirstOfSeveral() public {
        addClass(2);
        attestAs(site, 50, 1, vm.getBlockTimestamp() + 10 hours);
        uint256 started = productIn(METRO, PARIS, 3, 0, 24);
        uint256 malformed = ofClass(started, 2) | (uint256(4) << 48);
        vm.prank(guardian);
        capacity.setIssuePaused(true);
        _fails(thief.addr, 99, malformed, 0, abi.encodeWithSelector(ICapacity.Capacity_IssuePaused.selector));
        vm.prank(guardian);
        capacity.setIssuePaused(false);
        _fails(thief.addr, 99, malformed, 0, abi.encodeWithSelector(ICapacity.Capacity_UnknownSite.selector, 99));
        bytes memory expected =
            abi.encodeWithSelector(ICapacity.Capacity_NotProvider.selector, site, thief.addr, provider.addr);
        _fails(thief.addr, site, malformed, 0, expected);
        _fails(provider.addr, site, malformed, 0, abi.encodeWithSelector(ICapacity.Capacity_ZeroUnits.selector));
        expected = abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, malformed);
        _fails(provider.addr, site, malformed, 100, expected);
        expected = abi.encodeWithSelector(ICapacity.Capacity_WrongClass.selector, site, 2, AI_LARGE);
        _fails(provider.addr, site, ofClass(started, 2), 100, expected);
        expected = abi.encodeWithSelector(ICapacity.Capacity_WrongArea.selector, site, PARIS, FRANKFURT);
        _fails(provider.addr, site, started, 100, expected);
        _laterOnes();
    }

    function _laterOnes() private {
        uint256 started = productIn(METRO, FRANKFURT, 3, 0, 24);
        bytes memory expected =
            abi.encodeWithSelector(ICapacity.Capacity_WindowStarted.selector, startOf(started), vm.getBlockTimestamp());
        _fails(provider.addr, site, started, 100, expected);
        uint256 product = productIn(METRO, FRANKFURT, 3, 1, 24);
        expected = abi.encodeWithSelector(ICapacity.Capacity_GradeTooHigh.selector, site, 3, 1);
        _fails(provider.addr, site, product, 100, expected);
        product = productIn(METRO, FRANKFURT, 1, 1, 24);
        (uint256 until_s, uint256 end_s) = (capacity.siteOf(site).validUntil_s, endOf(product));
        expected = abi.encodeWithSelector(ICapacity.Capacity_AttestationTooShort.selector, site, until_s, end_s);
        _fails(provider.addr, site, product, 100, expected);
        attestAs(site, 50, 1, end_s);
        offerAs(provider.addr, site, product, TICK, MIN_UNITS);
        vm.startPrank(provider.addr);
        treasury.withdraw(treasury.cashOf(provider.addr), thief.addr);
        dollar.approve(address(treasury), 0);
        vm.stopPrank();
        expected = abi.encodeWithSelector(
            ICapacity.Capacity_InsufficientCapacity.selector, site, startHourOf(product), 40, 100
        );
        _fails(provider.addr, site, product, 100, expected);
        expected =
            abi.encodeWithSelector(IDelivery.Delivery_OffersUnsettled.selector, product, site, exchange.currentRound());
        _fails(provider.addr, site, product, 40, expected);
        // The same window without its last hour: no offer waits for it.
        _fails(provider.addr, site, product - 1, 40, _insufficientCash(provider.addr, 0, fullBond(product - 1, 40)));
    }

    /* PROVIDERS THAT ARE CONTRACTS */

    function test_mint_asksAContract() public {
        (Puppet puppet, uint32 puppetSite) = puppetWithSite();
        puppet.act(address(capacity), abi.encodeCall(ICapacity.mint, (puppetSite, tomorrow(), 10)));
        assertEq(puppet.received(), 10);
    }

    function testFuzz_mint_revertsWhen_theContractRefuses(bool reverts) public {
        (Puppet puppet, uint32 puppetSite) = puppetWithSite();
        puppet.setManner(reverts ? Puppet.Manner.REVERT : Puppet.Manner.ANSWER_WRONG);
        vm.expectRevert(
            reverts
                ? abi.encodeWithSelector(Puppet.Puppet_Refuses.selector)
                : abi.encodeWithSelector(IERC1155Errors.ERC1155InvalidReceiver.selector, address(puppet))
        );
        puppet.act(address(capacity), abi.encodeCall(ICapacity.mint, (puppetSite, tomorrow(), 10)));
        assertEq(owedBy(puppetSite, tomorrow()), 0);
        assertEq(capacity.committedUnits(puppetSite, startHourOf(tomorrow())), 0);
    }

    /// @dev All that a mint writes is written when the provider is called: whatever it does then counts in full.
    function test_mint_isDoneWhen_theContractIsCalledBack() public {
        (Puppet puppet, uint32 puppetSite) = puppetWithSite();
        uint256 product = tomorrow();
        puppet.plan(address(capacity), abi.encodeCall(ICapacity.mint, (puppetSite, product, CAP - 9)));
        puppet.plan(address(capacity), abi.encodeCall(ICapacity.mint, (puppetSite, product, CAP - 10)));
        puppet.plan(address(capacity), abi.encodeCall(ICapacity.split, (puppetSite, product, 4)));
        puppet.plan(address(delivery), abi.encodeCall(IDelivery.redeem, (product, puppetSite, 5, "")));
        puppet.plan(address(capacity), abi.encodeCall(ICapacity.retire, (puppetSite, product, 6)));
        puppet.plan(address(exchange), abi.encodeCall(exchange.ask, (product, TICK, MIN_UNITS)));
        puppet.act(address(capacity), abi.encodeCall(ICapacity.mint, (puppetSite, product, 10)));

        for (uint256 i = 0; i < puppet.answers(); ++i) {
            assertEq(puppet.answerOf(i).done, i != 0, vm.toString(i));
        }
        uint256 left = CAP - 4 - 5 - 6;
        assertEq(owedBy(puppetSite, product), left);
        assertEq(capacity.totalSupply(product), left);
        assertEq(capacity.balanceOf(address(puppet), product), left - MIN_UNITS);
        assertCommitted(puppetSite, product, CAP - 6);
    }

    /// @dev A token that calls back while the bond is pulled finds an obligation whose units are not minted yet. Whoever
    /// retires other units of the product against it then has sold what it holds, not what it is about to get.
    function test_mint_addsUpWhen_tokenCallsBack() public {
        (Puppet puppet, uint32 puppetSite) = puppetWithSite();
        uint256 product = tomorrow();
        issueTo(address(puppet), rival.addr, rivalSite, product, 10);
        uint256 cash = treasury.cashOf(address(puppet));
        puppet.act(address(treasury), abi.encodeCall(ITreasury.withdraw, (cash, address(puppet))));
        vm.etch(address(dollar), address(new HookDollar()).code);
        uint256 held = dollar.balanceOf(address(treasury));
        puppet.plan(address(capacity), abi.encodeCall(ICapacity.retire, (puppetSite, product, 10)));
        puppet.act(address(capacity), abi.encodeCall(ICapacity.mint, (puppetSite, product, 10)));

        assertTrue(puppet.answerOf(0).done);
        assertEq(owedBy(puppetSite, product), 0);
        assertEq(capacity.balanceOf(address(puppet), product), 10);
        assertEq(capacity.totalSupply(product), owedBy(rivalSite, product));
        assertCommitted(puppetSite, product, 0);
        assertEq(treasury.cashOf(address(puppet)), fullBond(product, 10));
        assertEq(dollar.balanceOf(address(treasury)), held + fullBond(product, 10));
    }
}
