"""The local chain's door: what it lets in, what it passes on, what it refuses, and what is there after a start."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger import DEVELOPMENT_MNEMONIC, Secret, connect, signer_from_mnemonic
from ledger.errors import BadJournal, ChainBusy, InputError, OutOfRange, Unavailable
from ledger.localchain.door import LIMITS, LocalChain, local_chain
from ledger.localchain.journal import Kind, Record, open_journal
from ledger.localchain.scribe import Pace
from tests.world import START_S, found

SENDER = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), 0)
NEIGHBOUR = "0x" + "11" * 20
MANUAL = Pace(heartbeat_s=None, manual=True)
ON_REQUEST = Pace(delay_s=0.005, heartbeat_s=None)


def transfer(nonce: int, wei: int = 1, gas_price_wei: int = 10**10) -> str:
    signed = SENDER.sign_transaction(
        {
            "to": NEIGHBOUR,
            "value": wei,
            "nonce": nonce,
            "gas": 21_000,
            "maxFeePerGas": gas_price_wei,
            "maxPriorityFeePerGas": 10**9,
            "chainId": 31_337,
        }
    )
    return "0x" + signed.raw.hex()


class Client:
    """Speaks to the door, with nothing in between."""

    def __init__(self, url: str) -> None:
        self._url = url

    def post(self, body: Any) -> Any:
        return httpx.post(self._url, json=body, timeout=30).json()

    def reply(self, method: str, *params: Any) -> Any:
        return self.post({"jsonrpc": "2.0", "id": 5, "method": method, "params": list(params)})

    def ask(self, method: str, *params: Any) -> Any:
        reply = self.reply(method, *params)
        assert "error" not in reply, reply
        return reply["result"]

    def blocks(self) -> list[Any]:
        last = int(self.ask("eth_blockNumber"), 16)
        return [self.ask("eth_getBlockByNumber", hex(number), True) for number in range(last + 1)]


@contextmanager
def running(folder: Path, pace: Pace = MANUAL, unsafe: bool = False) -> Iterator[tuple[LocalChain, Client]]:
    with local_chain(folder, pace=pace, unsafe=unsafe, start_s=START_S) as chain:
        yield chain, Client(chain.url)


def everything(client: Client) -> Any:
    """All that a client can see of a chain."""
    logs = client.ask("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
    receipts = [client.ask("eth_getBlockReceipts", block["number"]) for block in client.blocks()]
    return (
        client.blocks(),
        receipts,
        logs,
        client.ask("txpool_content"),
        client.ask("eth_getBalance", NEIGHBOUR, "latest"),
    )


def test_chain_is_the_same_after_another_start(tmp_path: Path) -> None:
    """Blocks of any time, one that is mined at the time of another, gaps, replacements, and what waits in the pool."""
    with running(tmp_path) as (_, client):
        for nonce in (0, 1, 2, 5):
            client.ask("eth_sendRawTransaction", transfer(nonce))
        client.ask("evm_mine", START_S + 10)
        client.ask("evm_mine", START_S + 10)
        client.ask("eth_sendRawTransaction", transfer(3))
        client.ask("eth_sendRawTransaction", transfer(3, 7, 2 * 10**10))
        client.ask("anvil_setBalance", "0x" + "22" * 20, "0x10")
        client.ask("evm_setNextBlockTimestamp", START_S + 3_600)
        client.ask("evm_mine")
        client.ask("eth_sendRawTransaction", transfer(4))
        seen = everything(client)
        assert [int(block["timestamp"], 16) - START_S for block in seen[0]] == [0, 10, 10, 3_600]
        assert [len(block["transactions"]) for block in seen[0]] == [0, 3, 0, 1]
        assert seen[4] == hex(3 + 7)
    with running(tmp_path) as (chain, client):
        assert everything(client) == seen
        assert chain.notices == ()
        client.ask("evm_mine", START_S + 3_601)
        assert len(client.blocks()[-1]["transactions"]) == 2, "the gap is filled: both that waited are in"
        assert client.ask("eth_getBalance", "0x" + "22" * 20, "latest") == "0x10"


def test_market_lives_on_a_chain_that_starts_again(tmp_path: Path) -> None:
    """The clock that tests set works through the journal; contracts, logs and reads are there after another start."""
    with running(tmp_path, ON_REQUEST) as (chain, client):
        world = found(connect(chain.url), chain.url)
        product, site = world.product(), world.site()
        world.sell(site, product, 100)
        deployment, history = world.market.deployment, world.market.history()
        units, block = world.market.units(world.buyer.address, product), world.chain.block()
        assert units == 100
        proof = client.ask("eth_getProof", deployment.address("Treasury"), [], hex(block.number))
    with running(tmp_path, ON_REQUEST) as (chain, client):
        again = connect(chain.url)
        assert again.block(block.number) == block
        market = type(world.market)(again, deployment)
        assert market.history(to_block=block.number) == history
        assert market.units(world.buyer.address, product) == units
        assert client.ask("eth_getProof", deployment.address("Treasury"), [], hex(block.number)) == proof


def test_time_goes_on_by_itself_and_transactions_are_mined_soon(tmp_path: Path) -> None:
    with local_chain(tmp_path, pace=Pace(heartbeat_s=0.1)) as chain:
        client = Client(chain.url)
        sent = client.ask("eth_sendRawTransaction", transfer(0))
        ledger = connect(chain.url)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if (receipt := ledger.receipt(sent)) and ledger.block().number > receipt.block + 2:
                break
        else:
            pytest.fail("no block came")
        times = [int(block["timestamp"], 16) for block in client.blocks()]
        assert times == sorted(times)


def test_batch_is_answered_in_its_order_and_each_by_its_id(tmp_path: Path) -> None:
    with running(tmp_path) as (_, client):
        calls = [
            ("eth_sendRawTransaction", [transfer(0)]),
            ("eth_chainId", []),
            ("eth_sendRawTransaction", [transfer(0)]),
            ("evm_revert", ["0x1"]),
            ("eth_sendRawTransaction", ["what"]),
            ("evm_mine", []),
        ]
        batch = [
            {"jsonrpc": "2.0", "id": f"n{place}", "method": method, "params": params}
            for place, (method, params) in enumerate(calls)
        ]
        replies = client.post(batch)
        assert [reply["id"] for reply in replies] == [f"n{place}" for place in range(len(calls))]
        assert ["result" in reply for reply in replies] == [True, True, False, False, False, True]
        assert "already" in replies[2]["error"]["message"]
        assert len(client.blocks()[-1]["transactions"]) == 1
        reads = [{"jsonrpc": "2.0", "id": n, "method": "eth_blockNumber", "params": []} for n in range(3)]
        assert [reply["result"] for reply in client.post(reads)] == ["0x1"] * 3


@pytest.mark.parametrize(
    "method",
    ["evm_snapshot", "evm_revert", "anvil_reorg", "anvil_reset", "anvil_setStorageAt", "anvil_loadState", "anvil_mine",
     "eth_sendTransaction", "eth_sendUnsignedTransaction", "eth_signTransaction", "hardhat_setNonce", "nonsense"],
)  # fmt: skip
def test_what_the_journal_could_not_repeat_is_refused(tmp_path: Path, method: str) -> None:
    with running(tmp_path) as (_, client):
        reply = client.reply(method, "0x1")
        assert reply["id"] == 5
        assert "not for this chain" in reply["error"]["message"]


def test_unsafe_chain_lets_tests_do_as_they_please(tmp_path: Path) -> None:
    with running(tmp_path, unsafe=True) as (_, client):
        assert client.ask("evm_snapshot") == "0x0"


@pytest.mark.parametrize(
    ("method", "param"),
    [
        ("evm_mine", START_S - 1),
        ("evm_mine", "soon"),
        ("evm_mine", {"blocks": 3}),
        ("evm_setNextBlockTimestamp", START_S - 1),
        ("evm_setNextBlockTimestamp", None),
        ("evm_increaseTime", "long"),
        ("evm_increaseTime", "0x" + "f" * 24),
        ("evm_increaseTime", 11 * 365 * 86_400),
        ("evm_mine", START_S + 20 * 365 * 86_400),
        ("evm_setNextBlockTimestamp", START_S + 20 * 365 * 86_400),
        ("evm_setAutomine", None),
        ("anvil_setBalance", NEIGHBOUR),
        ("eth_sendRawTransaction", 7),
    ],
)
def test_nonsense_is_refused_and_not_kept(tmp_path: Path, method: str, param: Any) -> None:
    with running(tmp_path) as (_, client):
        before = (tmp_path / "journal").read_bytes()
        assert "error" in client.reply(method, param)
        assert (tmp_path / "journal").read_bytes() == before


def test_refused_transaction_is_not_kept(tmp_path: Path) -> None:
    with running(tmp_path) as (_, client):
        before = (tmp_path / "journal").read_bytes()
        assert "error" in client.reply("eth_sendRawTransaction", transfer(0, 10**30))
        assert (tmp_path / "journal").read_bytes() == before


def test_request_that_is_none_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as (chain, client):
        json_kind = {"Content-Type": "application/json"}
        assert httpx.get(chain.url, headers=json_kind).status_code == 405
        assert "error" in httpx.post(chain.url, content=b"{", headers=json_kind).json()
        nested: Any = 1
        for _ in range(400):
            nested = [nested]
        deep = {"jsonrpc": "2.0", "id": nested, "method": "evm_mine", "params": []}
        assert "error" in httpx.post(chain.url, content=json.dumps(deep).encode(), headers=json_kind).json()
        for body in ({"id": 1}, [], 5, [5]):
            reply = client.post(body)
            assert reply == [] or "error" in (reply[0] if isinstance(reply, list) else reply)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
    ],
)
def test_page_of_the_web_changes_nothing(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    with running(tmp_path) as (chain, client):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "evm_mine", "params": []}).encode()
        reply = httpx.post(chain.url, content=body, headers={"Content-Type": "application/json"} | headers)
        assert reply.status_code == status
        assert len(client.blocks()) == (2 if status == 200 else 1)


def test_increased_time_is_kept(tmp_path: Path) -> None:
    with running(tmp_path) as (_, client):
        client.ask("evm_increaseTime", 100_000)
    with running(tmp_path) as (_, client):
        client.ask("evm_mine")
        assert 100_000 <= int(client.blocks()[-1]["timestamp"], 16) - START_S < 100_100


def test_chain_runs_once(tmp_path: Path) -> None:
    with running(tmp_path), pytest.raises(ChainBusy), running(tmp_path):
        pass


def test_chain_of_other_terms_is_refused(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    with pytest.raises(InputError, match="began with start_s"), local_chain(tmp_path, start_s=START_S + 1):
        pass


@pytest.mark.parametrize(
    ("term", "value"),
    [(name, value) for name, (least, most) in LIMITS.items() for value in (least - 1, most + 1, 10**30)],
)
def test_term_that_no_chain_can_begin_with_is_refused_before_anything_is_kept(
    tmp_path: Path, term: str, value: int
) -> None:
    with (
        pytest.raises(OutOfRange, match=f"The chain's {term} is {value}"),
        local_chain(tmp_path, 0, MANUAL, False, **{term: value}),
    ):
        pass
    with running(tmp_path) as (_, client):
        assert len(client.blocks()) == 1


@pytest.mark.parametrize("end", [0, 1])
def test_chain_begins_with_the_least_and_the_most_of_each_term(tmp_path: Path, end: int) -> None:
    terms = {name: limits[end] for name, limits in LIMITS.items()}
    with local_chain(tmp_path, 0, MANUAL, False, **terms) as chain:
        [block] = Client(chain.url).blocks()
        assert int(block["timestamp"], 16) == terms["start_s"]
        assert int(Client(chain.url).ask("eth_getBalance", SENDER.address, "latest"), 16) == terms["balance"] * 10**18
        assert int(Client(chain.url).ask("eth_chainId"), 16) == terms["chain_id"]


def test_taken_port_is_said(tmp_path: Path) -> None:
    with running(tmp_path / "one") as (chain, _):
        port = int(chain.url.rpartition(":")[2])
        with pytest.raises(Unavailable, match=f"Port {port}"), local_chain(tmp_path / "two", port):
            pass


def test_torn_journal_loses_only_what_nobody_was_promised(tmp_path: Path) -> None:
    with running(tmp_path) as (_, client):
        client.ask("evm_mine", START_S + 5)
        seen = client.blocks()
    with (tmp_path / "journal").open("ab") as file:
        file.write(b"CLJ\x01\0\0\0")
    with running(tmp_path) as (chain, client):
        assert client.blocks() == seen
        assert chain.notices == ("7 bytes of an interrupted write were cut off.",)


def test_block_that_comes_out_otherwise_is_a_loud_error(tmp_path: Path) -> None:
    """As with another version of anvil, which the journal cannot know."""
    with running(tmp_path) as (_, client):
        client.ask("evm_mine", START_S + 5)
    journal = tmp_path / "journal"
    other = tmp_path / "other"
    rewritten(journal, other / "journal")
    with pytest.raises(BadJournal, match="block 1 was 0x0000"), local_chain(other):
        pass


def rewritten(path: Path, copy: Path) -> None:
    """A journal with another hash for its block."""

    source, target = open_journal(path), open_journal(copy)
    for record in source.records():
        target.append([Record(Kind.SEAL, bytes(32)) if record.kind is Kind.SEAL else record])
    source.close()
    target.close()
