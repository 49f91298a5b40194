"""The proxy of the drills: each fault does what it says, and nothing else."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ledger import UnsignedTransaction, local_node
from tests.faults import HTML, Fault, Proxy, faulty
from tests.world import BUYER, SELLER

SOMEONE = "0x" + "5e" * 20


@pytest.fixture(scope="module")
def node_url() -> Iterator[str]:
    with local_node() as node:
        yield node.url


@pytest.fixture
def proxy(node_url: str) -> Iterator[Proxy]:
    with faulty(node_url, seed=3) as proxy:
        yield proxy


def raw_answer(url: str, method: str, *params: Any) -> httpx.Response:
    asked = {"jsonrpc": "2.0", "id": 5, "method": method, "params": params}
    return httpx.post(url, json=asked, trust_env=False)


def ask(url: str, method: str, *params: Any) -> Any:
    return raw_answer(url, method, *params).json()


def result(url: str, method: str, *params: Any) -> Any:
    return ask(url, method, *params)["result"]


def mine(url: str, blocks: int) -> int:
    result(url, "anvil_mine", hex(blocks))
    return int(result(url, "eth_blockNumber"), 16)


def transfer(url: str) -> dict[str, str]:
    sender = result(url, "eth_accounts")[0]
    return {"from": sender, "to": SOMEONE, "value": "0x1"}


def test_proxy_without_faults_answers_as_the_node(node_url: str, proxy: Proxy) -> None:
    assert ask(proxy.url, "eth_chainId") == ask(node_url, "eth_chainId")
    batch = [
        {"jsonrpc": "2.0", "id": n, "method": m, "params": []} for n, m in enumerate(("eth_chainId", "net_version"))
    ]
    one, two = (httpx.post(url, json=batch, trust_env=False).json() for url in (proxy.url, node_url))
    assert one == two
    assert proxy.seen == ["eth_chainId", "eth_chainId", "net_version"]
    assert "error" in ask(proxy.url, "eth_makeCoffee")


@pytest.mark.parametrize(("fault", "effects"), [(Fault.LOSE_REQUEST, 0), (Fault.LOSE_REPLY, 1)])
def test_lost_request_has_no_effect_and_lost_reply_has_one(
    node_url: str, proxy: Proxy, fault: Fault, effects: int
) -> None:
    before = int(result(node_url, "eth_getBalance", SOMEONE, "latest"), 16)
    proxy.plan.append(fault)
    with pytest.raises(httpx.RemoteProtocolError):
        ask(proxy.url, "eth_sendTransaction", transfer(node_url))
    assert int(result(node_url, "eth_getBalance", SOMEONE, "latest"), 16) - before == effects
    assert result(proxy.url, "eth_chainId")


@pytest.mark.parametrize(("fault", "status"), [(Fault.TOO_MANY, 429), (Fault.BROKEN, 500), (Fault.PAGE, 200)])
def test_pages_stand_in_the_answers_place(proxy: Proxy, fault: Fault, status: int) -> None:
    proxy.plan += (fault, Fault.GARBAGE)
    answer = raw_answer(proxy.url, "eth_chainId")
    assert answer.status_code == status
    assert (answer.content == HTML) == (fault is Fault.PAGE)
    with pytest.raises(ValueError, match="decode"):
        ask(proxy.url, "eth_chainId")
    assert result(proxy.url, "eth_chainId")


def test_taken_transaction_is_called_known(node_url: str, proxy: Proxy) -> None:
    unsigned = UnsignedTransaction(BUYER.address, SELLER.address, b"", 31_337, 0, 21_000, 10**10, 1)
    signed = BUYER.sign_transaction(unsigned.fields())
    proxy.methods = frozenset({"eth_sendRawTransaction"})
    proxy.plan.append(Fault.ALREADY_KNOWN)
    # The plan waits for a request that concerns it.
    assert result(proxy.url, "eth_chainId")
    answer = ask(proxy.url, "eth_sendRawTransaction", "0x" + signed.raw.hex())
    assert answer["error"]["message"] == "already known"
    assert result(node_url, "eth_getTransactionReceipt", signed.hash)["status"] == "0x1"


def test_stale_node_knows_nothing_of_the_last_blocks(node_url: str, proxy: Proxy) -> None:
    sent = result(node_url, "eth_sendTransaction", transfer(node_url))
    head = mine(node_url, 4)
    block_hash = result(node_url, "eth_getBlockByNumber", hex(head), False)["hash"]
    proxy.stale_blocks = 10
    assert result(proxy.url, "eth_blockNumber") == hex(max(0, head - 10))
    assert result(proxy.url, "eth_getTransactionReceipt", sent) is None
    assert result(proxy.url, "eth_getBlockByHash", block_hash, False) is None
    proxy.stale_blocks = 2
    assert result(proxy.url, "eth_blockNumber") == hex(head - 2)
    assert result(proxy.url, "eth_getBlockByNumber", "latest", False)["number"] == hex(head - 2)
    assert result(proxy.url, "eth_getBlockByNumber", hex(head - 1), False) is None
    assert ask(proxy.url, "eth_getBalance", SOMEONE, hex(head))["error"]["message"] == "header not found"
    assert result(proxy.url, "eth_getTransactionReceipt", sent)["status"] == "0x1"


def test_stale_node_counts_as_of_its_head(node_url: str, proxy: Proxy) -> None:
    mine(node_url, 1)
    sender = result(node_url, "eth_accounts")[0]
    before = result(node_url, "eth_getTransactionCount", sender, "latest")
    result(node_url, "eth_sendTransaction", transfer(node_url))
    proxy.stale_blocks = 1
    assert result(proxy.url, "eth_getTransactionCount", sender, "pending") == before
    assert result(node_url, "eth_getTransactionCount", sender, "latest") != before


def test_dropped_logs_stay_dropped_everywhere(node_url: str, proxy: Proxy) -> None:
    speaking = {"from": result(node_url, "eth_accounts")[0], "data": "0x" + "60006000a0" * 40}
    spoken = [result(node_url, "eth_sendTransaction", speaking) for _ in range(3)]
    first = result(node_url, "eth_getTransactionReceipt", spoken[0])["blockNumber"]
    wanted = {"fromBlock": first, "toBlock": "latest"}
    whole = result(proxy.url, "eth_getLogs", wanted)
    assert whole == result(node_url, "eth_getLogs", wanted)
    proxy.drop_logs = 0.3
    some = result(proxy.url, "eth_getLogs", wanted)
    assert 0 < len(some) < len(whole) == 120, proxy.seed
    assert some == result(proxy.url, "eth_getLogs", wanted)
    assert all(log in whole for log in some)
    receipts = [result(proxy.url, "eth_getTransactionReceipt", one) for one in spoken]
    assert [log["logIndex"] for one in receipts for log in one["logs"]] == [log["logIndex"] for log in some]
    [receipt] = result(proxy.url, "eth_getBlockReceipts", first)
    assert receipt["logs"] == receipts[0]["logs"]


def test_stale_node_has_no_logs_of_the_last_blocks(node_url: str, proxy: Proxy) -> None:
    speaking = {"from": result(node_url, "eth_accounts")[0], "data": "0x60006000a0"}
    blocks = [
        result(node_url, "eth_getTransactionReceipt", result(node_url, "eth_sendTransaction", speaking)) for _ in "12"
    ]
    proxy.stale_blocks = 1
    early, late = (one["blockNumber"] for one in blocks)
    found = result(proxy.url, "eth_getLogs", {"fromBlock": early, "toBlock": late})
    assert [log["blockNumber"] for log in found] == [early]
    assert result(proxy.url, "eth_getLogs", {"fromBlock": late, "toBlock": "latest"}) == []


def test_other_chain_is_said_and_delay_is_kept(node_url: str, proxy: Proxy) -> None:
    proxy.chain_id, proxy.delay_s = 4_242, 0.1
    begun = time.monotonic()
    assert result(proxy.url, "eth_chainId") == hex(4_242)
    assert time.monotonic() - begun >= 0.1
    assert result(proxy.url, "net_version") == "4242"
    proxy.heal()
    assert result(proxy.url, "eth_chainId") == result(node_url, "eth_chainId")


def test_shares_are_of_requests_and_the_seed_tells_which() -> None:
    fates = []
    for seed in (1, 1, 2):
        proxy = Proxy("", seed, shares={Fault.BROKEN: 0.2, Fault.LOSE_REPLY: 0.1})
        fates.append([proxy.fault(["eth_call"]) for _ in range(1_000)])
    assert fates[0] == fates[1] != fates[2]
    assert 150 < fates[0].count(Fault.BROKEN) < 250
    assert 50 < fates[0].count(Fault.LOSE_REPLY) < 110
    certain = Proxy("", 0, shares={Fault.BROKEN: 1.0}, methods=frozenset({"eth_call"}))
    assert certain.fault(["eth_chainId"]) is Fault.NONE
    assert certain.fault(["eth_chainId", "eth_call"]) is Fault.BROKEN
