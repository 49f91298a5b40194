"""What the sender asks of a node, on eth-tester and on anvil, and what it makes of nodes that know less."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any, cast

import pytest

from ledger.abi import Call
from ledger.chain import Chain, connect
from ledger.errors import NodeRefused, Reverted, Unreachable
from ledger.node import local_node
from ledger.rpc import Receipt
from ledger.sending.envelope import sign
from ledger.sending.fees import Fees
from ledger.sending.sender import Sender
from ledger.sending.wire import Wire
from ledger.settings import Secret
from ledger.store.engine import open_store
from ledger.store.intents import State
from tests.world import BUYER, STRANGER, World, world_on

GWEI = 10**9


def test_terms_say_what_sending_takes(world: World) -> None:
    call = world.market.mint_test_dollars(world.buyer.address, 1).call
    terms, [tried] = Wire(world.chain).terms([BUYER.address, STRANGER.address], [(call, BUYER.address)])
    assert terms.head == world.chain.block()
    assert terms.accounts[BUYER.address].nonce == world.chain.nonce(BUYER.address)
    assert terms.accounts[BUYER.address].mined == world.chain.nonce(BUYER.address)
    assert terms.accounts[STRANGER.address].balance_wei == world.chain.gas_money_wei(STRANGER.address)
    assert not terms.accounts[BUYER.address].delegated
    assert (tried.gas is None) == world.chain.in_process


def test_terms_refuse_what_would_fail(world: World) -> None:
    bad = world.market.withdraw(2**80, world.buyer.address).call
    with pytest.raises(Reverted):
        Wire(world.chain).terms([BUYER.address], [(bad, BUYER.address)])


def test_sent_is_found_in_its_block(world: World) -> None:
    wire = Wire(world.chain)
    nonce = world.chain.nonce(STRANGER.address)
    fees = Fees(100 * GWEI, GWEI)
    raws = [sign(STRANGER, world.chain.chain_id, nonce + more, (BUYER.address, b""), 21_000, fees) for more in range(2)]
    assert wire.send([raws[0].raw, raws[1].raw]) == [None, None]
    [again] = wire.send([raws[0].raw])
    assert isinstance(again, NodeRefused)
    # A node takes a transaction before it has made its block: until both are in theirs, the chain moves by itself.
    first, last = both_included(wire, [one.hash for one in raws])
    [missing] = wire.receipts(["0x" + "11" * 32])
    assert missing is None
    assert wire.hashes([first.block, 10**9]) == [first.block_hash, None]
    look = wire.look([STRANGER.address])
    assert look.head.number >= last.block >= first.block
    assert look.final <= look.safe <= look.head.number == world.chain.block().number
    assert look.settled[STRANGER.address] <= nonce + 2


def both_included(wire: Wire, transactions: Sequence[str]) -> list[Receipt]:
    """Their receipts, once each has one."""
    deadline_s = monotonic() + 30
    while True:
        found = [one for one in wire.receipts(transactions) if one is not None]
        if len(found) == len(transactions):
            return found
        assert monotonic() < deadline_s, f"{len(found)} of {len(transactions)} transactions are in a block"
        sleep(0.01)


def test_estimates_are_one_each(anvil_world: World) -> None:
    good = anvil_world.market.mint_test_dollars(BUYER.address, 1).call
    bad = anvil_world.market.withdraw(2**80, BUYER.address).call
    answers = Wire(anvil_world.chain).estimate([(good, BUYER.address), (bad, BUYER.address)])
    assert isinstance(answers[0], int)
    assert isinstance(answers[1], Reverted)


def test_delegated_key_is_seen(anvil_world: World) -> None:
    """DRILLS.md mode 16."""
    address = "0x" + "71" * 20
    anvil_world.chain.request("anvil_setCode", address, "0xef0100" + "22" * 20)
    terms, _ = Wire(anvil_world.chain).terms([address], [])
    assert terms.accounts[address].delegated
    assert Wire(anvil_world.chain).look([address, BUYER.address]).delegated == {address}


class _Plain:
    """A node that knows no safe and final blocks; its head is 100."""

    in_process = False
    clock = None

    def outcomes(self, wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self._answer(method, *params) for method, params in wanted]

    batch = outcomes

    def _answer(self, method: str, *params: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0] != "latest":
            return NodeRefused("no such tag")
        header = {"number": "0x64", "hash": "0xab", "timestamp": "0x1", "gasLimit": "0x1", "baseFeePerGas": "0x7"}
        if method == "eth_getTransactionCount":
            return "0x25" if params[1] == "pending" else params[1]
        return {"eth_getBlockByNumber": header, "eth_getCode": "0x"}.get(method, "0x1")


def test_node_without_final_blocks_is_final_far_back() -> None:
    look = Wire(cast("Chain", _Plain())).look([BUYER.address])
    assert (look.head.number, look.safe, look.final, look.tip_wei) == (100, 68, 36, 1)
    # The count of transactions is asked for at that block.
    assert look.settled == {BUYER.address: 36}
    assert look.pending == {BUYER.address: 37}


@pytest.fixture
def forgetful() -> Iterator[tuple[World, Chain]]:
    """A world, and its chain on a node that was begun from a dump of it: the states of the blocks before are gone."""
    with world_on("anvil") as world, local_node("--no-mining") as node:
        yield world, connect(node.url)


def move(world: World, there: Chain) -> None:
    there.request("anvil_loadState", world.chain.request("anvil_dumpState", False))


def test_nothing_counts_as_final_where_the_node_lacks_the_state(forgetful: tuple[World, Chain]) -> None:
    """As after a restart of the local chain, whose snapshot leaves the states of old blocks out."""
    world, there = forgetful
    world.chain.request("anvil_mine", hex(70))
    move(world, there)
    head = there.block().number
    with pytest.raises(NodeRefused):
        there.request("eth_getTransactionCount", BUYER.address, hex(head - 64))
    look = Wire(there).look([BUYER.address])
    assert (look.head.number, look.final) == (head, head - 64)
    assert look.settled == {BUYER.address: 0}
    assert look.pending == {BUYER.address: world.chain.nonce(BUYER.address)}


def test_sender_goes_on_where_the_node_lacks_the_state(forgetful: tuple[World, Chain], tmp_path: Path) -> None:
    """One intent succeeded and one failed while their sender was dead, and the node was begun anew since."""
    world, there = forgetful
    store = open_store(Secret(f"sqlite:///{tmp_path / 'ledger.db'}"))
    sender = Sender(world.chain, store)
    world.chain.request("evm_setAutomine", False)
    everything = world.market.cash_micro(BUYER.address)
    good = sender.submit(world.market.withdraw(everything, BUYER.address).call, BUYER)
    late = world.market.withdraw(1, BUYER.address).call
    bad = sender.submit(replace(late, gas=200_000), BUYER, simulate=False)
    sender.close()
    world.chain.request("anvil_mine", hex(70))
    move(world, there)
    again = Sender(there, store)
    again.resume(BUYER)
    again.advance()
    assert again.status(good.number).state is State.FINAL
    failed = again.status(bad.number)
    assert failed.state is State.REVERTED
    assert "keeps no state" in str(failed.reason)
    again.close()
    store.close()


class _Silent(_Plain):
    def outcomes(self, wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:  # noqa: ARG002
        raise Unreachable("nowhere", "silence")

    batch = outcomes


def test_nothing_is_concluded_from_silence() -> None:
    """DRILLS.md mode 3."""
    wire = Wire(cast("Chain", _Silent()))
    with pytest.raises(Unreachable):
        wire.receipts(["0x1"])
    with pytest.raises(Unreachable):
        wire.send([b"raw"])
    with pytest.raises(Unreachable):
        wire.estimate([(Call("", None, b""), BUYER.address)])
