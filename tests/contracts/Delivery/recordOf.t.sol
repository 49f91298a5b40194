// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Leases} from "./Leases.sol";

contract Delivery_recordOf_Test is Leases {
    function testFuzz_recordOf_isZeroWhen_noLeaseHasEnded(uint32 any) public {
        leaseAt(Standing.DISPUTED);
        (uint128 delivered, uint128 failed) = delivery.recordOf(any);
        assertEq(delivered + failed, 0);
    }

    /// @dev Each lease that ends adds its unit-hours once: what counts as delivered, and the rest.
    function testFuzz_recordOf_sumsUnitHoursWhen_leasesEnd(
        uint64[4] memory units,
        uint64[4] memory milli,
        uint16 length
    ) public {
        length = uint16(bound(length, 1, 168));
        uint256 product = productOf(2, length);
        (uint256 delivered, uint256 whole) = (0, 0);
        for (uint256 i = 0; i < 4; ++i) {
            units[i] = uint64(bound(units[i], 1, 5000));
            milli[i] = uint64(bound(milli[i], 0, units[i] * 1000));
            issueTo(buyer.addr, product, units[i]);
            redeemAs(buyer.addr, product, units[i]);
        }
        goTo(endOf(product));
        for (uint64 i = 0; i < 4; ++i) {
            reportAs(provider.addr, i + 1, milli[i]);
            acceptAs(buyer.addr, i + 1);
            delivered += uint256(countedMilli(2, units[i], milli[i])) * length;
            whole += uint256(units[i]) * 1000 * length;
            assertRecord(delivered, whole - delivered);
        }
    }
}
