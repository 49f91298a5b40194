// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Leases} from "./Leases.sol";

contract Delivery_leaseOf_Test is Leases {
    function testFuzz_leaseOf_revertsWhen_theLeaseIsUnknown(uint64 lease) public {
        (uint64 last,) = openLease(2, UNITS, 24);
        if (lease == last) ++lease;
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_UnknownLease.selector, lease));
        delivery.leaseOf(lease);
    }

    /// @dev The lease's 88 bits of product are all of a well-formed id, whatever class, area and window it has.
    function test_leaseOf_readsEveryStandingWhen_leasesGoOn() public {
        for (uint256 i = 0; i <= uint256(type(Standing).max); ++i) {
            uint256 id = vm.snapshotState();
            uint256 product = productOf(2, 24);
            IDelivery.Lease memory l = delivery.leaseOf(leaseAt(Standing(i)));
            assertEq(uint256(l.state), uint256(stateOf(Standing(i))));
            assertEq(l.aborted, Standing(i) == Standing.ABORTED || Standing(i) == Standing.ABORTED_AND_DISPUTED);
            assertEq(l.holder, buyer.addr);
            assertEq(l.product, product);
            assertEq(l.site, site);
            assertEq(l.units, UNITS);
            vm.revertToState(id);
        }
    }
}
