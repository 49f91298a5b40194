"""Durable intents from their call to their receipt: one signer, the outbox on disk, a node whose blocks come within
milliseconds; beside the same transactions through plain web3.py, which keeps nothing."""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any, cast

from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.types import TxParams

from ledger.abi import Call
from ledger.chain import connect
from ledger.keys import Signer, signer_from_mnemonic
from ledger.node import DEVELOPMENT_MNEMONIC, local_node
from ledger.sending.sender import Sender
from ledger.services import Services
from ledger.settings import Secret
from ledger.store.engine import open_store
from tests.bench.figures import Figure
from tests.running import start_node, url_of

CLIENTS = 48
"""How many wait for an intent of theirs at the same time."""

EACH = 100
BLOCK_S = 0.03
_GAS = 60_000
_SELECTOR = b"\x12\x34\x56\x78"
# An address without code takes any data.
_TO = "0x" + "77" * 20


def figures() -> Iterator[Figure]:
    """Intents a second, and milliseconds from `send` to its receipt: every one simulated, kept on disk and awaited."""
    for name, running in (("the journalled chain", journalled_chain), ("bare anvil", bare_node)):
        with running() as url:
            worked_s = time.process_time()
            rate, times_ms = durable(url)
            worked_ms = 1_000 * (time.process_time() - worked_s) / len(times_ms)
            beside = unjournalled(url)
        place = quantiles(times_ms, n=100)
        yield Figure(f"durable intents on {name}", rate, "/s", 500, yardstick=beside, beside="web3.py")
        yield Figure(f"sign to receipt on {name}, p50", place[49], "ms", 100, smaller=True)
        yield Figure(
            f"sign to receipt on {name}, p99", place[98], "ms", note=f"{worked_ms:.1f} ms of processor time each"
        )


@contextmanager
def journalled_chain() -> Iterator[str]:
    """`compute-ledger node` in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="compute-ledger-bench-") as name, Services() as services:
        yield url_of(start_node(services, Path(name, "chain"), "--delay", str(int(1_000 * BLOCK_S))))


@contextmanager
def bare_node() -> Iterator[str]:
    """Anvil alone, with blocks by the clock."""
    with local_node("--block-time", str(BLOCK_S)) as node:
        yield node.url


def durable(url: str, clients: int = CLIENTS, each: int = EACH) -> tuple[float, list[float]]:
    """Intents a second of `clients` threads that share one sender and one signer, each waiting for its receipt before
    it sends the next; and how long each took, in milliseconds."""
    times_ms: list[float] = []
    with tempfile.TemporaryDirectory(prefix="compute-ledger-bench-") as folder:
        store = open_store(Secret(f"sqlite:///{Path(folder, 'ledger.db')}"))
        sender, signer = Sender(connect(url), store), _account(0)
        sender.send(thing(0), signer)

        def client(number: int) -> None:
            for place in range(each):
                began = time.perf_counter()
                receipt = sender.send(thing(number * each + place), signer, f"{number} {place}")
                assert receipt.succeeded
                times_ms.append(1_000 * (time.perf_counter() - began))

        with ThreadPoolExecutor(clients) as pool:
            began = time.perf_counter()
            list(pool.map(client, range(clients)))
            took_s = time.perf_counter() - began
        sender.close()
        store.close()
    return clients * each / took_s, times_ms


def unjournalled(url: str, count: int = CLIENTS * EACH // 2) -> float:
    """The same transactions a second through web3.py and eth-account, one after the other: built with named gas, fees
    and nonce, signed, sent; then the receipts of all."""
    web3 = Web3(HTTPProvider(url))
    account = Account.from_mnemonic(DEVELOPMENT_MNEMONIC, account_path="m/44'/60'/0'/0/1")
    terms: dict[str, Any] = {"gas": _GAS, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9, "chainId": 31_337}
    first, hashes = web3.eth.get_transaction_count(account.address), []
    began = time.perf_counter()
    for place in range(count):
        call = thing(place)
        built = cast("TxParams", {**terms, "to": call.to, "data": call.data, "value": 0, "nonce": first + place})
        hashes.append(web3.eth.send_raw_transaction(account.sign_transaction(built).raw_transaction))
    for hash_ in hashes:
        web3.eth.wait_for_transaction_receipt(hash_, poll_latency=0.005)
    return count / (time.perf_counter() - began)


def thing(place: int) -> Call:
    """A call of nobody's: its node has no part in the figure but taking it."""
    return Call("Thing", _TO, _SELECTOR + place.to_bytes(64), gas=_GAS)


def _account(index: int) -> Signer:
    return signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), index)
