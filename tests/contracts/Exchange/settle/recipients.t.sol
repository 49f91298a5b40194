// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../../contracts/interfaces/IExchange.sol";
import {Kind, Order} from "../../../../contracts/types/Order.sol";
import {SignedOrder} from "../../../../contracts/types/SignedOrder.sol";
import {IMoreVm} from "../support/IMoreVm.sol";
import {Nest} from "../support/Phoenix.sol";
import {Rounds} from "../support/Rounds.sol";
import {Wallet} from "../support/Wallet.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @dev Owners that are contracts: none of them can stop, take from, or be cheated by another's settlement.
contract Exchange_settle_Recipients_Test is Rounds {
    Wallet private _wallet;

    function setUp() public override {
        super.setUp();
        _wallet = new Wallet(people[0].addr);
        people.push(User(address(_wallet), 0));
        enrich(address(_wallet));
        openAccounts();
    }

    /// @dev The wallet bids for 100 of 300 units between two people; all of it trades.
    function _trade() private {
        placeBid(people[0], TICK, 100);
        _bidByWallet(100);
        placeBid(people[1], TICK, 100);
        placeOffer(sites[0], TICK, 300);
        clearRound();
    }

    function _bidByWallet(uint64 units) private {
        _wallet.act(address(exchange), abi.encodeCall(exchange.bid, (product, TICK, units)));
        record(Kind.BID, address(_wallet), 0, TICK, units);
    }

    function _one(uint32 index) private pure returns (uint32[] memory indices) {
        indices = new uint32[](1);
        indices[0] = index;
    }

    function _held() private view returns (uint256) {
        return exchange.heldOf(product, address(_wallet));
    }

    /// @dev Everyone has what is theirs, the wallet's units being held for it.
    function _assertHeld(uint256 units) private {
        assertEq(_held(), units, "held");
        assertEq(unitsOf(address(_wallet)), 0, "taken");
        assertAllSettled(0, units);
    }

    /* TAKING AND REFUSING */

    function test_settle_givesAContractItsUnits() public {
        _trade();
        settleRandomly();
        assertAllSettled(0, 0);
        assertEq(_held(), 0);
    }

    /// @dev It reverts, answers wrongly or too shortly, or burns all it is given: its units are held, its money and
    /// everyone else are paid.
    function testFuzz_settle_holdsUnitsWhen_aContractRefusesThem(uint8 manner, uint256 seed_) public {
        seed(seed_);
        _trade();
        _wallet.setTaking(Wallet.Manner(1 + manner % 4));
        vm.expectEmit(address(exchange));
        emit IExchange.Held(product, address(_wallet), 100);
        exchange.settle(product, round, firstIndices(4));
        _assertHeld(100);
    }

    function test_settle_holdsUnitsWhen_aContractKnowsNoUnits() public {
        _trade();
        vm.etch(address(_wallet), hex"00");
        exchange.settle(product, round, firstIndices(4));
        _assertHeld(100);
    }

    /// @dev What comes back of an ask is handed over the same way.
    function test_settle_holdsWhatComesBackWhen_aContractRefusesIt() public {
        stock(address(_wallet), 500);
        openAccounts();
        _wallet.act(address(exchange), abi.encodeCall(exchange.ask, (product, TICK, 500)));
        record(Kind.ASK, address(_wallet), 0, TICK, 500);
        placeBid(people[0], TICK, 120);
        clearRound();
        _wallet.setTaking(Wallet.Manner.REFUSE);
        vm.expectEmit(address(exchange));
        emit IExchange.Held(product, address(_wallet), 380);
        exchange.settle(product, round, firstIndices(2));
        assertEq(moneyOf(address(_wallet)), moneyBefore[address(_wallet)] + 120 * priceOf(TICK));
        _assertHeld(380);
    }

    /// @dev A void round's units too.
    function test_settle_holdsWhatComesBackWhen_roundIsVoid() public {
        stock(address(_wallet), 500);
        openAccounts();
        _wallet.act(address(exchange), abi.encodeCall(exchange.ask, (product, TICK, 500)));
        record(Kind.ASK, address(_wallet), 0, TICK, 500);
        _wallet.setTaking(Wallet.Manner.REFUSE);
        goTo(startOf(product));
        exchange.settle(product, round, _one(0));
        _assertHeld(500);
    }

    function test_settle_addsUpWhatIsHeld() public {
        _trade();
        _wallet.setTaking(Wallet.Manner.REFUSE);
        exchange.settle(product, round, firstIndices(4));
        openRound();
        _trade();
        exchange.settle(product, round, firstIndices(8));
        assertEq(_held(), 200);
        assertEq(unitsOf(address(exchange)), 200);
    }

    /// @dev Nothing to hand over: nobody is asked.
    function test_settle_asksNobodyWhen_thereAreNoUnits() public {
        _bidByWallet(100);
        clearRound();
        _wallet.setTaking(Wallet.Manner.BURN_GAS);
        exchange.settle(product, round, _one(0));
        assertLt(vm.lastCallGas().gasTotalUsed, 150_000);
        assertAllSettled(0, 0);
    }

    /* ACCOUNTS WITH A KEY */

    /// @dev A bidder that has a key, by having sent or signed the bid, is not asked, whatever code it delegates to by
    /// then: it can move what it gets.
    function testFuzz_settle_asksNobodyWhen_bidderHasAKey(bool isSigned, uint8 manner) public {
        User memory owner = people[0];
        if (isSigned) {
            relay(owner, Kind.BID, 0, TICK, 100);
        } else {
            vm.prank(owner.addr, owner.addr);
            exchange.bid(product, TICK, 100);
            record(Kind.BID, owner.addr, 0, TICK, 100);
        }
        placeOffer(sites[0], TICK, 100);
        clearRound();
        vm.etch(owner.addr, abi.encodePacked(hex"ef0100", address(new Wallet(address(0)))));
        Wallet(owner.addr).setTaking(Wallet.Manner(manner % 5));
        settleRandomly();
        assertAllSettled(0, 0);
    }

    /// @dev An asker is: its units are held if its code refuses them, and it can still collect them elsewhere.
    function test_settle_holdsAnAskersUnitsWhen_itsCodeRefusesThem() public {
        User memory owner = people[0];
        stock(owner.addr, 500);
        placeAsk(owner, TICK, 500);
        nextRound();
        exchange.clear(product, round);
        vm.etch(owner.addr, abi.encodePacked(hex"ef0100", address(new Wallet(address(0)))));
        Wallet(owner.addr).setTaking(Wallet.Manner.REFUSE);
        exchange.settle(product, round, _one(0));
        assertEq(exchange.heldOf(product, owner.addr), 500);
        vm.prank(owner.addr);
        exchange.collect(product, people[1].addr);
        assertEq(unitsOf(people[1].addr), 500);
    }

    /* CALLING BACK */

    /// @dev Every way back into Exchange that moves money or units is shut while a settlement is under way.
    function testFuzz_settle_shutsTheDoorWhen_aRecipientCallsBack(uint8 door) public {
        _trade();
        bytes memory call_;
        if (door % 4 == 0) call_ = abi.encodeCall(exchange.settle, (product, round, _one(2)));
        else if (door % 4 == 1) call_ = abi.encodeCall(exchange.settle, (product, round, _one(1)));
        else if (door % 4 == 2) call_ = abi.encodeCall(exchange.collect, (product, address(_wallet)));
        else call_ = abi.encodeCall(exchange.placeSigned, (new SignedOrder[](0), new uint32[](0)));
        _wallet.whenTaking(address(exchange), call_);
        settleExactly(firstIndices(2));
        assertFalse(_wallet.done());
        assertEq(bytes32(_wallet.failure()), bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector));
        settleRandomly();
        assertAllSettled(0, 0);
    }

    /// @dev What is its own it may do at once: withdraw, bid again, ask what it just got, clear another round.
    function testFuzz_settle_staysExactWhen_aRecipientActsOnWhatItGot(uint8 act) public {
        stock(address(_wallet), 200);
        openAccounts();
        _trade();
        (uint256 escrow, uint256 asked, bytes memory call_) = (0, 0, bytes(""));
        if (act % 4 == 0) {
            call_ = abi.encodeCall(treasury.withdraw, (1000, address(_wallet)));
        } else if (act % 4 == 1) {
            (escrow, call_) = (50 * priceOf(TICK), abi.encodeCall(exchange.bid, (product, TICK, 50)));
        } else if (act % 4 == 2) {
            (asked, call_) = (200, abi.encodeCall(exchange.ask, (product, TICK, 200)));
        } else {
            (escrow, call_) = (100 * priceOf(TICK), abi.encodeCall(exchange.clear, (product, round + 1)));
            bidAs(address(_wallet), product, TICK, 100);
            nextRound();
        }
        _wallet.whenTaking(act % 4 == 0 ? address(treasury) : address(exchange), call_);
        settleRandomly();
        assertTrue(_wallet.done(), "done");
        // What it put into the book anew is there, and nowhere else.
        moneyBefore[address(_wallet)] -= escrow;
        unitsBefore[address(_wallet)] -= asked;
        assertAllSettled(escrow, asked);
    }

    /// @dev An account that dies in the transaction that made it has no code when its order is settled, until another
    /// recipient, called back in the same settlement, lets it rise again.
    function test_settle_paysOnceWhen_ownerGetsCodeWhileOthersAreCalledBack() public {
        Nest nest = new Nest();
        address phoenix = nest.phoenix();
        dollar.mint(phoenix, RICHES);
        Nest.Act[] memory acts = new Nest.Act[](2);
        acts[0] = Nest.Act(address(dollar), abi.encodeCall(dollar.approve, (address(treasury), RICHES)));
        acts[1] = Nest.Act(address(exchange), abi.encodeCall(exchange.bid, (product, TICK, 100)));
        nest.liveADay(acts);
        // Forge forgets what died in a transaction of its own.
        vm.etch(phoenix, "");
        IMoreVm(address(vm)).setNonceUnsafe(phoenix, 0);
        record(Kind.BID, phoenix, 0, TICK, 100);
        _wallet.whenTaking(address(nest), abi.encodeCall(nest.hatch, ()));
        _trade();

        uint32[] memory indices = new uint32[](2);
        (indices[0], indices[1]) = (2, 0);
        exchange.settle(product, round, indices);
        assertTrue(_wallet.done(), "it has risen");
        uint256 got = unitsOf(phoenix) + exchange.heldOf(product, phoenix);
        assertEq(got, tradedUnits / 4, "once");
    }

    /* GAS */

    /// @dev What an owner burns below its share of gas is its own business; above, its units are held.
    function testFuzz_settle_givesAContractGasToTakeItsUnits(uint64 burnt) public {
        _trade();
        burnt = uint64(bound(burnt, 0, 400_000));
        _wallet.setBurnt(burnt);
        exchange.settle(product, round, firstIndices(4));
        if (burnt <= 150_000) assertEq(_held(), 0, "enough for a fresh balance and 150,000");
        if (burnt >= 200_000) assertEq(_held(), 100, "no more than that");
        assertEq(unitsOf(address(_wallet)) + _held(), 100);
    }

    /// @dev Whoever settles with little gas fails as a whole: no willing owner is made to look unwilling.
    function testFuzz_settle_cannotForceHeldWhen_callerSavesGas(uint256 gas_, uint8 wallets) public {
        placeBid(people[0], TICK, 100);
        uint256 count = 1 + wallets % 4;
        Wallet[] memory all = new Wallet[](count);
        for (uint256 i = 0; i < count; ++i) {
            all[i] = new Wallet(people[0].addr);
            all[i].setBurnt(120_000);
            enrich(address(all[i]));
            all[i].act(address(exchange), abi.encodeCall(exchange.bid, (product, TICK, 100)));
        }
        offerAs(provider.addr, sites[0], product, TICK, 100 * uint64(1 + count));
        nextRound();
        exchange.clear(product, round);
        gas_ = bound(gas_, 100_000, 400_000 + 250_000 * count);
        bool settled = true;
        try exchange.settle{gas: gas_}(product, round, firstIndices(count + 2)) {}
        catch (bytes memory reason) {
            settled = false;
            // Out of gas altogether says nothing.
            if (reason.length != 0) {
                assertEq(bytes32(bytes4(reason)), bytes32(IExchange.Exchange_GasTooLow.selector));
            }
        }
        for (uint256 i = 0; i < count; ++i) {
            assertEq(exchange.heldOf(product, address(all[i])), 0, "held");
            assertEq(unitsOf(address(all[i])), settled ? 100 : 0, "all or nothing");
        }
        (, bool first) = orderAt(0);
        assertEq(first, settled);
    }

    /// @dev The hungriest owner that is still served, and ever more gas: a settlement fails, then asks for its due, then
    /// serves it.
    function test_settle_revertsWhen_gasIsTooLow() public {
        _trade();
        _wallet.setBurnt(_mostBurnt());
        uint256 needed = uint256(200_000) * 64 / 63 + 50_000;
        uint256 refused = 0;
        bool settled = false;
        for (uint256 gas_ = 200_000; !settled; gas_ += 1000) {
            try exchange.settle{gas: gas_}(product, round, _one(1)) {
                settled = true;
            } catch (bytes memory reason) {
                if (reason.length == 0) continue;
                ++refused;
                assertEq(bytes32(bytes4(reason)), bytes32(IExchange.Exchange_GasTooLow.selector));
                (uint256 left, uint256 wanted) = this.valuesOf(reason);
                assertEq(wanted, needed);
                assertLt(left, needed);
            }
        }
        assertGt(refused, 0);
        assertEq(_held(), 0);
    }

    /// @dev What the wallet can burn and still take its units, with all the gas there is.
    function _mostBurnt() private returns (uint64 burnt) {
        uint256 state = vm.snapshotState();
        for (burnt = 200_000; unitsOf(address(_wallet)) == 0; burnt -= 500) {
            vm.revertToState(state);
            state = vm.snapshotState();
            _wallet.setBurnt(burnt - 500);
            exchange.settle(product, round, _one(1));
        }
        vm.revertToState(state);
    }

    function valuesOf(bytes calldata reason) external pure returns (uint256, uint256) {
        return abi.decode(reason[4:], (uint256, uint256));
    }
}
