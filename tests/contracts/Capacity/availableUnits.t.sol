// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {Sites} from "./Sites.sol";

contract Capacity_availableUnits_Test is Sites {
    /// @dev Exactly what can be minted: that many go, one more does not.
    function testFuzz_availableUnits_isWhatCanBeMinted(uint256[3] memory seeds, uint64[3] memory units, uint256 seed)
        public
    {
        for (uint256 i = 0; i < 3; ++i) {
            units[i] = uint64(bound(units[i], 1, CAP / 3));
            mintAs(provider.addr, site, anyProduct(seeds[i], 1, 48), units[i]);
        }
        uint256 product = anyProduct(seed, 1, 48);
        uint64 available = capacity.availableUnits(site, startHourOf(product), hoursOf(product));
        uint256 hour = _fullest(product);
        assertEq(available, CAP - capacity.committedUnits(site, uint32(hour)));

        vm.expectRevert(
            abi.encodeWithSelector(
                ICapacity.Capacity_InsufficientCapacity.selector, site, hour, available, available + 1
            )
        );
        mintAs(provider.addr, site, product, available + 1);
        mintAs(provider.addr, site, product, available);
        assertEq(capacity.availableUnits(site, startHourOf(product), hoursOf(product)), 0);
    }

    /// @dev The first of the window's fullest hours.
    function _fullest(uint256 product) private view returns (uint256 hour) {
        hour = startHourOf(product);
        for (uint256 i = 0; i < hoursOf(product); ++i) {
            uint32 next = startHourOf(product) + uint32(i);
            if (capacity.committedUnits(site, next) > capacity.committedUnits(site, uint32(hour))) hour = next;
        }
    }

    function testFuzz_availableUnits_isZeroWhen_attestationEndsBefore(uint256 seed, uint256 validUntil_s) public {
        uint256 product = anyProduct(seed, 1, 168);
        validUntil_s = bound(validUntil_s, vm.getBlockTimestamp() + 1, endOf(product) * 2);
        attestAs(site, CAP, 3, validUntil_s);
        uint64 available = capacity.availableUnits(site, startHourOf(product), hoursOf(product));
        assertEq(available, validUntil_s < endOf(product) ? 0 : CAP);
    }

    /// @dev A lower attestation leaves nothing, not less than nothing.
    function testFuzz_availableUnits_isZeroWhen_moreIsCommittedThanAttested(uint64 committed, uint64 attested) public {
        committed = uint64(bound(committed, 1, CAP));
        attested = uint64(bound(attested, 0, committed));
        uint256 product = tomorrow();
        mintAs(provider.addr, site, product, committed);
        attestAs(site, attested, 3, endOf(product));
        assertEq(capacity.availableUnits(site, startHourOf(product), hoursOf(product)), 0);
    }

    function testFuzz_availableUnits_isZeroWhen_siteIsUnknown(uint32 unknown, uint32 startHour) public view {
        vm.assume(unknown != site && unknown != rivalSite);
        assertEq(capacity.availableUnits(unknown, startHour, 1), 0);
    }

    /// @dev The last hours that a product can name do not overflow the count of hours.
    function testFuzz_availableUnits_reachesTheLastHour(uint16 count) public {
        count = uint16(bound(count, 1, 168));
        attestAs(site, CAP, 3, type(uint64).max);
        assertEq(capacity.availableUnits(site, type(uint32).max - count + 1, count), CAP);
    }

    /* REVERTS */

    function testFuzz_availableUnits_revertsWhen_hoursAreOutOfRange(uint32 startHour, uint16 count) public {
        vm.assume(count == 0 || count > 168);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_HoursOutOfRange.selector, count, 168));
        capacity.availableUnits(site, startHour, count);
    }
}
