"""Sending: nothing that would fail is sent, several may be under way, and every failure has its name."""

import time
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
from eth_account import Account

from ledger import (
    Action,
    NodeRefused,
    NotIncluded,
    Receipt,
    Secret,
    Sender,
    errors,
)
from ledger.abi import Call
from ledger.chain import TRANSACTION_GAS_MAX, connect, created_address
from ledger.errors import BadStore, Cancelled, InputError, KeyBusy, KeyReused, UnknownIntent
from ledger.keys import signer_from_mnemonic
from ledger.node import DEVELOPMENT_MNEMONIC, local_node
from ledger.sending.drafts import Sent
from ledger.sending.fees import WEI_PER_GWEI, FeePolicy
from ledger.store.engine import open_store
from ledger.store.intents import State
from tests.world import World

RICH = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), 0)
PAUPER = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), 10_000)


def faucet(world: World, amount_micro: int = 1) -> Action[None]:
    return world.market.mint_test_dollars(world.seller.address, amount_micro)


def test_built_transaction_can_be_signed_and_sent_by_anyone_with_the_key(world: World) -> None:
    unsigned = faucet(world, 7).build(world.buyer.address)
    signed = world.buyer.sign_transaction(unsigned.fields())
    assert Account.recover_transaction(signed.raw) == world.buyer.address
    before = world.market.wallet_micro(world.seller.address)
    world.chain.send_raw(signed.raw)
    receipt = None
    while receipt is None:
        receipt = world.chain.receipt(signed.hash)
    assert receipt.succeeded
    assert receipt.gas_used <= unsigned.gas
    assert world.market.wallet_micro(world.seller.address) == before + 7


def test_built_transaction_is_shown_to_wallets_in_hex(world: World) -> None:
    unsigned = faucet(world).build(world.buyer.address)
    shown = unsigned.json()
    assert shown["from"] == world.buyer.address
    assert int(shown["chainId"], 16) == world.chain.chain_id
    assert int(shown["nonce"], 16) == world.chain.nonce(world.buyer.address)
    assert shown["data"] == "0x" + unsigned.data.hex()
    assert int(shown["maxFeePerGas"], 16) == unsigned.max_fee_wei >= unsigned.tip_wei
    assert shown["to"] == world.market.address("Token")


def test_two_senders_of_one_key_do_not_collide(world: World) -> None:
    other = Sender(world.chain)
    for sender in (world.market.sender, other, world.market.sender, other):
        sender.send(faucet(world).call, world.seller)


def test_account_without_gas_money_is_told_so(world: World) -> None:
    with pytest.raises(NodeRefused) as refused:
        faucet(world).send(PAUPER)
    assert "money for gas" in refused.value.remedy


def test_gas_above_the_cap_is_not_paid(world: World) -> None:
    frugal = Sender(world.chain, fees=FeePolicy(cap_wei=1))
    with pytest.raises(NodeRefused, match="more than the cap"):
        frugal.send(faucet(world).call, world.seller)
    enough = Sender(world.chain, fees=FeePolicy(cap_wei=5 * WEI_PER_GWEI))
    assert enough.build(faucet(world).call, world.seller.address).max_fee_wei <= 5 * WEI_PER_GWEI


def test_failure_that_the_simulation_could_not_see_is_named_after_the_fact(world: World) -> None:
    """Two withdrawals of all there is, side by side: each alone would do."""
    all_micro = world.market.cash_micro(world.provider.address)
    call = world.market.withdraw(all_micro, world.provider.address).call
    unsigned = world.market.sender.build(call, world.provider.address)
    first, second = (
        world.provider.sign_transaction(replace(unsigned, nonce=unsigned.nonce + count, gas=200_000).fields())
        for count in range(2)
    )
    with world.clock.one_block():
        world.chain.send_raw(first.raw)
        world.chain.send_raw(second.raw)
    receipt = world.chain.receipt(second.hash)
    assert receipt is not None
    assert not receipt.succeeded
    with pytest.raises(errors.Treasury_InsufficientCash):
        world.market.sender.wait(Sent(call, world.provider.address, second.hash, unsigned.nonce + 1, 200_000))
    world.market.fund(all_micro, world.provider)


def test_transaction_that_runs_out_of_gas_says_so(world: World) -> None:
    call = replace(faucet(world).call, gas=30_000)
    with pytest.raises(errors.Unknown, match="ran out of gas"):
        world.market.sender.send(call, world.seller)


def test_transaction_that_is_in_no_block_is_not_waited_for_for_ever(world: World) -> None:
    hasty = Sender(world.chain, timeout_s=0)
    with world.clock.one_block():
        if world.chain.in_process:
            # There a pending transaction has a receipt at once; one that was never sent has none.
            sent = replace(hasty.submit(faucet(world).call, world.seller), transaction="0x" + "ab" * 32)
        else:
            sent = hasty.submit(faucet(world).call, world.seller)
        with pytest.raises(NotIncluded) as waiting:
            hasty.wait(sent)
    assert waiting.value.transaction == sent.transaction


