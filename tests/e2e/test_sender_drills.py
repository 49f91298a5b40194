"""The sender on a real node: a fee that runs away, two processes with one key, and one key named a hundred times
(drills 4 to 6 of tests/DRILLS.md)."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Lock

import pytest

from ledger.abi import Call
from ledger.chain import Chain, connect
from ledger.errors import LedgerError, Unreachable
from ledger.node import LocalNode, local_node
from ledger.sending.drafts import Sent
from ledger.sending.fees import WEI_PER_GWEI, FeePolicy
from ledger.sending.sender import Sender
from ledger.sending.tracker import Clock
from ledger.sending.wire import Wire
from ledger.settings import Secret
from ledger.store.engine import open_store
from ledger.store.intents import State
from tests.world import ADMIN, BUYER

# It keeps what it is told for nobody: an address without code takes any data.
TO = "0x" + "77" * 20
SPIKE_BLOCKS = 20


@pytest.fixture
def node() -> Iterator[LocalNode]:
    with local_node("--no-mining") as running:
        yield running


def thing(place: int) -> Call:
    return Call("Thing", TO, b"thing %06d" % place, gas=60_000)


def effects(chain: Chain) -> list[str]:
    """The data of every transaction on the chain, in its order."""
    found = []
    for number in range(1, chain.block().number + 1):
        block = chain.request("eth_getBlockByNumber", hex(number), True)
        found += [one["input"] for one in block["transactions"] if one["input"] != "0x"]
    return found


def datas(*places: int) -> list[str]:
    return ["0x" + thing(place).data.hex() for place in places]


def test_base_fee_times_ten_in_twenty_blocks_is_followed_within_cap_and_budget(node: LocalNode, tmp_path: Path) -> None:
    """Drill 4. DRILLS.md mode 11–13: all land, none above the ceiling, and the day's budget holds."""
    chain = connect(node.url)
    now_s = count(step=5)
    budget_wei = 10**18
    policy = FeePolicy(cap_wei=100 * WEI_PER_GWEI, bump_after_s=5, daily_budget_wei=budget_wei)
    clock = Clock(monotonic=lambda: float(next(now_s)))
    store = open_store(Secret(f"sqlite:///{tmp_path / 'outbox.db'}"))
    sender = Sender(chain, store, policy, clock=clock)
    sents: list[Sent] = []
    # The first offers of twice the base fee and a tip are too little when the rise begins.
    base_fee_wei = 4.0 * WEI_PER_GWEI
    for place in range(SPIKE_BLOCKS):
        sents += sender.submit_many([(thing(place), ADMIN)])
        base_fee_wei *= 10 ** (1 / SPIKE_BLOCKS)
        chain.request("anvil_setNextBlockBaseFeePerGas", hex(int(base_fee_wei)))
        chain.request("evm_mine")
        sender.advance()
    for _ in range(SPIKE_BLOCKS):
        chain.request("anvil_setNextBlockBaseFeePerGas", hex(int(base_fee_wei)))
        chain.request("evm_mine")
        sender.advance()
    statuses = [sender.status(sent.number) for sent in sents]
    assert {status.state for status in statuses} <= {State.INCLUDED, State.SAFE, State.FINAL}
    assert any(len(status.attempts) > 1 for status in statuses), "nothing was replaced: there was no drill"
    assert effects(chain) == datas(*range(SPIKE_BLOCKS))
    offered = [attempt for status in statuses for attempt in status.attempts]
    assert max(attempt.fees.max_fee_wei for attempt in offered) <= policy.cap_wei
    assert sum(status.last.gas * status.last.fees.max_fee_wei for status in statuses) <= budget_wei


