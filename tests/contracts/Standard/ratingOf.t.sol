// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Market} from "../support/Market.sol";

contract Standard_ratingOf_Test is Market {
    function test_ratingOf_givesTheLatest() public {
        IStandard.Rating memory first = IStandard.Rating(1_000_000, IStandard.Basis.MEASURED, 1, keccak256("evidence"));
        assertEq(abi.encode(standard.ratingOf(H100, AI_LARGE)), abi.encode(first));
        vm.prank(committee);
        standard.rate("H100 SXM5 80GB", AI_LARGE, 7, 2, "");
        IStandard.Rating memory second = IStandard.Rating(7, IStandard.Basis.DATASHEET, 2, "");
        assertEq(abi.encode(standard.ratingOf(H100, AI_LARGE)), abi.encode(second));
    }

    function testFuzz_ratingOf_isZeroWhen_deviceIsUnrated(bytes32 device, uint8 class) public view {
        vm.assume(device != H100 || class != AI_LARGE);
        IStandard.Rating memory none;
        assertEq(abi.encode(standard.ratingOf(device, class)), abi.encode(none));
    }
}