def test_gas_limit_is_the_estimate_and_a_little_more(anvil_world: World) -> None:
    call = faucet(anvil_world).call
    unsigned = anvil_world.market.sender.build(call, anvil_world.seller.address)
    receipt = anvil_world.market.sender.send(call, anvil_world.seller)
    assert receipt.gas_used < unsigned.gas < receipt.gas_used + 100_000
    named = replace(call, gas=99_999)
    assert anvil_world.market.sender.build(named, anvil_world.seller.address).gas == 99_999


def test_gas_limit_in_this_process_is_what_a_transaction_may_burn(tester_world: World) -> None:
    unsigned = tester_world.market.sender.build(faucet(tester_world).call, tester_world.seller.address)
    assert unsigned.gas == TRANSACTION_GAS_MAX


def test_contract_is_created_where_foreseen_from_a_wallets_transaction(world: World) -> None:
    artifact = world.chain.artifact("TestDollar")
    creation = world.chain.interface("TestDollar").creation(artifact.creation_code)
    unsigned = world.market.sender.build(creation, world.seller.address)
    assert "to" not in unsigned.fields()
    receipt: Receipt = world.market.sender.send(creation, world.seller)
    assert receipt.contract == created_address(world.seller.address, unsigned.nonce)


def test_same_key_and_call_is_the_same_transaction(world: World) -> None:
    sender = Sender(world.chain)
    call = faucet(world, 3).call
    before = world.market.wallet_micro(world.seller.address)
    first = sender.submit(call, world.seller, "three")
    assert sender.submit(call, world.seller, "three") == first
    assert sender.send(call, world.seller, "three") == sender.wait(first)
    assert world.market.wallet_micro(world.seller.address) == before + 3
    for other, signer in ((faucet(world, 4).call, world.seller), (call, world.buyer)):
        with pytest.raises(KeyReused):
            sender.submit(other, signer, "three")


def test_many_in_one_submission_keep_their_order(world: World) -> None:
    sender = Sender(world.chain)
    before = world.market.wallet_micro(world.seller.address)
    signers = [world.seller, world.buyer, world.seller]
    with world.clock.one_block():
        sents = sender.submit_many([(faucet(world, 10**place).call, one) for place, one in enumerate(signers)])
    receipts = sender.wait_all(sents)
    assert len({receipt.block for receipt in receipts}) == 1
    assert sents[2].nonce == sents[0].nonce + 1
    assert world.market.wallet_micro(world.seller.address) == before + 111


def test_none_of_many_is_kept_where_one_would_fail(world: World) -> None:
    sender = Sender(world.chain)
    bad = world.market.withdraw(2**80, world.buyer.address).call
    with pytest.raises(errors.Treasury_InsufficientCash):
        sender.submit_many([(faucet(world).call, world.seller), (bad, world.buyer)])
    assert sender.unfinished() == []


def test_unsimulated_call_needs_a_gas_limit(world: World) -> None:
    """DRILLS.md mode 20: no default stands in for an estimate."""
    sender = Sender(world.chain)
    with pytest.raises(InputError, match="without a gas limit"):
        sender.submit(faucet(world).call, world.seller, simulate=False)
    sent = sender.submit(replace(faucet(world).call, gas=200_000), world.seller, simulate=False)
    assert sender.wait(sent).succeeded


def test_status_follows_a_transaction_to_its_end(anvil_world: World) -> None:
    sender = Sender(anvil_world.chain)
    with pytest.raises(UnknownIntent):
        sender.status("x")
    with anvil_world.clock.one_block():
        sent = sender.submit(faucet(anvil_world).call, anvil_world.seller, "x")
        assert sender.status("x") == sender.status(sent.number)
        assert sender.status("x").state is State.BROADCAST
        assert sender.unfinished() == [sender.status("x")]
    assert sender.advance() == 1
    assert sender.status("x").state is State.INCLUDED
    for state in (State.SAFE, State.FINAL):
        anvil_world.chain.request("anvil_mine", hex(40))
        sender.advance()
        assert sender.status("x").state is state
    assert sender.unfinished() == []
    assert sender.advance() == 0


def test_failed_transaction_ends_as_reverted_with_its_reason(anvil_world: World) -> None:
    """DRILLS.md mode 21."""
    sender = Sender(anvil_world.chain)
    call = replace(anvil_world.market.withdraw(2**80, anvil_world.buyer.address).call, gas=200_000)
    sent = sender.submit(call, anvil_world.buyer, simulate=False)
    with pytest.raises(errors.Treasury_InsufficientCash):
        sender.wait(sent)
    sender.advance()
    anvil_world.chain.request("anvil_mine", hex(70))
    sender.advance()
    status = sender.status(sent.number)
    assert status.state is State.REVERTED
    assert "InsufficientCash" in str(status.reason)