_OTHER = """
import sys
from ledger.errors import KeyBusy
from tests.e2e.test_sender_drills import *
sender = Sender(connect(sys.argv[1]), open_store(Secret(sys.argv[2])))
for place in range(int(sys.argv[3]), int(sys.argv[3]) + 30):
    try:
        sender.submit(thing(place), ADMIN, f"thing {place}")
        print(place, "sent", flush=True)
    except KeyBusy:
        print(place, "busy", flush=True)
    time.sleep(0.02)
sys.stdin.readline()
"""


def test_two_processes_with_one_key_are_one_sender(node: LocalNode, tmp_path: Path) -> None:
    """Drill 5. DRILLS.md mode 17, and what the one that dies left behind is the other's to finish."""
    chain = connect(node.url)
    url = f"sqlite:///{tmp_path / 'outbox.db'}"
    open_store(Secret(url)).close()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _OTHER, node.url, url, str(start)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for start in (100, 200)
    ]
    said: list[list[str]] = []
    for process in processes:
        assert process.stdout is not None
        said.append([process.stdout.readline().strip() for _ in range(30)])
    for process in processes:
        process.kill()
        process.communicate(timeout=60)
    sent = [int(line.split()[0]) for lines in said for line in lines if line.endswith("sent")]
    assert len({place // 100 for place in sent}) == 1, said
    assert sorted(line.split()[1] for lines in said for line in lines) == ["busy"] * 30 + ["sent"] * 30
    # Both are gone: their lease needs no waiting for.
    sender = Sender(chain, open_store(Secret(url)))
    assert sender.resume(ADMIN) == 30
    late = sender.submit(thing(300), ADMIN, "thing 300")
    chain.request("evm_mine")
    assert sender.wait(late).succeeded
    assert effects(chain) == datas(*sorted(sent), 300)
    assert [sender.status(f"thing {place}").nonce for place in sorted(sent)] == list(range(30))


class Deaf(Wire):
    """Loses every second answer to what is sent."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self._sent = 0
        self._turn = Lock()

    def send(self, raws: Sequence[bytes]) -> list[LedgerError | None]:
        answers = super().send(raws)
        with self._turn:
            self._sent += 1
            lost = self._sent % 2 == 1
        if lost:
            raise Unreachable("the drill", "the answer was lost")
        return answers


def test_one_idempotency_key_a_hundred_times_at_once_is_one_transaction(node: LocalNode, tmp_path: Path) -> None:
    """Drill 6. DRILLS.md mode 2, 18: equal answers, one effect, half of the node's replies lost."""
    chain = connect(node.url)
    sender = Sender(chain, open_store(Secret(f"sqlite:///{tmp_path / 'outbox.db'}")), wire=Deaf(chain))

    def submit(place: int) -> Sent:
        return sender.submit(thing(place % 2), ADMIN if place % 2 else BUYER, f"thing {place % 2}")

    with ThreadPoolExecutor(20) as pool:
        sents = list(pool.map(submit, range(200)))
    assert len(set(sents[::2])) == len(set(sents[1::2])) == 1
    assert len(sender.unfinished()) == 2
    chain.request("evm_mine")
    receipts = sender.wait_all(sents[:2])
    assert all(receipt.succeeded for receipt in receipts)
    assert sorted(effects(chain)) == datas(0, 1)


def test_ever_more_threads_share_commits(node: LocalNode, tmp_path: Path) -> None:
    """What is submitted at the same time is in the database and on its way together; nothing is lost between."""
    chain = connect(node.url)
    store = open_store(Secret(f"sqlite:///{tmp_path / 'outbox.db'}"))
    sender = Sender(chain, store)
    started = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        sents = list(pool.map(lambda place: sender.submit(thing(place), ADMIN, simulate=False), range(200)))
    took_s = time.monotonic() - started
    assert sorted(sent.nonce for sent in sents) == list(range(200))
    while chain.nonce(ADMIN.address) < 200:
        sender.advance()
    chain.request("evm_mine")
    assert all(receipt.succeeded for receipt in sender.wait_all(sents))
    assert sorted(effects(chain)) == datas(*range(200))
    assert took_s < 60
