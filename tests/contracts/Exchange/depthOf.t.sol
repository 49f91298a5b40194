// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Rounds} from "./support/Rounds.sol";

contract Exchange_depthOf_Test is Rounds {
    function _assertDepth(uint64 named) private view {
        (uint64[1024] memory bids, uint64[1024] memory asks) = exchange.depthOf(product, named);
        for (uint256 tick = 0; tick < 1024; ++tick) {
            assertEq(bids[tick], volumes[named].standing[true][tick], "bids");
            assertEq(asks[tick], volumes[named].standing[false][tick], "asks");
        }
    }

    /// forge-config: default.fuzz.runs = 16
    /// forge-config: ci.fuzz.runs = 64
    function testFuzz_depthOf_countsEveryOrderOfItsRound(uint256 seed_, uint8 width, uint8 bits) public {
        seed(seed_);
        stockEveryone();
        placeAnyBook(12, width, bits);
        _assertDepth(round);
        _assertDepth(round + 1);
        clearRound();
        settleRandomly();
        _assertDepth(round);
    }

    function testFuzz_depthOf_revertsWhen_productHasUpperBits(uint168 bits, uint64 named) public view {
        vm.assume(bits != 0);
        uint256 wrong = product | (uint256(bits) << 88);
        // Not by expectRevert, which answers fewer bytes than 2,048 words.
        (bool done, bytes memory reason) =
            address(exchange).staticcall(abi.encodeCall(exchange.depthOf, (wrong, named)));
        assertFalse(done);
        assertEq(reason, abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, wrong));
    }
}
