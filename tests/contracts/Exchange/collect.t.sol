// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {Rounds} from "./support/Rounds.sol";
import {Wallet} from "./support/Wallet.sol";
import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

contract Exchange_collect_Test is Rounds {
    Wallet private _wallet;

    /// @dev The wallet refused 100 units.
    function setUp() public override {
        super.setUp();
        _wallet = new Wallet(people[0].addr);
        _wallet.setTaking(Wallet.Manner.REFUSE);
        enrich(address(_wallet));
        _wallet.act(address(exchange), abi.encodeCall(exchange.bid, (product, TICK, 100)));
        offerAs(provider.addr, sites[0], product, TICK, 150);
        nextRound();
        exchange.clear(product, round);
        exchange.settle(product, round, firstIndices(2));
        assertEq(exchange.heldOf(product, address(_wallet)), 100);
    }

    function _collect(address to) private {
        _wallet.act(address(exchange), abi.encodeCall(exchange.collect, (product, to)));
    }

    function _nothingHeld(uint256 product_, address owner) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IExchange.Exchange_NothingHeld.selector, product_, owner);
    }

    function test_collect_handsOutAllThatIsHeldOnce() public {
        vm.expectEmit(address(exchange));
        emit IExchange.Collected(product, address(_wallet), people[1].addr, 100);
        _collect(people[1].addr);
        assertEq(unitsOf(people[1].addr), 100);
        assertEq(unitsOf(address(exchange)), 0);
        assertEq(exchange.heldOf(product, address(_wallet)), 0);
        vm.expectRevert(_nothingHeld(product, address(_wallet)));
        _collect(people[1].addr);
    }

    function test_collect_handsOutToTheOwnerItselfWhen_itAcceptsByNow() public {
        _wallet.setTaking(Wallet.Manner.GOOD);
        _collect(address(_wallet));
        assertEq(unitsOf(address(_wallet)), 100);
    }

    function test_collect_worksWhen_deliveryIsOverAndOrdersArePaused() public {
        vm.prank(guardian);
        exchange.setOrdersPaused(true);
        goTo(endOf(product) + 365 days);
        _collect(people[1].addr);
        assertEq(unitsOf(people[1].addr), 100);
    }

    function testFuzz_collect_revertsWhen_nothingIsHeld(address owner, uint256 product_) public {
        vm.assume(owner != address(_wallet) || product_ != product);
        vm.expectRevert(_nothingHeld(product_, owner));
        vm.prank(owner);
        exchange.collect(product_, thief.addr);
    }

    /// @dev The units stay held.
    function testFuzz_collect_revertsWhen_recipientRefuses(uint8 manner) public {
        Wallet other = new Wallet(people[0].addr);
        other.setTaking(Wallet.Manner(1 + manner % 4));
        (bool done,) = address(_wallet).call{gas: 1_000_000}(
            abi.encodeCall(
                _wallet.act, (address(exchange), abi.encodeCall(exchange.collect, (product, address(other))))
            )
        );
        assertFalse(done);
        assertEq(exchange.heldOf(product, address(_wallet)), 100);
        assertEq(unitsOf(address(exchange)), 100);
    }

    function test_collect_revertsWhen_recipientIsNobody() public {
        vm.expectRevert(abi.encodeWithSelector(IERC1155Errors.ERC1155InvalidReceiver.selector, address(0)));
        _collect(address(0));
        assertEq(exchange.heldOf(product, address(_wallet)), 100);
    }

    /// @dev Not twice, and not into a settlement.
    function testFuzz_collect_shutsTheDoorWhen_recipientCallsBack(bool collects) public {
        _wallet.setTaking(Wallet.Manner.GOOD);
        _wallet.whenTaking(
            address(exchange),
            collects
                ? abi.encodeCall(exchange.collect, (product, people[2].addr))
                : abi.encodeCall(exchange.settle, (product, round, firstIndices(2)))
        );
        _collect(address(_wallet));
        assertFalse(_wallet.done());
        assertEq(bytes32(_wallet.failure()), bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector));
        assertEq(unitsOf(address(_wallet)), 100);
        assertEq(unitsOf(people[2].addr), 0);
    }
}
