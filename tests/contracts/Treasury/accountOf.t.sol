// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CASH_MAX} from "../../../contracts/types/Account.sol";
import {Accounts} from "./Accounts.sol";

contract Treasury_accountOf_Test is Accounts {
    function testFuzz_accountOf_givesTheWholeAccount(uint256 cash, uint8 epochs, uint40 round, uint80 used) public {
        cash = bound(cash, 0, CASH_MAX);
        epochs %= 4;
        address owner = ownerWith(cash, 0, 0);
        for (uint256 i = 0; i < epochs; ++i) {
            revoke(owner);
        }
        // One order at least, so that the round is that one.
        used |= 1;
        for (uint8 index = 0; index < 80; ++index) {
            if ((used >> index) & 1 == 1) escrowSigned(owner, 0, round, index, epochs);
        }
        (uint256 gotCash, uint32 gotEpoch, uint64 gotRound, uint80 gotUsed) = treasury.accountOf(owner);
        assertEq(gotCash, cash);
        assertEq(gotEpoch, epochs);
        assertEq(gotRound, round);
        assertEq(gotUsed, used);
    }

    function testFuzz_accountOf_isZeroFor_strangers(address owner) public view {
        vm.assume(owner != provider.addr && owner != buyer.addr && owner != reseller.addr);
        (uint256 cash, uint32 epoch, uint64 round, uint80 used) = treasury.accountOf(owner);
        assertEq(cash | epoch | round | used, 0);
    }
}
