// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {Puppet} from "../support/recipients/Puppet.sol";
import {Sites} from "./Sites.sol";

/// @dev What is ours in ERC-1155's transfers: who may not move tokens, and where they cannot be lost.
contract Capacity_safeTransferFrom_Test is Sites {
    function _transfer(address caller, address from, address to, uint256 units) private {
        vm.prank(caller);
        capacity.safeTransferFrom(from, to, tomorrow(), units, "");
    }

    function testFuzz_safeTransferFrom_movesUnitsAndNoObligation(uint64 had, uint64 units) public {
        had = uint64(bound(had, 1, CAP));
        units = uint64(bound(units, 0, had));
        mintAs(provider.addr, site, tomorrow(), had);
        uint256 bond = bondOf(site, tomorrow());
        _transfer(provider.addr, provider.addr, buyer.addr, units);
        assertEq(capacity.balanceOf(buyer.addr, tomorrow()), units);
        assertEq(capacity.balanceOf(provider.addr, tomorrow()), had - units);
        assertEq(owedBy(site, tomorrow()), had);
        assertEq(bondOf(site, tomorrow()), bond);
    }

    /// @dev No role and no contract of the market is approved for anybody's tokens.
    function testFuzz_safeTransferFrom_revertsWhen_callerIsNotApproved(address caller) public {
        vm.assume(caller != buyer.addr);
        issueTo(buyer.addr, provider.addr, site, tomorrow(), 10);
        vm.expectRevert(
            abi.encodeWithSelector(IERC1155Errors.ERC1155MissingApprovalForAll.selector, caller, buyer.addr)
        );
        _transfer(caller, buyer.addr, thief.addr, 1);
    }

    function test_safeTransferFrom_revertsWhen_callerIsTheMarketOrARole() public {
        issueTo(buyer.addr, provider.addr, site, tomorrow(), 10);
        address[6] memory callers =
            [address(exchange), address(delivery), address(treasury), auditor, guardian, address(this)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IERC1155Errors.ERC1155MissingApprovalForAll.selector, callers[i], buyer.addr)
            );
            _transfer(callers[i], buyer.addr, thief.addr, 1);
        }
    }

    /// @dev Tokens that are sent to the market's contracts would be stuck: they refuse them.
    function test_safeTransferFrom_revertsWhen_itGoesToTheMarket() public {
        issueTo(buyer.addr, provider.addr, site, tomorrow(), 10);
        address[5] memory contracts =
            [address(exchange), address(delivery), address(treasury), address(capacity), address(standard)];
        for (uint256 i = 0; i < contracts.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IERC1155Errors.ERC1155InvalidReceiver.selector, contracts[i]));
            _transfer(buyer.addr, buyer.addr, contracts[i], 1);
        }
    }

    function test_safeTransferFrom_asksAContract() public {
        Puppet puppet = new Puppet();
        issueTo(buyer.addr, provider.addr, site, tomorrow(), 10);
        _transfer(buyer.addr, buyer.addr, address(puppet), 4);
        assertEq(puppet.received(), 4);
        puppet.setManner(Puppet.Manner.ANSWER_WRONG);
        vm.expectRevert(abi.encodeWithSelector(IERC1155Errors.ERC1155InvalidReceiver.selector, address(puppet)));
        _transfer(buyer.addr, buyer.addr, address(puppet), 4);
    }
}
