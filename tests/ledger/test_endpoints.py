"""Several nodes: reads go to one that is well and up to date, transactions to all; each fault, provoked."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from ledger import NodeRefused, Unreachable, UnsignedTransaction, WrongChain, connect, errors, local_node
from ledger.endpoints import HEAD_SECONDS_KEPT, HEAD_SECONDS_MAX, PAUSE_SECONDS_MAX, Endpoints
from ledger.transactions import hash_of
from tests.faults import Fault, Proxy, faulty
from tests.world import BUYER, SELLER

SEND = "eth_sendRawTransaction"


@dataclass
class Clock:
    """Time as the pool sees it, set by hand."""

    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class Net:
    """One node behind three proxies, and a pool over them with a clock of its own."""

    node_url: str
    proxies: list[Proxy]
    clock: Clock
    pool: Endpoints

    def ask(self, method: str, *params: Any) -> Any:
        return self.pool.ask([(method, params)])[0]

    def asked(self, method: str) -> list[int]:
        """How often each proxy was asked for it; and all begin anew."""
        counts = [proxy.seen.count(method) for proxy in self.proxies]
        for proxy in self.proxies:
            proxy.seen.clear()
        return counts


@pytest.fixture(scope="module")
def node_url() -> Iterator[str]:
    with local_node() as node:
        yield node.url


@pytest.fixture(scope="module")
def proxies(node_url: str) -> Iterator[list[Proxy]]:
    with ExitStack() as stack:
        yield [stack.enter_context(faulty(node_url, seed)) for seed in range(3)]


@pytest.fixture
def net(node_url: str, proxies: list[Proxy]) -> Iterator[Net]:
    for proxy in proxies:
        proxy.heal()
        proxy.seen.clear()
    clock = Clock()
    pool = Endpoints([proxy.url for proxy in proxies], timeout_s=2, now=clock)
    yield Net(node_url, proxies, clock, pool)
    pool.close()


def kill(proxy: Proxy) -> None:
    proxy.shares[Fault.LOSE_REQUEST] = 1.0


def signed(node_url: str) -> str:
    """The buyer's next transaction."""
    nonce = connect(node_url).nonce(BUYER.address)
    unsigned = UnsignedTransaction(BUYER.address, SELLER.address, b"", 31_337, nonce, 21_000, 10**11, 1)
    return "0x" + BUYER.sign_transaction(unsigned.fields()).raw.hex()


def mine(node_url: str, blocks: int) -> None:
    connect(node_url).request("anvil_mine", hex(blocks))


def test_reads_go_to_the_first_while_it_is_well(net: Net) -> None:
    for _ in range(5):
        assert net.ask("eth_gasPrice")["result"]
    assert net.asked("eth_gasPrice") == [5, 0, 0]


@pytest.mark.parametrize(
    "fault", [Fault.LOSE_REQUEST, Fault.LOSE_REPLY, Fault.TOO_MANY, Fault.BROKEN, Fault.GARBAGE, Fault.PAGE]
)
def test_node_that_fails_is_left_for_the_next_and_alone_for_a_while(net: Net, fault: Fault) -> None:
    net.ask("eth_gasPrice")
    net.asked("eth_gasPrice")
    net.proxies[0].shares[fault] = 1.0
    for _ in range(5):
        assert net.ask("eth_gasPrice")["result"]
    assert net.asked("eth_gasPrice") == [1, 5, 0]
    first, second, _ = net.pool.health()
    assert first.errors == 1
    assert 0 < first.paused_s <= 1
    assert first.trouble is not None
    assert (second.errors, second.paused_s, second.trouble) == (0, 0, None)


def test_pause_grows_with_each_failure_and_ends(net: Net) -> None:
    kill(net.proxies[0])
    pauses = []
    for _ in range(12):
        net.ask("eth_gasPrice")
        pauses.append(net.pool.health()[0].paused_s)
        net.clock.now_s += pauses[-1] + 0.01
        # The others are made to fail once, so that the first is tried again.
        net.pool._current = net.pool._nodes[0]
    assert all(0.75 * min(0.5 * 2**n, 60) <= pause <= 1.25 * 60 for n, pause in enumerate(pauses)), pauses
    assert pauses[-1] >= 0.75 * PAUSE_SECONDS_MAX
    net.proxies[0].heal()
    net.ask("eth_gasPrice")
    assert net.pool.health()[0].paused_s == 0


