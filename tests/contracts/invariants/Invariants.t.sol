// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Market} from "../support/Market.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {Handler} from "./Handler.sol";
import {World} from "./World.sol";

/// @title Invariants
/// @notice Runs of random acts by everyone at once. The ids stand in tests/INVARIANTS.md.
contract Invariants_Test is Market {
    /// @dev So often tried, an act that never once was possible is badly guided.
    uint256 private constant OFTEN = 40;

    uint256 private constant WARM_UP = 100;

    Handler private handler;

    function setUp() public override {
        super.setUp();
        User memory second = makeUser("second provider");
        Puppet puppet = new Puppet();
        uint32[] memory sites = new uint32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            sites[i] = attestedSite(i == 2 ? second.addr : provider.addr, 1);
        }
        fund(second.addr, FUNDS);
        fund(makeUser("second buyer").addr, FUNDS);
        dollar.mint(address(puppet), FUNDS);
        puppet.act(address(dollar), abi.encodeCall(dollar.approve, (address(treasury), type(uint256).max)));
        handler = new Handler(World.Refs(standard, capacity, treasury, exchange, delivery, dollar, puppet), sites);
        // Runs start in the middle of a market's life.
        _play(WARM_UP, "the acts before the run");
        targetContract(address(handler));
        targetSelector(FuzzSelector(address(handler), _acts()));
    }

    /// @dev What a run may call; the trade itself more often than the rest.
    function _acts() private view returns (bytes4[] memory) {
        bytes4[30] memory list = [
            handler.offer.selector,
            handler.bid.selector,
            handler.relay.selector,
            handler.ask.selector,
            handler.clear.selector,
            handler.settle.selector,
            handler.pass.selector,
            handler.mint.selector,
            handler.retire.selector,
            handler.redeem.selector,
            handler.report.selector,
            handler.abort.selector,
            handler.accept.selector,
            handler.dispute.selector,
            handler.rule.selector,
            handler.resolve.selector,
            handler.expire.selector,
            handler.collect.selector,
            handler.split.selector,
            handler.merge.selector,
            handler.relax.selector,
            handler.transfer.selector,
            handler.deposit.selector,
            handler.withdraw.selector,
            handler.revoke.selector,
            handler.register.selector,
            handler.attest.selector,
            handler.pause.selector,
            handler.legislate.selector,
            handler.steal.selector
        ];
        bytes4[] memory acts = new bytes4[](list.length);
        for (uint256 i = 0; i < list.length; ++i) {
            acts[i] = list[i];
        }
        return acts;
    }

    /* WHAT THE CHAIN SAYS BETWEEN TWO ACTS */

    /// @dev INV-1, INV-2, INV-3, INV-5, INV-11, INV-15, INV-16.
    function invariant_everythingIsAccountedFor() public view {
        handler.checkSolvency();
        handler.checkSupply();
        handler.checkCalendar();
        handler.checkBooks();
        handler.checkEscrowedUnits();
        handler.checkRecords();
    }

    /* WHAT EVERY ACT KEPT, AND THE WAY OUT */

    /// @dev INV-4, INV-5, INV-6, INV-7, INV-8, INV-9, INV-10, INV-12, INV-13, INV-17 at each act; INV-14 when the run
    /// is over, in {afterInvariant}.
    function invariant_everyActKeepsTheRules() public view {
        assertEq(handler.broken(), 0, "bits of the invariants that an act broke");
    }

    function afterInvariant() public {
        for (uint256 i = 0; i <= uint256(type(World.Act).max); ++i) {
            World.Act act = World.Act(i);
            if (handler.tried(act) >= OFTEN) assertGt(handler.done(act), 0, vm.toString(i));
        }
        handler.exit();
        assertEq(handler.broken(), 0, "bits of the invariants that an act broke on the way out");
        handler.checkEmpty();
    }

    /* THE HANDLERS REALLY ACT */

    /// @dev A long run with a fixed seed: every act is done many times, leases end for every reason, units trade.
    function test_guidance_everyActIsDoneWhen_theRunIsLong() public {
        _play(3000, "a long run");
        _logDone();
        for (uint256 i = 0; i <= uint256(type(World.Act).max); ++i) {
            assertGt(handler.done(World.Act(i)), 0, vm.toString(i));
        }
        for (uint256 i = 1; i <= uint256(type(IDelivery.Reason).max); ++i) {
            assertGt(handler.ended(IDelivery.Reason(i)), 0, "a reason that no lease ended for");
        }
        assertGt(handler.tradedUnits(), 1000);
        assertEq(handler.broken(), 0);
        handler.exit();
        handler.checkEmpty();
    }

    /// @dev As many acts, each chosen by chance, of a seed that the text gives.
    function _play(uint256 count, string memory text) private {
        bytes4[] memory acts = _acts();
        for (uint256 i = 0; i < count; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(text, i)));
            (bool passed, bytes memory why) =
                address(handler).call(abi.encodeWithSelector(acts[seed % acts.length], seed));
            assertTrue(passed, string(why));
        }
    }

    function _logDone() private {
        for (uint256 i = 0; i <= uint256(type(World.Act).max); ++i) {
            World.Act act = World.Act(i);
            string memory count = string.concat(vm.toString(handler.done(act)), " of ", vm.toString(handler.tried(act)));
            emit log_named_string(vm.toString(i), count);
        }
        for (uint256 i = 1; i <= uint256(type(IDelivery.Reason).max); ++i) {
            emit log_named_uint("leases ended for reason", handler.ended(IDelivery.Reason(i)));
        }
        emit log_named_uint("units traded", handler.tradedUnits());
    }
}
