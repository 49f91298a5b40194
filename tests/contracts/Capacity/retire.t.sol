// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Sites} from "./Sites.sol";

contract Capacity_retire_Test is Sites {
    function _retire(address owner, uint32 site_, uint256 product, uint64 units) private {
        vm.prank(owner);
        capacity.retire(site_, product, units);
    }

    function testFuzz_retire_givesBondAndHoursBack(uint256 seed, uint64 minted, uint64 units) public {
        uint256 product = anyProduct(seed, 1, 168);
        minted = uint64(bound(minted, 1, CAP));
        units = uint64(bound(units, 1, minted));
        uint256 cash = treasury.cashOf(provider.addr);
        mintAs(provider.addr, site, product, minted);
        uint256 bond = bondOf(site, product);
        uint256 share = shareOf(site, product, units);

        vm.expectEmit(address(capacity));
        emit IERC1155.TransferSingle(provider.addr, provider.addr, address(0), product, units);
        vm.expectEmit(address(capacity));
        emit ICapacity.Released(site, product, units);
        vm.expectEmit(address(capacity));
        emit ICapacity.Retired(site, product, provider.addr, units);
        vm.expectEmit(address(delivery));
        emit IDelivery.Discharged(product, site, units, share);
        vm.expectEmit(address(delivery));
        emit IDelivery.BondReleased(provider.addr, share);
        _retire(provider.addr, site, product, units);

        assertEq(capacity.balanceOf(provider.addr, product), minted - units);
        assertEq(capacity.totalSupply(product), minted - units);
        assertEq(owedBy(site, product), minted - units);
        assertEq(bondOf(site, product), bond - share);
        assertEq(treasury.cashOf(provider.addr), cash - bond + share);
        assertCommitted(site, product, minted - units);
    }

    /// @dev Bit by bit or at once: in the end all of the bond came back.
    function testFuzz_retire_returnsAllOfTheBondInTheEnd(uint256 seed, uint64 minted, uint64 first) public {
        uint256 product = anyProduct(seed, 1, 24);
        minted = uint64(bound(minted, 2, CAP));
        first = uint64(bound(first, 1, minted - 1));
        uint256 cash = treasury.cashOf(provider.addr);
        mintAs(provider.addr, site, product, minted);
        _retire(provider.addr, site, product, first);
        _retire(provider.addr, site, product, minted - first);
        assertEq(treasury.cashOf(provider.addr), cash);
        assertEq(bondOf(site, product), 0);
        assertCommitted(site, product, 0);
    }

    /// @dev The provider buys back what it sold, dearer or cheaper: the bond holds the first price, and is the
    /// provider's again.
    function testFuzz_retire_paysThePriceBackAfterResale(uint16 sold, uint16 back, uint64 units) public {
        sold = uint16(bound(sold, 1, 500));
        back = uint16(bound(back, 1, 500));
        units = uint64(bound(units, MIN_UNITS, 500));
        uint256 product = tomorrow();
        sell(site, product, sold, units);
        uint256 bond = bondOf(site, product);

        askAs(buyer.addr, product, back, units);
        bidAs(provider.addr, product, back, units);
        uint64 round = nextRound();
        exchange.clear(product, round);
        settleAll(product, round);

        uint256 cash = treasury.cashOf(provider.addr);
        _retire(provider.addr, site, product, units);
        assertEq(treasury.cashOf(provider.addr), cash + bond);
        assertCommitted(site, product, 0);
        assertEq(capacity.totalSupply(product), 0);
    }

    /// @dev Units are alike: one bought from a rival's site stands for one's own.
    function test_retire_takesAnyUnitsOfTheProduct() public {
        uint256 product = tomorrow();
        mintAs(provider.addr, site, product, 10);
        vm.prank(provider.addr);
        capacity.safeTransferFrom(provider.addr, buyer.addr, product, 10, "");
        issueTo(provider.addr, rival.addr, rivalSite, product, 10);
        _retire(provider.addr, site, product, 10);
        assertEq(owedBy(site, product), 0);
        assertEq(owedBy(rivalSite, product), 10);
        assertCommitted(site, product, 0);
        assertCommitted(rivalSite, product, 10);
    }

    /// @dev Hours that are free again can be sold again.
    function testFuzz_retire_makesRoom(uint256 seed, uint64 units) public {
        uint256 product = anyProduct(seed, 1, 48);
        units = uint64(bound(units, 1, CAP));
        mintAs(provider.addr, site, product, CAP);
        _retire(provider.addr, site, product, units);
        assertEq(capacity.availableUnits(site, startHourOf(product), hoursOf(product)), units);
        mintAs(provider.addr, site, product, units);
        assertCommitted(site, product, CAP);
    }

    function test_retire_worksWhen_issuingIsPaused() public {
        mintAs(provider.addr, site, tomorrow(), 10);
        vm.prank(guardian);
        capacity.setIssuePaused(true);
        _retire(provider.addr, site, tomorrow(), 10);
    }

    /// @dev Nobody redeems any more, and nobody waits for the grace: the units were the provider's own.
    function test_retire_worksWhen_theWindowHasStarted() public {
        uint256 product = tomorrow();
        mintAs(provider.addr, site, product, 10);
        uint256 cash = treasury.cashOf(provider.addr);
        uint256 bond = bondOf(site, product);
        goTo(startOf(product) + 1);
        _retire(provider.addr, site, product, 10);
        assertEq(treasury.cashOf(provider.addr), cash + bond);
    }

    /* REVERTS */

    function testFuzz_retire_revertsWhen_callerIsNotTheProvider(address caller) public {
        vm.assume(caller != provider.addr);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NotProvider.selector, site, caller, provider.addr));
        _retire(caller, site, tomorrow(), 1);
    }

    function testFuzz_retire_revertsWhen_siteIsUnknown(uint32 unknown) public {
        vm.assume(unknown != site && unknown != rivalSite);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnknownSite.selector, unknown));
        _retire(provider.addr, unknown, tomorrow(), 1);
    }

    function test_retire_revertsWhen_unitsAreZero() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_ZeroUnits.selector));
        _retire(provider.addr, site, tomorrow(), 0);
    }

    function testFuzz_retire_revertsWhen_unitsAreNotHeld(uint64 minted, uint64 sold, uint64 units) public {
        minted = uint64(bound(minted, 1, CAP));
        sold = uint64(bound(sold, 1, minted));
        units = uint64(bound(units, minted - sold + 1, minted));
        uint256 product = tomorrow();
        mintAs(provider.addr, site, product, minted);
        vm.prank(provider.addr);
        capacity.safeTransferFrom(provider.addr, buyer.addr, product, sold, "");
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC1155Errors.ERC1155InsufficientBalance.selector, provider.addr, minted - sold, units, product
            )
        );
        _retire(provider.addr, site, product, units);
    }

    /// @dev Redeemed hours are work: they do not come back for units bought elsewhere.
    function test_retire_revertsWhen_unitsAreRedeemed() public {
        uint256 product = tomorrow();
        issueTo(buyer.addr, provider.addr, site, product, 10);
        vm.prank(buyer.addr);
        delivery.redeem(product, site, 10, "");
        issueTo(provider.addr, rival.addr, rivalSite, product, 10);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_InsufficientObligation.selector, product, site, 0, 1));
        _retire(provider.addr, site, product, 1);
        assertCommitted(site, product, 10);
    }

    function test_retire_revertsWith_theFirstOfSeveral() public {
        vm.expectRevert(
            abi.encodeWithSelector(ICapacity.Capacity_NotProvider.selector, site, thief.addr, provider.addr)
        );
        _retire(thief.addr, site, tomorrow(), 0);
    }

    /// @dev Units of a rival's site cannot take more out of one's own than it owes: the custom error, not a panic of the
    /// calendar.
    function testFuzz_retire_revertsWhen_siteOwesLess(uint64 owed, uint64 bought, uint64 units) public {
        owed = uint64(bound(owed, 0, 100));
        bought = uint64(bound(bought, 1, 100));
        units = uint64(bound(units, owed + 1, owed + bought));
        uint256 product = tomorrow();
        if (owed != 0) mintAs(provider.addr, site, product, owed);
        issueTo(provider.addr, rival.addr, rivalSite, product, bought);
        vm.expectRevert(
            abi.encodeWithSelector(IDelivery.Delivery_InsufficientObligation.selector, product, site, owed, units)
        );
        vm.prank(provider.addr);
        capacity.retire(site, product, units);
    }

    /// @dev "… at most the site's obligation, and held": the obligation is looked at first.
    function test_retire_revertsWith_theObligationBeforeTheBalance() public {
        vm.expectRevert(
            abi.encodeWithSelector(IDelivery.Delivery_InsufficientObligation.selector, tomorrow(), site, 0, 1)
        );
        vm.prank(provider.addr);
        capacity.retire(site, tomorrow(), 1);
    }
}
