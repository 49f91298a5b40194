// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Sites} from "./Sites.sol";

/// @dev Who may mint what: the provider, the product, the attestation and the record.
contract Capacity_mint_eligibility_Test is Sites {
    /* WHAT THE SITE IS NOT FIT FOR */

    function test_mint_revertsWhen_issuingIsPaused() public {
        vm.prank(guardian);
        capacity.setIssuePaused(true);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_IssuePaused.selector));
        mintAs(provider.addr, site, tomorrow(), 1);
    }

    function testFuzz_mint_revertsWhen_callerIsNotTheProvider(address caller) public {
        vm.assume(caller != provider.addr);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NotProvider.selector, site, caller, provider.addr));
        mintAs(caller, site, tomorrow(), 1);
    }

    function testFuzz_mint_revertsWhen_siteIsUnknown(uint32 unknown) public {
        vm.assume(unknown != site && unknown != rivalSite);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnknownSite.selector, unknown));
        mintAs(provider.addr, unknown, tomorrow(), 1);
    }

    function test_mint_revertsWhen_unitsAreZero() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_ZeroUnits.selector));
        mintAs(provider.addr, site, tomorrow(), 0);
    }

    function testFuzz_mint_revertsWhen_productIsMalformed(uint16 count, uint256 garbage) public {
        uint256 product = tomorrow() - 24;
        if (garbage % 2 == 0) product |= uint256(bound(count, 169, type(uint16).max));
        else product |= 24 | (garbage << 88);
        vm.assume(garbage % 2 == 0 || garbage << 88 != 0);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, product));
        mintAs(provider.addr, site, product, 1);
    }

    function testFuzz_mint_revertsWhen_classIsNotTheSites(uint8 class) public {
        class = uint8(bound(class, AI_LARGE + 1, type(uint8).max));
        addClass(class);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_WrongClass.selector, site, class, AI_LARGE));
        mintAs(provider.addr, site, ofClass(tomorrow(), class), 1);
    }

    function test_mint_revertsWhen_metroIsAnother() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_WrongArea.selector, site, PARIS, FRANKFURT));
        mintAs(provider.addr, site, productIn(METRO, PARIS, 1, 24, 1), 1);
    }

    function test_mint_revertsWhen_hubIsAnother() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_WrongArea.selector, site, US_EAST, EU_WEST));
        mintAs(provider.addr, site, productIn(HUB, US_EAST, 1, 24, 1), 1);
    }

    function testFuzz_mint_revertsWhen_areaIsNotOfTheTier(bool metro) public {
        (uint8 tier, uint16 area) = metro ? (METRO, EU_WEST) : (HUB, FRANKFURT);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_WrongArea.selector, tier, area));
        mintAs(provider.addr, site, productIn(tier, area, 1, 24, 1), 1);
    }

    function testFuzz_mint_revertsWhen_gradeIsAboveTheAttested(uint256 seed, uint8 attested) public {
        uint256 product = anyProduct(seed, 1, 24);
        uint8 grade = uint8(product >> 48);
        attested = uint8(bound(attested, 1, 3));
        attestAs(site, CAP, attested, endOf(product));
        if (grade > attested) {
            vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_GradeTooHigh.selector, site, grade, attested));
        }
        mintAs(provider.addr, site, product, 1);
    }

    function testFuzz_mint_revertsWhen_attestationEndsMidWindow(uint256 seed, uint256 validUntil_s) public {
        uint256 product = anyProduct(seed, 1, 168);
        validUntil_s = bound(validUntil_s, vm.getBlockTimestamp() + 1, endOf(product) - 1);
        attestAs(site, CAP, 3, validUntil_s);
        vm.expectRevert(
            abi.encodeWithSelector(ICapacity.Capacity_AttestationTooShort.selector, site, validUntil_s, endOf(product))
        );
        mintAs(provider.addr, site, product, 1);
        assertEq(capacity.availableUnits(site, startHourOf(product), hoursOf(product)), 0);
    }

    /* ITS RECORD */

    /// @dev A site that delivered a part of a lease may issue that part of what was attested, and no less than the floor;
    /// its grade falls with it.
    function testFuzz_mint_isHeldToTheRecord(uint64 units, uint64 deliveredMilli) public {
        units = uint64(bound(units, 1, CAP));
        // Under BASIC's promise of 95 %, so that the rest counts as failed.
        deliveredMilli = uint64(bound(deliveredMilli, 0, (uint256(units) * 950) - 1));
        record(site, units, deliveredMilli);

        uint256 shareBp = uint256(deliveredMilli) * ONE_BP / (uint256(units) * 1000);
        uint64 cap = uint64(CAP * (shareBp < 2000 ? 2000 : shareBp) / ONE_BP);
        assertEq(capacity.issuableUnits(site), cap);

        uint256 product = productIn(HUB, EU_WEST, 2, 24, 8);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_GradeTooHigh.selector, site, 2, 1));
        mintAs(provider.addr, site, product, 1);
        product = productIn(HUB, EU_WEST, 1, 24, 8);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICapacity.Capacity_InsufficientCapacity.selector, site, startHourOf(product), cap, cap + 1
            )
        );
        mintAs(provider.addr, site, product, cap + 1);
        mintAs(provider.addr, site, product, cap);
    }

    /// @dev One bad hour among many good ones: 99.5 % supports STANDARD and no more.
    function test_mint_keepsTheGradeThatTheRecordSupports() public {
        record(site, 1000, 900_000);
        record(site, 19_000, 19_000_000);
        uint256 product = productIn(HUB, EU_WEST, 3, 24, 1);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_GradeTooHigh.selector, site, 3, 2));
        mintAs(provider.addr, site, product, 1);
        mintAs(provider.addr, site, productIn(HUB, EU_WEST, 2, 24, 1), 1);
        // The rival has no record, and loses nothing.
        mintAs(rival.addr, rivalSite, product, CAP);
    }

    function test_mint_isHeldToTheWorseOf_recordAndAttestation() public {
        record(site, 1000, 0);
        attestAs(site, CAP, 1, vm.getBlockTimestamp() + 30 days);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_GradeTooHigh.selector, site, 2, 1));
        mintAs(provider.addr, site, productIn(HUB, EU_WEST, 2, 24, 1), 1);
    }
}
