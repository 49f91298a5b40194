// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CASH_MAX} from "../../../contracts/types/Account.sol";
import {Accounts} from "./Accounts.sol";

contract Treasury_cashOf_Test is Accounts {
    function testFuzz_cashOf_isFreeCashAlone(uint256 cash, uint256 wallet, uint256 escrowed) public {
        cash = bound(cash, 0, CASH_MAX);
        wallet = bound(wallet, 0, CASH_MAX);
        escrowed = bound(escrowed, 0, cash);
        address owner = ownerWith(cash, wallet, wallet);
        assertEq(treasury.cashOf(owner), cash);
        escrow(owner, escrowed);
        assertEq(treasury.cashOf(owner), cash - escrowed);
    }

    function testFuzz_cashOf_isZeroFor_strangers(address owner) public view {
        vm.assume(owner != provider.addr && owner != buyer.addr && owner != reseller.addr);
        assertEq(treasury.cashOf(owner), 0);
    }
}