def test_cancelled_transaction_has_no_effect(anvil_world: World) -> None:
    """DRILLS.md mode 7: what mined says which of the two it was."""
    sender = Sender(anvil_world.chain)
    before = anvil_world.market.wallet_micro(anvil_world.seller.address)
    with anvil_world.clock.one_block():
        sent = sender.submit(faucet(anvil_world).call, anvil_world.seller)
        cancelled = sender.cancel(sent.number)
        assert [attempt.cancels for attempt in cancelled.attempts] == [False, True]
    with pytest.raises(Cancelled):
        sender.wait(sent)
    assert anvil_world.market.wallet_micro(anvil_world.seller.address) == before
    late = sender.submit(faucet(anvil_world).call, anvil_world.seller)
    assert sender.wait(late).succeeded
    sender.advance()
    assert not any(attempt.cancels for attempt in sender.cancel(late.number).attempts), "too late to cancel"
    anvil_world.chain.request("anvil_mine", hex(70))
    sender.advance()
    assert [sender.status(one.number).state for one in (sent, late)] == [State.CANCELLED, State.FINAL]


def test_what_others_signed_is_relayed_once(world: World) -> None:
    sender = Sender(world.chain)
    unsigned = world.market.sender.build(faucet(world, 5).call, world.stranger.address)
    signed = world.stranger.sign_transaction(unsigned.fields())
    before = world.market.wallet_micro(world.seller.address)
    sent = sender.relay(signed.raw)
    assert sent.transaction == signed.hash
    assert sender.relay(signed.raw) == sent
    assert sender.wait(sent).succeeded
    assert world.market.wallet_micro(world.seller.address) == before + 5
    assert sender.status(sent.number).relayed
    with pytest.raises(InputError):
        sender.cancel(sent.number)


def test_transaction_that_no_node_takes_is_refused_and_its_slot_is_taken(anvil_world: World) -> None:
    """Nothing that comes later waits for its nonce."""
    sender = Sender(anvil_world.chain)
    starved = replace(faucet(anvil_world).call, gas=20_000)
    with pytest.raises(NodeRefused):
        sender.submit(starved, anvil_world.buyer, "starved", simulate=False)
    assert sender.send(faucet(anvil_world).call, anvil_world.buyer).succeeded
    sender.advance()
    assert sender.status("starved").attempt(str(sender.status("starved").counted)).cancels


def test_resume_takes_up_what_was_left(anvil_world: World, tmp_path: Path) -> None:
    url = Secret(f"sqlite:///{tmp_path / 'outbox.db'}")
    first = Sender(anvil_world.chain, open_store(url))
    with anvil_world.clock.one_block():
        sent = first.submit(faucet(anvil_world).call, anvil_world.seller, "left")
        anvil_world.chain.request("anvil_dropTransaction", sent.transaction)
        second = Sender(anvil_world.chain, open_store(url))
        with pytest.raises(KeyBusy):
            second.resume(anvil_world.seller)
        first.close()
        assert second.resume(anvil_world.seller) == 1
    assert second.submit(faucet(anvil_world).call, anvil_world.seller, "left") == sent
    assert second.wait(sent).succeeded


def test_keys_of_others_are_left_to_them(anvil_world: World, tmp_path: Path) -> None:
    """One that shares the database and outlives an owner must not shut it out: it looks only where it is told to."""
    url = Secret(f"sqlite:///{tmp_path / 'outbox.db'}")
    first, other = Sender(anvil_world.chain, open_store(url)), Sender(anvil_world.chain, open_store(url))
    sent = first.submit(faucet(anvil_world).call, anvil_world.seller)
    first.wait(sent)
    first.close()
    other.send(faucet(anvil_world).call, anvil_world.buyer)
    other.advance()
    again = Sender(anvil_world.chain, open_store(url))
    assert again.resume(anvil_world.seller) >= 1
    again.close()
    other.advance(orphans=True)
    assert other.status(sent.number).state is State.INCLUDED
    with pytest.raises(KeyBusy):
        Sender(anvil_world.chain, open_store(url)).resume(anvil_world.seller)


def test_database_of_another_chain_with_the_same_id_is_refused(tmp_path: Path) -> None:
    """A local chain that was deleted, and a new one: the nonces of the old stand above the new one's for ever."""
    store = open_store(Secret(f"sqlite:///{tmp_path / 'outbox.db'}"))
    call = Call("Thing", "0x" + "77" * 20, b"", gas=50_000)
    for start_s, good in ((1_800_000_000, True), (1_800_000_001, False)):
        with local_node("--timestamp", str(start_s)) as node:
            sender = Sender(connect(node.url), store)
            if good:
                assert sender.send(call, RICH).succeeded
                continue
            with pytest.raises(BadStore, match="another chain of the id 31337"):
                sender.submit(call, RICH)
            for attempt in (sender.advance, sender.resume):
                with pytest.raises(BadStore):
                    attempt()


def test_run_advances_until_it_is_stopped(anvil_world: World) -> None:
    sender = Sender(anvil_world.chain)
    sent = sender.submit(faucet(anvil_world).call, anvil_world.seller)
    stop = Event()
    running = Thread(target=sender.run, args=(stop,))
    running.start()
    deadline = time.monotonic() + 60
    while sender.status(sent.number).state is not State.INCLUDED and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    running.join(60)
    assert not running.is_alive()
    assert sender.status(sent.number).state is State.INCLUDED
