"""A wallet's way to the node: what reads, and what is signed; nothing that changes the chain otherwise."""

import json
from dataclasses import replace
from typing import Any

import pytest

from api.routers import rpc
from api.routers.rpc import BATCH_MAX, METHODS, plainly, read_calls, refuse
from ledger import Secret
from tests.api.stage import Stage


def call(method: str, *params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}


def test_reads_are_passed_on(stage: Stage) -> None:
    answer = stage.client.post("/rpc", json=call("eth_chainId")).json()
    assert answer == {"jsonrpc": "2.0", "id": 7, "result": hex(stage.world.chain.chain_id)}
    batch = stage.client.post("/rpc", json=[call("eth_blockNumber"), call("eth_chainId")]).json()
    assert len(batch) == 2


@pytest.mark.parametrize(
    "method", ["anvil_setBalance", "evm_mine", "eth_sendTransaction", "eth_accounts", "personal_sign", "debug_x", ""]
)
def test_what_changes_the_chain_is_not(stage: Stage, method: str) -> None:
    head = stage.world.chain.block().number
    for body in (call(method), [call("eth_chainId"), call(method)]):
        error = stage.client.post("/rpc", json=body).json()["error"]
        assert error["code"] == -32_601
    assert stage.world.chain.block().number == head


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32_700),
        (b"[" * 5_000, -32_700),
        (b"[]", -32_600),
        (b'{"method": "eth_chainId", "id": NaN}', -32_700),
        (b'{"method": "eth_chainId", "id": 1e999}', -32_700),
        (b"7", -32_600),
        (b"[7]", -32_600),
        (b'{"method": 7}', -32_601),
        (b'{"method": ["eth_chainId"]}', -32_601),
        (json.dumps([{"method": "eth_chainId"}] * (BATCH_MAX + 1)).encode(), -32_600),
    ],
)
def test_what_is_no_call_is_refused(body: bytes, code: int) -> None:
    assert refuse(read_calls(body))["error"]["code"] == code


def test_nodes_are_told_what_was_allowed_and_nothing_else() -> None:
    # Some nodes take the first of two members of one name, some the last, some whatever its capitals are.
    twice = read_calls(b'{"id": 1, "method": "evm_mine", "Method": "evm_mine", "method": "eth_chainId", "to": 1}')
    assert refuse(twice) is None
    assert plainly([twice]) == [{"id": 1, "method": "eth_chainId"}]
    assert refuse(read_calls(b'{"method": "eth_chainId", "method": "evm_mine"}')) is not None
    assert all(method.startswith(("eth_", "net_", "web3_")) for method in METHODS)


def test_what_json_allows_reaches_the_node(stage: Stage) -> None:
    for odd in ('"\\ud800"', '"\\u0000"', "[" * 9_000 + "]" * 9_000, "9" * 4_000):
        body = f'{{"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": [{odd}]}}'
        assert stage.client.post("/rpc", content=body.encode()).status_code == 200, odd[:20]
    assert stage.client.get("/health/live").status_code == 200


def asked(stage: Stage, monkeypatch: pytest.MonkeyPatch, *urls: str) -> Any:
    """What a call answers while these are the nodes."""
    ledger = replace(stage.settings.ledger, rpc_url=Secret(",".join(urls)))
    monkeypatch.setattr(stage.services, "settings", replace(stage.settings, ledger=ledger))
    response = stage.client.post("/rpc", json=call("eth_getBlockByNumber", "latest", False))
    assert response.status_code == 200, response.text
    return response.json()


def test_of_several_nodes_the_first_that_answers_is_passed_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody, node = "http://127.0.0.1:1", stage.world.url
    head = asked(stage, monkeypatch, node)["result"]["number"]
    assert asked(stage, monkeypatch, nobody, node)["result"]["number"] == head
    assert asked(stage, monkeypatch, node, nobody)["result"]["number"] == head
    assert asked(stage, monkeypatch, nobody, nobody)["error"]["code"] == -32_603


def test_an_answer_that_is_too_long_is_not_held(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "ANSWER_BYTES_MAX", 100)
    assert asked(stage, monkeypatch, stage.world.url)["error"]["code"] == -32_005
    monkeypatch.setattr(rpc, "ANSWER_BYTES_MAX", 10**6)
    assert "result" in asked(stage, monkeypatch, stage.world.url)
