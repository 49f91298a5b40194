// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {Sites} from "./Sites.sol";

contract Capacity_relax_Test is Sites {
    function _relax(address owner, uint32 site_, uint256 product, uint64 units, uint8 tier) private {
        vm.prank(owner);
        capacity.relax(site_, product, units, tier);
    }

    /// @dev The same class, grade and window elsewhere: 24 bits of the id.
    function _within(uint256 product, uint8 tier) private pure returns (uint256) {
        uint256 above = product >> 80;
        return (above << 80) + uint256(tier) * 2 ** 72 + uint256(areaOf(tier)) * 2 ** 56 + product % 2 ** 56;
    }

    function testFuzz_relax_turnsUnitsIntoLooserOnes(uint256 seed, uint8 to, uint64 minted, uint64 units) public {
        uint8 tier = uint8(bound(seed % 3, METRO, HUB));
        to = uint8(bound(to, tier + 1, WIDE));
        uint256 product = _within(anyProduct(seed, 1, 168), tier);
        minted = uint64(bound(minted, 1, CAP));
        units = uint64(bound(units, 1, minted));
        issueTo(buyer.addr, provider.addr, site, product, minted);
        uint256 bond = bondOf(site, product);
        uint256 share = shareOf(site, product, units);
        uint256 into = _within(product, to);

        vm.expectEmit(address(capacity));
        emit ICapacity.Relaxed(site, product, buyer.addr, units, into);
        vm.expectEmit(address(delivery));
        emit IDelivery.Discharged(product, site, units, share);
        vm.expectEmit(address(delivery));
        emit IDelivery.Obliged(into, site, units, share);
        _relax(buyer.addr, site, product, units, to);

        assertEq(capacity.balanceOf(buyer.addr, product), minted - units);
        assertEq(capacity.balanceOf(buyer.addr, into), units);
        assertEq(capacity.totalSupply(into), units);
        assertEq(owedBy(site, product), minted - units);
        assertEq(owedBy(site, into), units);
        assertEq(bondOf(site, product), bond - share);
        assertEq(bondOf(site, into), share);
        assertCommitted(site, product, minted);
    }

    /// @dev METRO to HUB to WIDE is METRO to WIDE.
    function testFuzz_relax_goesStepByStep(uint256 seed, uint64 units) public {
        uint256 product = _within(anyProduct(seed, 1, 24), METRO);
        units = uint64(bound(units, 1, CAP));
        issueTo(buyer.addr, provider.addr, site, product, units);
        uint256 bond = bondOf(site, product);
        _relax(buyer.addr, site, product, units, HUB);
        _relax(buyer.addr, site, _within(product, HUB), units, WIDE);
        assertEq(capacity.balanceOf(buyer.addr, _within(product, WIDE)), units);
        assertEq(bondOf(site, _within(product, WIDE)), bond);
        assertCommitted(site, product, units);
    }

    function testFuzz_relax_addsWhatTheLooserOnesCarryMore(uint16 tick, uint64 sold, uint64 units) public {
        tick = uint16(bound(tick, 1, 700));
        sold = uint64(bound(sold, MIN_UNITS, 300));
        units = uint64(bound(units, 1, 300));
        uint256 product = productIn(METRO, FRANKFURT, 2, 24, 3);
        uint256 into = _within(product, HUB);
        sell(site, into, tick, sold);
        issueTo(reseller.addr, provider.addr, site, product, units);
        (uint256 before, uint256 share) = (bondOf(site, into), bondOf(site, product));
        uint256 cash = treasury.cashOf(reseller.addr);
        uint256 undiluted = (before * units + sold - 1) / sold;
        uint256 added = undiluted > share ? undiluted - share : 0;
        _relax(reseller.addr, site, product, units, HUB);
        assertEq(bondOf(site, into), before + share + added);
        assertGe(bondOf(site, into) * sold, before * owedBy(site, into), "diluted");
        assertEq(treasury.cashOf(reseller.addr), cash - added);
    }

    /// @dev Units of two metros of a hub become one product.
    function test_relax_poolsMetrosOfAHub() public {
        vm.prank(rival.addr);
        uint32 paris = capacity.registerSite(H100, 1, AI_LARGE, PARIS, "");
        attestAs(paris, 1000, 3, vm.getBlockTimestamp() + 30 days);
        uint256 inParis = productIn(METRO, PARIS, 1, 24, 4);
        uint256 inFrankfurt = productIn(METRO, FRANKFURT, 1, 24, 4);
        issueTo(buyer.addr, rival.addr, paris, inParis, 10);
        issueTo(buyer.addr, provider.addr, site, inFrankfurt, 10);
        _relax(buyer.addr, paris, inParis, 10, HUB);
        _relax(buyer.addr, site, inFrankfurt, 10, HUB);
        assertEq(capacity.balanceOf(buyer.addr, productIn(HUB, EU_WEST, 1, 24, 4)), 20);
    }

    function test_relax_worksWhen_issuingIsPaused() public {
        issueTo(buyer.addr, provider.addr, site, tomorrow(), 10);
        vm.prank(guardian);
        capacity.setIssuePaused(true);
        _relax(buyer.addr, site, tomorrow(), 10, WIDE);
    }

    /* REVERTS */

    function testFuzz_relax_revertsWhen_tierIsNotLooser(uint256 seed, uint8 to) public {
        uint256 product = anyProduct(seed, 1, 24);
        uint8 tier = uint8(product >> 72);
        to = uint8(bound(to, 0, tier));
        issueTo(buyer.addr, provider.addr, site, product, 10);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NotRelaxed.selector, tier, to));
        _relax(buyer.addr, site, product, 10, to);
    }

    function testFuzz_relax_revertsWhen_tierIsUnknown(uint256 seed, uint8 to) public {
        uint256 product = anyProduct(seed, 1, 24);
        to = uint8(bound(to, WIDE + 1, type(uint8).max));
        issueTo(buyer.addr, provider.addr, site, product, 10);
        uint256 into = (product >> 80 << 80) + uint256(to) * 2 ** 72 + product % 2 ** 56;
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, into));
        _relax(buyer.addr, site, product, 10, to);
    }

    function testFuzz_relax_revertsWhen_productIsMalformed(uint256 product, uint64 units, uint8 tier) public {
        product |= 1 << 88;
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, product));
        _relax(buyer.addr, site, product, units, tier);
    }

    function testFuzz_relax_revertsWhen_siteIsUnknown(uint32 unknown) public {
        vm.assume(unknown != site && unknown != rivalSite);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnknownSite.selector, unknown));
        _relax(buyer.addr, unknown, tomorrow(), 10, WIDE);
    }

    function test_relax_revertsWhen_windowHasStarted() public {
        uint256 product = tomorrow();
        issueTo(buyer.addr, provider.addr, site, product, 10);
        goTo(startOf(product));
        vm.expectRevert(
            abi.encodeWithSelector(ICapacity.Capacity_WindowStarted.selector, startOf(product), startOf(product))
        );
        _relax(buyer.addr, site, product, 10, WIDE);
    }

    function test_relax_revertsWhen_unitsAreZero() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_ZeroUnits.selector));
        _relax(buyer.addr, site, tomorrow(), 0, WIDE);
    }

    /// @dev Paris's units are no site's of Frankfurt, although both lie in one hub.
    function test_relax_revertsWhen_siteOwesNone() public {
        vm.prank(rival.addr);
        uint32 paris = capacity.registerSite(H100, 1, AI_LARGE, PARIS, "");
        attestAs(paris, 1000, 3, vm.getBlockTimestamp() + 30 days);
        uint256 product = productIn(METRO, PARIS, 1, 24, 4);
        issueTo(buyer.addr, rival.addr, paris, product, 10);
        vm.expectRevert(
            abi.encodeWithSelector(IDelivery.Delivery_InsufficientObligation.selector, product, site, 0, 10)
        );
        _relax(buyer.addr, site, product, 10, HUB);
    }

    function testFuzz_relax_revertsWhen_unitsAreNotHeld(uint64 had, uint64 units) public {
        had = uint64(bound(had, 0, 99));
        units = uint64(bound(units, had + 1, 100));
        uint256 product = tomorrow();
        mintAs(provider.addr, site, product, 100);
        vm.prank(provider.addr);
        capacity.safeTransferFrom(provider.addr, thief.addr, product, had, "");
        vm.expectRevert(
            abi.encodeWithSelector(IERC1155Errors.ERC1155InsufficientBalance.selector, thief.addr, had, units, product)
        );
        _relax(thief.addr, site, product, units, WIDE);
    }

    function test_relax_revertsWhen_anOfferWaitsForTheLooserOnes() public {
        uint256 product = tomorrow();
        issueTo(buyer.addr, provider.addr, site, product, 10);
        uint256 into = _within(product, WIDE);
        offerAs(provider.addr, site, into, TICK, MIN_UNITS);
        vm.expectRevert(
            abi.encodeWithSelector(IDelivery.Delivery_OffersUnsettled.selector, into, site, exchange.currentRound())
        );
        _relax(buyer.addr, site, product, 10, WIDE);
    }

    function test_relax_revertsWith_theFirstOfSeveral() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_ZeroUnits.selector));
        _relax(thief.addr, 99, tomorrow(), 0, HUB);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NotRelaxed.selector, HUB, HUB));
        _relax(thief.addr, 99, tomorrow(), 1, HUB);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnknownSite.selector, 99));
        _relax(thief.addr, 99, tomorrow(), 1, WIDE);
    }

    /* OWNERS THAT ARE CONTRACTS */

    function test_relax_isDoneWhen_theContractIsCalledBack() public {
        Puppet puppet = new Puppet();
        uint256 product = tomorrow();
        uint256 into = _within(product, WIDE);
        issueTo(address(puppet), provider.addr, site, product, 10);
        puppet.plan(address(capacity), abi.encodeCall(ICapacity.relax, (site, product, 5, WIDE)));
        puppet.plan(address(capacity), abi.encodeCall(ICapacity.split, (site, into, 6)));
        puppet.act(address(capacity), abi.encodeCall(ICapacity.relax, (site, product, 6, WIDE)));
        assertFalse(puppet.answerOf(0).done);
        assertTrue(puppet.answerOf(1).done);
        assertEq(owedBy(site, product), 4);
        assertEq(owedBy(site, into), 0);
        assertEq(capacity.totalSupply(into), 0);
        assertEq(capacity.balanceOf(address(puppet), hourOf(into, 23)), 6);
        assertCommitted(site, product, 10);
    }

    function test_relax_revertsWhen_theContractRefuses() public {
        Puppet puppet = new Puppet();
        issueTo(address(puppet), provider.addr, site, tomorrow(), 10);
        puppet.setManner(Puppet.Manner.REVERT);
        vm.expectRevert(abi.encodeWithSelector(Puppet.Puppet_Refuses.selector));
        puppet.act(address(capacity), abi.encodeCall(ICapacity.relax, (site, tomorrow(), 10, WIDE)));
        assertEq(owedBy(site, tomorrow()), 10);
    }
}
