// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Sites} from "./Sites.sol";

contract Capacity_reserve_Test is Sites {
    function _reserve(address owner, uint32 site_, uint256 product, uint64 units) private {
        vm.prank(address(exchange));
        capacity.reserve(site_, ProductId.wrap(product), units, owner);
    }

    function testFuzz_reserve_mintsIntoEscrow(uint256 seed, uint64 units) public {
        uint256 product = anyProduct(seed, 1, 168);
        units = uint64(bound(units, 1, CAP));
        uint256 cash = treasury.cashOf(provider.addr);
        vm.expectEmit(address(capacity));
        emit ICapacity.Committed(site, product, units);
        vm.expectEmit(address(capacity));
        emit IERC1155.TransferSingle(address(exchange), address(0), address(exchange), product, units);
        _reserve(provider.addr, site, product, units);
        assertEq(capacity.balanceOf(address(exchange), product), units);
        assertEq(capacity.totalSupply(product), units);
        assertEq(owedBy(site, product), 0);
        assertEq(treasury.cashOf(provider.addr), cash);
        assertCommitted(site, product, units);
    }

    /// @dev One calendar for units minted and offered.
    function testFuzz_reserve_sharesTheCalendarWithMints(uint64 minted, uint64 units) public {
        minted = uint64(bound(minted, 1, CAP));
        units = uint64(bound(units, 1, CAP));
        uint256 product = tomorrow();
        mintAs(provider.addr, site, productIn(METRO, FRANKFURT, 1, 47, 3), minted);
        if (minted + units > CAP) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    ICapacity.Capacity_InsufficientCapacity.selector,
                    site,
                    startHourOf(product) + 23,
                    CAP - minted,
                    units
                )
            );
        }
        _reserve(provider.addr, site, product, units);
    }

    /* REVERTS */

    function testFuzz_reserve_revertsWhen_callerIsNotExchange(address caller) public {
        vm.assume(caller != address(exchange));
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_OnlyMarket.selector, caller));
        vm.prank(caller);
        capacity.reserve(site, ProductId.wrap(tomorrow()), 1, provider.addr);
    }

    function test_reserve_revertsWhen_callerIsDelivery() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_OnlyMarket.selector, address(delivery)));
        vm.prank(address(delivery));
        capacity.reserve(site, ProductId.wrap(tomorrow()), 1, provider.addr);
    }

    function _fails(address owner, uint32 site_, uint256 product, uint64 units, bytes memory expected) private {
        vm.expectRevert(expected);
        _reserve(owner, site_, product, units);
    }

    /// @dev Those of a mint, in the same order: everything is wrong at first, and is put right one by one.
    function test_reserve_revertsWith_theFirstOfSeveral() public {
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

        started = productIn(METRO, FRANKFURT, 3, 0, 24);
        expected =
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
        expected = abi.encodeWithSelector(
            ICapacity.Capacity_InsufficientCapacity.selector, site, startHourOf(product), 50, 100
        );
        _fails(provider.addr, site, product, 100, expected);
        _reserve(provider.addr, site, product, 50);
    }
}