def test_all_down_is_unreachable_and_the_first_that_comes_back_is_used(net: Net) -> None:
    for proxy in net.proxies:
        kill(proxy)
    with pytest.raises(Unreachable):
        net.ask("eth_gasPrice")
    with pytest.raises(Unreachable):
        net.ask("eth_gasPrice")
    net.proxies[2].heal()
    assert net.ask("eth_gasPrice")["result"]


def test_refusals_are_answers_and_burn_nobody(net: Net) -> None:
    assert "error" in net.ask("eth_makeCoffee")
    assert "error" in net.ask("eth_getBalance", "0x12", "latest")
    assert [one.errors for one in net.pool.health()] == [0, 0, 0]
    assert net.asked("eth_makeCoffee") == [1, 0, 0]


def test_other_chain_is_found_at_the_switch_and_passed_over(net: Net) -> None:
    net.ask("eth_gasPrice")
    net.proxies[1].chain_id = 4_242
    kill(net.proxies[0])
    assert net.ask("eth_gasPrice")["result"]
    assert net.asked("eth_gasPrice")[1:] == [0, 1]
    trouble = net.pool.health()[1].trouble
    assert trouble is not None
    assert "4242" in trouble
    # What was right when it was last asked may be wrong now: each switch asks again.
    net.proxies[0].heal()
    net.proxies[0].chain_id = 4_242
    kill(net.proxies[2])
    net.clock.now_s += 10
    with pytest.raises((WrongChain, Unreachable)):
        net.ask("eth_gasPrice")
    assert net.asked("eth_gasPrice")[:2] == [0, 0]


def test_chain_is_asked_for_at_the_switch_also_of_one_that_was_told_before(net: Net) -> None:
    net.ask(SEND, signed(net.node_url))
    net.ask("eth_gasPrice")
    net.asked("eth_gasPrice")
    net.proxies[1].chain_id = 4_242
    kill(net.proxies[0])
    assert net.ask("eth_gasPrice")["result"]
    assert net.asked("eth_gasPrice") == [1, 0, 1]


def test_chain_that_is_meant_decides_also_for_the_first(proxies: list[Proxy], net: Net) -> None:
    proxies[0].chain_id = 1
    chain = connect(f"{proxies[0].url}, {proxies[1].url}", chain_id=31_337, timeout_s=2)
    assert chain.chain_id == 31_337
    assert [one.errors for one in chain.health()] == [0, 0]
    proxies[1].chain_id = 1
    with pytest.raises(WrongChain):
        connect(f"{proxies[0].url} {proxies[1].url}", chain_id=31_337, timeout_s=2)


def test_node_whose_head_is_behind_is_not_read(net: Net) -> None:
    mine(net.node_url, 10)
    net.proxies[0].stale_blocks = 8
    for _ in range(3):
        net.ask("eth_gasPrice")
    assert net.asked("eth_gasPrice") == [0, 3, 0]
    assert [one.lag_blocks for one in net.pool.health()] == [8, 0, 0]
    net.proxies[0].stale_blocks = 3
    net.clock.now_s += HEAD_SECONDS_MAX + 1
    kill(net.proxies[1])
    net.ask("eth_gasPrice")
    assert net.asked("eth_gasPrice")[0] == 1


def test_rather_nobody_is_read_than_one_behind_until_the_best_is_forgotten(net: Net) -> None:
    mine(net.node_url, 10)
    net.proxies[0].stale_blocks = net.proxies[1].stale_blocks = 8
    assert net.ask("eth_gasPrice")["result"]
    kill(net.proxies[2])
    with pytest.raises(Unreachable):
        net.ask("eth_gasPrice")
    assert net.asked("eth_gasPrice")[:2] == [0, 0]
    net.clock.now_s += HEAD_SECONDS_KEPT + 1
    assert net.ask("eth_gasPrice")["result"]


