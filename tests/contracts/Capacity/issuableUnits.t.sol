// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Sites} from "./Sites.sol";

contract Capacity_issuableUnits_Test is Sites {
    function testFuzz_issuableUnits_isWhatWasAttested(uint64 units) public {
        units = uint64(bound(units, 0, CAP));
        attestAs(site, units, 1, vm.getBlockTimestamp() + 1 days);
        assertEq(capacity.issuableUnits(site), units);
        // Commitments do not lower it.
        if (units != 0) mintAs(provider.addr, site, productIn(HUB, EU_WEST, 1, 1, 1), units);
        assertEq(capacity.issuableUnits(site), units);
    }

    function testFuzz_issuableUnits_isZeroFrom_theAttestationsEnd(uint64 validUntil_s, uint64 at_s) public {
        validUntil_s = uint64(bound(validUntil_s, vm.getBlockTimestamp() + 1, type(uint40).max));
        at_s = uint64(bound(at_s, vm.getBlockTimestamp(), type(uint40).max));
        attestAs(site, CAP, 1, validUntil_s);
        goTo(at_s);
        assertEq(capacity.issuableUnits(site), at_s < validUntil_s ? CAP : 0);
    }

    function testFuzz_issuableUnits_isZeroWhen_siteIsUnknown(uint32 unknown) public view {
        vm.assume(unknown != site && unknown != rivalSite);
        assertEq(capacity.issuableUnits(unknown), 0);
    }

    /// @dev What failed lowers it, rounded down and never below a fifth; what is delivered later brings it back.
    function testFuzz_issuableUnits_followsTheRecord(uint64 failed, uint64 delivered, uint64 attested) public {
        failed = uint64(bound(failed, 1, 20_000));
        delivered = uint64(bound(delivered, 1, 20_000));
        attested = uint64(bound(attested, 0, CAP));
        record(site, failed, 0);
        record(site, delivered, delivered * 1000);
        attestAs(site, attested, 1, vm.getBlockTimestamp() + 1 days);

        uint256 shareBp = uint256(delivered) * ONE_BP / (uint256(delivered) + failed);
        uint256 expected = attested * (shareBp < 2000 ? 2000 : shareBp) / ONE_BP;
        assertEq(capacity.issuableUnits(site), expected);
        assertEq(capacity.issuableUnits(rivalSite), CAP);
    }
}
