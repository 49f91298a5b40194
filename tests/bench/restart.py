"""The local chain with a long past: how fast it takes transactions, and how soon it is back after a kill."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ledger.chain import Chain, connect
from ledger.keys import Signer, signer_from_mnemonic
from ledger.node import DEVELOPMENT_MNEMONIC
from ledger.rpc import number_of
from ledger.sending.envelope import sign
from ledger.sending.fees import Fees
from ledger.services import Service, Services
from ledger.settings import Secret
from tests.bench.figures import Figure
from tests.running import kill, start_node, url_of

TRANSACTIONS = 100_000
REPLAY_S_MAX = 300
_AT_ONCE = 500
_SENDERS = 5
_BEHIND_MAX = 10_000
_TO = "0x" + "77" * 20
_FEES = Fees(10**10, 10**9)


def figures() -> Iterator[Figure]:
    """Transactions a second that are written down, acknowledged and mined; seconds from a start to the last block."""
    with tempfile.TemporaryDirectory(prefix="compute-ledger-bench-") as name, Services() as services:
        folder = Path(name, "chain")
        node = start_node(services, folder)
        began = time.perf_counter()
        fill(connect(url_of(node)), TRANSACTIONS)
        rate = TRANSACTIONS / (time.perf_counter() - began)
        yield Figure("local chain: transactions taken and mined", rate, "/s", note=f"{_AT_ONCE} a request")
        node, took_s = back_after_kill(services, node, folder)
        snapshot = folder / "snapshot"
        note = "with a snapshot" if snapshot.exists() else "without a snapshot"
        told = f"local chain: back after kill -9, {TRANSACTIONS:,} transactions"
        yield Figure(told, took_s, "s", 20, smaller=True, note=note)
        if snapshot.exists():
            snapshot.unlink()
            _, took_s = back_after_kill(services, node, folder)
            yield Figure("local chain: the same with its snapshot lost", took_s, "s", note="all is replayed")


def fill(chain: Chain, transactions: int) -> None:
    """Sends transfers of nothing of a few accounts, and waits until all are mined."""
    signers = [signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), number) for number in range(_SENDERS)]
    each = transactions // _SENDERS
    for start in range(0, each, _AT_ONCE // _SENDERS):
        part = range(start, min(start + _AT_ONCE // _SENDERS, each))
        raws = [sign(one, 31_337, nonce, (_TO, b""), 21_000, _FEES).raw for one in signers for nonce in part]
        for answer in chain.outcomes([("eth_sendRawTransaction", ("0x" + raw.hex(),)) for raw in raws]):
            assert isinstance(answer, str), answer
        until_mined(chain, signers, part.stop - _BEHIND_MAX // _SENDERS)
    until_mined(chain, signers, each)


def until_mined(chain: Chain, signers: Sequence[Signer], nonce: int) -> None:
    """Waits until each account has so many transactions in blocks."""
    while min(number_of(one) for one in chain.batch([_count_of(one) for one in signers])) < nonce:
        time.sleep(0.02)


def _count_of(signer: Signer) -> tuple[str, Sequence[str]]:
    return "eth_getTransactionCount", (signer.address, "latest")


def back_after_kill(services: Services, node: Service, folder: Path) -> tuple[Service, float]:
    """Kills the chain and what belongs to it, starts it again; gives it, and the seconds until it has its last
    block."""
    head = connect(url_of(node)).block()
    kill(node)
    began = time.perf_counter()
    node = start_node(services, folder, within_s=REPLAY_S_MAX)
    assert connect(url_of(node)).block(head.number).hash == head.hash
    return node, time.perf_counter() - began
