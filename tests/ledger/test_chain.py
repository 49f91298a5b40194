"""Reading a chain, and what becomes of everything that can go wrong on the way."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ledger import (
    Call,
    Chain,
    Contracts,
    NodeRefused,
    Unavailable,
    Unreachable,
    WrongChain,
    connect,
    errors,
    in_process_chain,
    local_node,
)
from ledger.abi import Interface
from ledger.chain import BLOCK_GAS, TRANSACTION_GAS_MAX, created_address
from tests.world import START_S, World


def test_blocks_code_and_balances_are_read(world: World) -> None:
    genesis, last = world.chain.block(0), world.chain.block()
    assert (genesis.number, genesis.time_s) == (0, START_S)
    assert last.number > 0
    assert last.time_s >= genesis.time_s
    assert last.hash != genesis.hash
    assert last.gas_limit >= TRANSACTION_GAS_MAX
    assert world.chain.code(world.market.address("Exchange"))
    assert world.chain.code(world.stranger.address) == b""
    assert world.chain.gas_money_wei(world.admin.address) > 0


def test_many_reads_give_what_each_alone_gives(world: World) -> None:
    owners = [world.buyer.address, world.seller.address, world.provider.address] * 150
    calls = [world.market.call("Treasury", "cashOf", owner) for owner in owners]
    once = {owner: world.market.cash_micro(owner) for owner in set(owners)}
    assert world.chain.call_many(calls) == [once[owner] for owner in owners]
    assert world.chain.call_many([]) == []


def test_refusal_among_many_reads_is_raised(world: World) -> None:
    good = world.market.call("Treasury", "cashOf", world.buyer.address)
    with pytest.raises(errors.Standard_UnknownClass):
        world.chain.call_many([good, world.market.call("Standard", "termsOf", 99), good])


def test_state_of_an_earlier_block_is_read(world: World) -> None:
    before = world.chain.block().number
    cash_micro = world.market.cash_micro(world.buyer.address)
    world.market.withdraw(1, world.buyer.address).send(world.buyer)
    assert world.market.read("Treasury", "cashOf", world.buyer.address, block=before) == cash_micro
    assert world.market.cash_micro(world.buyer.address) == cash_micro - 1


def test_logs_come_in_the_order_of_the_chain_and_only_what_was_asked(world: World) -> None:
    start = world.chain.block().number + 1
    world.market.mint_test_dollars(world.buyer.address, 1).send(world.seller)
    world.market.fund(1, world.seller)
    history = world.market.history(start)
    assert [event.name for event in history][:1] == ["Transfer"]
    assert [(event.block, event.index) for event in history] == sorted((one.block, one.index) for one in history)
    treasury = world.market.address("Treasury")
    deposited = world.chain.interface("Treasury").topic("Deposited")
    found = world.chain.logs([treasury], start, topics=[deposited])
    assert [event.values for event in world.market.events(found)] == [{"owner": world.seller.address, "amount": 1}]
    assert world.chain.logs([treasury], start, start) == []


def test_event_that_a_transaction_does_not_have_is_missed(world: World) -> None:
    receipt = world.market.mint_test_dollars(world.buyer.address, 1).send(world.seller).receipt
    with pytest.raises(NodeRefused, match="has no event Deposited"):
        world.market.event(receipt, "Deposited")
    assert world.chain.receipt("0x" + "11" * 32) is None


def test_created_address_is_where_the_contract_comes_to_stand(world: World) -> None:
    nonce = world.chain.nonce(world.stranger.address)
    artifact = world.chain.artifact("TestDollar")
    creation = Interface("TestDollar", artifact.abi).creation(artifact.creation_code)
    receipt = world.market.sender.send(creation, world.stranger)
    assert receipt.contract == created_address(world.stranger.address, nonce)


def test_block_that_does_not_exist_is_refused(anvil_world: World) -> None:
    with pytest.raises(NodeRefused):
        anvil_world.chain.block(10**9)


def test_method_that_does_not_exist_is_refused(world: World) -> None:
    with pytest.raises((NodeRefused, Unavailable)):
        world.chain.request("eth_makeCoffee")


def test_chain_in_this_process_starts_when_and_as_large_as_told() -> None:
    chain = in_process_chain(start_s=START_S, gas_limit=BLOCK_GAS // 2)
    assert chain.in_process
    assert chain.block().time_s == START_S
    assert chain.block().gas_limit == BLOCK_GAS // 2
    assert not chain.code("0x" + "12" * 20)


def test_other_chain_than_meant_is_refused() -> None:
    with local_node("--chain-id", "4242") as node:
        assert connect(node.url, chain_id=4_242).chain_id == 4_242
        with pytest.raises(WrongChain) as refused:
            connect(node.url, chain_id=1)
    assert (refused.value.expected, refused.value.actual) == (1, 4_242)


def test_contracts_of_another_chain_are_refused(world: World) -> None:
    deployment = world.market.deployment
    other = type(deployment)(1, 0, deployment.addresses, deployment.code_hashes, deployment.terms)
    with pytest.raises(WrongChain):
        Contracts(world.chain, other)


def test_node_that_is_gone_is_unreachable_and_its_address_is_not_told() -> None:
    with local_node() as node:
        chain = connect(node.url.replace("http://", "http://user:hunter2@"))
    with pytest.raises(Unreachable) as refused:
        chain.time_s()
    assert "hunter2" not in str(refused.value)
    assert refused.value.host.startswith("127.0.0.1:")
    with pytest.raises(Unreachable):
        chain.call_many([Call("Treasury", "0x" + "11" * 20, b"")])


@contextmanager
def answering(answer: bytes, status: int = 200) -> Iterator[str]:
    """A server on the loopback interface that gives every request the same answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def failing(message: str) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 0, "error": {"code": -32_000, "message": message}}).encode()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", 200),
        (b"<html>a page</html>", 200),
        (b"{}", 200),
        (b"null", 200),
        (b'{"jsonrpc": "2.0", "id": 0, "result": null}', 200),
        (b'{"jsonrpc": "2.0", "id": 0, "result": "soon"}', 200),
        (failing("out of order"), 200),
        (b"too many requests", 429),
        (b"oops", 500),
    ],
)
def test_node_that_answers_nonsense_is_unavailable(answer: bytes, status: int) -> None:
    with answering(answer, status) as url, pytest.raises(Unavailable):
        connect(url)


def test_silent_node_is_given_up_after_the_time_out() -> None:
    listening = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    with listening as server, pytest.raises(Unreachable, match="Timeout"):
        connect(f"http://127.0.0.1:{server.server_port}", timeout_s=1)


def test_nobodys_code_answers_nothing(world: World) -> None:
    """Reading where no contract is must not look like a value."""
    call = world.chain.interface("Treasury").call(world.stranger.address, "cashOf", world.buyer.address)
    with pytest.raises(NodeRefused, match="no contract"):
        world.chain.call(call)


def test_chain_reads_are_of_one_chain(tester_world: World, anvil_world: World) -> None:
    one: Chain = tester_world.chain
    assert one.chain_id != anvil_world.chain.chain_id