def test_transaction_goes_through_all_and_one_that_takes_it_is_enough(net: Net) -> None:
    for dead in (0, 1, 2):
        raw = signed(net.node_url)
        for proxy in net.proxies[:dead]:
            kill(proxy)
        assert net.ask(SEND, raw)["result"] == hash_of(bytes.fromhex(raw[2:]))
        assert net.asked(SEND) == [1, 1, 1]
        for proxy in net.proxies:
            proxy.heal()
        # Whoever was dead answers again, and is asked for its chain before it is told anything.
        net.clock.now_s += 60
        assert net.pool.ask([(SEND, (raw,))])
        net.asked(SEND)


def test_known_transaction_is_success_with_its_own_hash(net: Net) -> None:
    raw = signed(net.node_url)
    for proxy in net.proxies:
        proxy.methods, proxy.shares[Fault.ALREADY_KNOWN] = frozenset({SEND}), 1.0
    assert net.ask(SEND, raw) == {"result": hash_of(bytes.fromhex(raw[2:]))}


def test_transaction_that_all_refuse_is_refused(net: Net) -> None:
    raw = signed(net.node_url)
    net.ask(SEND, raw)
    mine(net.node_url, 1)
    answer = net.ask(SEND, raw)
    assert "nonce too low" in answer["error"]["message"]
    assert [one.errors for one in net.pool.health()] == [0, 0, 0]


def test_refusal_settles_nothing_while_another_node_is_silent(net: Net) -> None:
    """A node that took a transaction and lost its answer made it happen, whatever the others said of it."""
    raw = signed(net.node_url)
    net.ask(SEND, raw)
    mine(net.node_url, 1)
    kill(net.proxies[2])
    said = net.ask(SEND, raw)["error"]["message"]
    assert "did not answer" in said
    assert "nonce too low" not in said
    net.proxies[2].heal()
    net.clock.now_s += 60
    assert "nonce too low" in net.ask(SEND, raw)["error"]["message"]


def test_transactions_and_reads_in_one_batch_keep_their_places(net: Net) -> None:
    raw = signed(net.node_url)
    chain_id, sent, price = net.pool.ask([("eth_chainId", ()), (SEND, (raw,)), ("eth_gasPrice", ())])
    assert chain_id["result"] == hex(31_337)
    assert sent["result"] == hash_of(bytes.fromhex(raw[2:]))
    assert price["result"].startswith("0x")
    assert net.asked("eth_gasPrice") == [1, 0, 0]


def test_transaction_with_all_nodes_down_is_unreachable(net: Net) -> None:
    for proxy in net.proxies:
        kill(proxy)
    with pytest.raises(Unreachable):
        net.ask(SEND, signed(net.node_url))


def test_sleeping_nodes_are_told_when_nobody_else_answers(net: Net) -> None:
    for proxy in net.proxies:
        kill(proxy)
    with pytest.raises(Unreachable):
        net.ask("eth_gasPrice")
    net.proxies[1].heal()
    raw = signed(net.node_url)
    assert net.ask(SEND, raw)["result"]


def test_slow_head_of_another_holds_up_nobody(net: Net) -> None:
    net.proxies[2].delay_s = 1.5
    begun = time.monotonic()
    assert net.ask("eth_gasPrice")["result"]
    assert time.monotonic() - begun < 1.0


def test_threads_share_the_pool_while_nodes_fail(net: Net) -> None:
    for proxy in net.proxies[:2]:
        proxy.shares[Fault.LOSE_REPLY] = 0.2
    wrong: list[str] = []

    def ask_often() -> None:
        for _ in range(30):
            net.clock.now_s += 1
            try:
                if net.ask("eth_chainId")["result"] != hex(31_337):
                    wrong.append("another's answer")
            except Unreachable as error:
                wrong.append(str(error))

    threads = [threading.Thread(target=ask_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [], [proxy.seed for proxy in net.proxies]


def test_chain_on_several_nodes_reads_refuses_and_tells_its_health(net: Net) -> None:
    chain = connect(",".join(proxy.url for proxy in net.proxies), timeout_s=2)
    assert chain.block(0).number == 0
    kill(net.proxies[0])
    assert chain.block(0).number == 0
    with pytest.raises(NodeRefused):
        chain.request("eth_makeCoffee")
    assert len(chain.health()) == 3
    assert {one.host for one in chain.health()} == {proxy.url.removeprefix("http://") for proxy in net.proxies}
    assert issubclass(Unreachable, errors.Unavailable)
