// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {CASH_MAX} from "../../../contracts/types/Account.sol";
import {SilentDollar} from "../support/tokens/SilentDollar.sol";
import {StubbornDollar} from "../support/tokens/StubbornDollar.sol";
import {Accounts} from "./Accounts.sol";

contract Treasury_depositWithPermit_Test is Accounts {
    struct Permit {
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    User internal owner;

    function setUp() public override {
        super.setUp();
        owner = makeUser("owner");
    }

    /// @dev ERC-2612, built here by its words.
    function _permit(User memory signer, uint256 amount, uint256 deadline) private view returns (Permit memory p) {
        bytes32 typehash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(
            abi.encode(typehash, signer.addr, address(treasury), amount, dollar.nonces(signer.addr), deadline)
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", dollar.DOMAIN_SEPARATOR(), structHash));
        p.deadline = deadline;
        (p.v, p.r, p.s) = vm.sign(signer.key, digest);
    }

    function _depositAs(address caller, uint256 amount, Permit memory p) private {
        vm.prank(caller);
        treasury.depositWithPermit(amount, p.deadline, p.v, p.r, p.s);
    }

    function _tomorrow_s() private view returns (uint256) {
        return vm.getBlockTimestamp() + 1 days;
    }

    function testFuzz_depositWithPermit_needsNoApproval(uint256 amount, uint256 wallet, uint256 deadline) public {
        wallet = bound(wallet, 1, CASH_MAX);
        amount = bound(amount, 1, wallet);
        deadline = bound(deadline, vm.getBlockTimestamp(), type(uint256).max);
        dollar.mint(owner.addr, wallet);
        Permit memory p = _permit(owner, amount, deadline);
        vm.expectEmit(address(treasury));
        emit ITreasury.Deposited(owner.addr, amount);
        _depositAs(owner.addr, amount, p);
        assertEq(treasury.cashOf(owner.addr), amount);
        assertEq(dollar.balanceOf(owner.addr), wallet - amount);
        assertEq(dollar.allowance(owner.addr, address(treasury)), 0);
    }

    function testFuzz_depositWithPermit_worksWhen_aStrangerUsedThePermitFirst(uint256 amount) public {
        amount = bound(amount, 1, CASH_MAX);
        dollar.mint(owner.addr, amount);
        Permit memory p = _permit(owner, amount, _tomorrow_s());
        vm.prank(thief.addr);
        dollar.permit(owner.addr, address(treasury), amount, p.deadline, p.v, p.r, p.s);
        _depositAs(owner.addr, amount, p);
        assertEq(treasury.cashOf(owner.addr), amount);
    }

    function testFuzz_depositWithPermit_ignoresABadPermitWhen_allowanceSuffices(uint256 amount, Permit memory garbage)
        public
    {
        amount = bound(amount, 1, CASH_MAX);
        give(owner.addr, 0, amount, amount);
        _depositAs(owner.addr, amount, garbage);
        assertEq(treasury.cashOf(owner.addr), amount);
    }

    function test_depositWithPermit_worksWhen_tokenRefusesPermits() public {
        give(owner.addr, 0, 100, 100);
        upgradeToken(address(new StubbornDollar()));
        _depositAs(owner.addr, 100, Permit(0, 0, 0, 0));
        assertEq(treasury.cashOf(owner.addr), 100);
    }

    function test_depositWithPermit_worksWhen_tokenKnowsNoPermits() public {
        SilentDollar token = new SilentDollar();
        useToken(address(token));
        token.mint(owner.addr, 100);
        vm.prank(owner.addr);
        token.approve(address(treasury), 100);
        _depositAs(owner.addr, 100, Permit(0, 0, 0, 0));
        assertEq(treasury.cashOf(owner.addr), 100);
    }

    /* REVERTS */

    function _expectNoAllowance(uint256 amount) private {
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(treasury), 0, amount)
        );
    }

    function test_depositWithPermit_revertsWhen_amountIsZero() public {
        Permit memory p = _permit(owner, 0, _tomorrow_s());
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_ZeroAmount.selector));
        _depositAs(owner.addr, 0, p);
    }

    function testFuzz_depositWithPermit_revertsWhen_permitIsLate(uint256 deadline) public {
        dollar.mint(owner.addr, 100);
        Permit memory p = _permit(owner, 100, bound(deadline, 0, vm.getBlockTimestamp() - 1));
        _expectNoAllowance(100);
        _depositAs(owner.addr, 100, p);
    }

    function testFuzz_depositWithPermit_revertsWhen_permitIsForAnotherAmount(uint256 amount, uint256 signed) public {
        amount = bound(amount, 1, CASH_MAX);
        vm.assume(signed != amount);
        dollar.mint(owner.addr, amount);
        Permit memory p = _permit(owner, signed, _tomorrow_s());
        _expectNoAllowance(amount);
        _depositAs(owner.addr, amount, p);
    }

    /// @dev A permit is its owner's: nobody turns it into cash of their own.
    function testFuzz_depositWithPermit_revertsWhen_permitIsSomeoneElses(uint256 amount) public {
        amount = bound(amount, 1, CASH_MAX);
        dollar.mint(owner.addr, amount);
        dollar.mint(thief.addr, amount);
        Permit memory p = _permit(owner, amount, _tomorrow_s());
        _expectNoAllowance(amount);
        _depositAs(thief.addr, amount, p);
        assertEq(dollar.balanceOf(owner.addr), amount);
    }

    function test_depositWithPermit_revertsWhen_permitWasUsed() public {
        dollar.mint(owner.addr, 200);
        Permit memory p = _permit(owner, 100, _tomorrow_s());
        _depositAs(owner.addr, 100, p);
        _expectNoAllowance(100);
        _depositAs(owner.addr, 100, p);
    }
}
