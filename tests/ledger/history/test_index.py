"""The index against nodes that refuse, lag, lie, and ours: nothing is missed, nothing comes twice, doubt stops it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Event as Flag
from typing import Any

import pytest

from ledger.errors import HistoryBroken, HistoryMoved, NodeRefused, Unreachable
from ledger.history.index import Block, Finalized, Index
from ledger.settings import Secret
from ledger.store.engine import IN_MEMORY, Store, open_store
from tests.day import tiny_day
from tests.indexed import dump, tiny_store

MARKET = tiny_day().market


@dataclass(frozen=True)
class Asked:
    """A request and what the real node said to it."""

    method: str
    params: Sequence[Any]
    real: Any


Answer = Callable[[Asked], Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    url: Secret = IN_MEMORY if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = open_store(url)
    yield opened
    opened.close()


def index_on(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> Index:
    """An index whose node's answers are passed through `answer`."""
    real = MARKET.chain.batch

    def batch(wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        results = real(wanted)
        return [answer(Asked(method, params, one)) for (method, params), one in zip(wanted, results, strict=True)]

    monkeypatch.setattr(MARKET.chain, "batch", batch)
    return Index(MARKET, open_store(IN_MEMORY))


def test_history_is_the_same_in_parts_and_in_both_databases(store: Store) -> None:
    index = Index(MARKET, store)
    changes = []
    while index.head.lag or not index.head.head:
        changes += list(index.advance(blocks=7))
    assert dump(store) == dump(tiny_store())
    found = [one for one in changes if isinstance(one, Block)]
    assert [one.number for one in found] == sorted({one.number for one in found}), "each block once, in order"
    assert sum(one.events for one in found) == index.head.events == len(dump(store)["events"])
    assert any(isinstance(one, Finalized) for one in changes)
    assert list(index.advance()) == []


def test_undo_to_any_block_is_the_history_up_to_it(store: Store) -> None:
    """undo(do(x)) == x, on a real day: whatever is taken back equals what an index that stopped there has."""
    index = Index(MARKET, store)
    list(index.advance())
    for ancestor in index.history.window()[::9]:
        index.history.undo(ancestor)
        stopped = Index(MARKET, open_store(IN_MEMORY))
        list(stopped.advance(blocks=ancestor.block - stopped.head.block))
        assert stopped.head.block == ancestor.block
        assert dump(store) == dump(stopped.history.store)
    list(index.advance())
    assert dump(store) == dump(tiny_store())


# ---- ranges


def test_a_node_with_a_small_range_gives_the_same_history(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> Any:
        method, params, real = asked.method, asked.params, asked.real
        if method == "eth_getLogs" and "fromBlock" in params[0]:
            blocks = int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1
            if blocks > 2:
                raise NodeRefused("block range too large, max is 2 blocks")
        return real

    index = index_on(monkeypatch, answer)
    list(index.advance())
    assert index.ranges.blocks <= 2
    assert dump(index.history.store) == dump(tiny_store())


# ---- nodes that are wrong


def test_a_node_that_lags_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head behind ours is no reorganisation."""
    index = index_on(monkeypatch, lambda asked: asked.real)
    list(index.advance())
    head = MARKET.chain.block().number
    behind = MARKET.chain.request("eth_getBlockByNumber", hex(head - 3), False)

    def answer(asked: Asked) -> Any:
        method, params, real = asked.method, asked.params, asked.real
        if method == "eth_getBlockByNumber":
            late = params[0] == "latest" or (params[0].startswith("0x") and int(params[0], 16) > head - 3)
            return behind if params[0] == "latest" else None if late else real
        return real

    index_on(monkeypatch, answer)
    before = dump(index.history.store)
    assert list(index.advance()) == []
    assert dump(index.history.store) == before
    assert index.head.block == head


def test_a_node_that_lacks_blocks_below_its_head_is_no_reorganisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several nodes behind one address: one gives the head, another does not have our block yet."""
    index = index_on(monkeypatch, lambda asked: asked.real)
    list(index.advance())
    before = dump(index.history.store)
    index_on(monkeypatch, lambda asked: None if str(asked.params[0]).startswith("0x") else asked.real)
    with pytest.raises(NodeRefused):
        list(index.advance())
    assert dump(index.history.store) == before


def test_a_block_that_is_no_child_of_the_one_before_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was replaced between two requests: what comes next waits until we went back."""
    head = MARKET.chain.block().number

    def answer(asked: Asked) -> Any:
        orphan = asked.params[0] == hex(head - 5) and asked.method == "eth_getBlockByNumber"
        return {**asked.real, "parentHash": "0x" + "ee" * 32} if orphan else asked.real

    index = index_on(monkeypatch, answer)
    list(index.advance())
    assert index.head.block == head - 6
    monkeypatch.undo()
    list(index.advance())
    assert dump(index.history.store) == dump(tiny_store())


@pytest.mark.parametrize("shorter", [False, True])
def test_another_chain_with_the_same_id_is_told_from_a_reorganisation(
    monkeypatch: pytest.MonkeyPatch, shorter: bool
) -> None:
    """A local chain that was begun anew, also while it has fewer blocks than the one before."""
    index = index_on(monkeypatch, lambda asked: asked.real)
    list(index.advance())
    before = dump(index.history.store)

    def answer(asked: Asked) -> Any:
        header = asked.real
        if asked.method != "eth_getBlockByNumber" or header is None:
            return header
        if shorter and asked.params[0] == "latest":
            header = header | {"number": hex(MARKET.deployment.block + 3)}
        elif shorter and asked.params[0] == hex(index.head.block):
            return None
        return header | {"hash": "0x" + "ab" * 32, "parentHash": "0x" + "ab" * 32}

    index_on(monkeypatch, answer)
    with pytest.raises(HistoryBroken, match=r"another chain with the same id.* name another database or rebuild"):
        list(index.advance())
    assert dump(index.history.store) == before


def logs_as(change: Callable[[list[Any]], Any]) -> Answer:
    """A node whose logs are changed."""
    return lambda asked: change(asked.real) if asked.method == "eth_getLogs" else asked.real


def without(key: str) -> Answer:
    return logs_as(lambda logs: [{name: value for name, value in one.items() if name != key} for one in logs])


def changed(**values: Any) -> Answer:
    return logs_as(lambda logs: [one | values for one in logs])


def latest_as(header: Any) -> Answer:
    return lambda asked: header if asked.params[0] == "latest" else asked.real


LIES: dict[str, tuple[Answer, type[Exception]]] = {
    "another block's logs": (changed(blockHash="0x" + "00" * 32), NodeRefused),
    "logs twice": (logs_as(lambda logs: logs * 2), NodeRefused),
    "logs backwards": (logs_as(lambda logs: logs[::-1]), NodeRefused),
    "no list": (logs_as(lambda _: None), NodeRefused),
    "an event of ours that is unknown": (changed(topics=["0x" + "77" * 32]), HistoryBroken),
    "logs without a place": (without("logIndex"), NodeRefused),
    "no block": (latest_as(None), NodeRefused),
    "half a block": (latest_as({"number": "0x1"}), NodeRefused),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_node_that_lies_is_not_believed(monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    answer, error = LIES[lie]
    index = index_on(monkeypatch, answer)
    with pytest.raises(error):
        list(index.advance())
    monkeypatch.undo()
    list(index.advance())
    assert dump(index.history.store) == dump(tiny_store()), "nothing of the lie stays"


def test_an_empty_answer_for_a_block_that_the_node_lacks_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    index = index_on(monkeypatch, lambda asked: asked.real)
    list(index.advance(blocks=1))

    def answer(asked: Asked) -> Any:
        method, params, real = asked.method, asked.params, asked.real
        # A node behind the one that gave the head: it lacks the range's end, and has no logs there.
        lacks = method == "eth_getBlockByNumber" and params[0] not in ("latest", "finalized", hex(index.head.block))
        return None if lacks else [] if method == "eth_getLogs" else real

    index_on(monkeypatch, answer)
    with pytest.raises(NodeRefused):
        list(index.advance())
    monkeypatch.undo()
    list(index.advance())
    assert dump(index.history.store) == dump(tiny_store())


def test_times_come_from_headers_where_logs_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    index = index_on(monkeypatch, without("blockTimestamp"))
    list(index.advance())
    assert dump(index.history.store) == dump(tiny_store())


# ---- on and on


def test_two_that_keep_one_history_go_on_from_each_other(store: Store) -> None:
    one, other = Index(MARKET, store), Index(MARKET, store)
    list(one.advance(blocks=9))
    list(other.advance(blocks=20))
    # `one` is in the middle of its work when `other` was quicker: nothing of it is kept, and nothing is lost.
    with pytest.raises(HistoryMoved):
        one.history.commit(replace(one.head, block=one.head.block + 1), [], [])
    for each in (one, other, one):
        list(each.advance(blocks=20))
    list(one.advance())
    assert not one.head.lag
    assert dump(store) == dump(tiny_store())


def test_follow_goes_on_where_a_node_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, calls = Flag(), []

    def answer(asked: Asked) -> Any:
        calls.append(asked.method)
        if len(calls) == 2:
            raise Unreachable("somewhere", "it is asleep")
        return asked.real

    index = index_on(monkeypatch, answer)
    last = MARKET.chain.block().number
    for change in index.follow(stop, pause_s=0):
        if isinstance(change, Block) and change.number == last:
            stop.set()
    assert index.head.block == last


def test_rebuild_starts_again() -> None:
    index = Index(MARKET, open_store(IN_MEMORY))
    list(index.advance())
    index.rebuild()
    assert index.head == replace(index.head, block=MARKET.deployment.block - 1, events=0)
    list(index.advance())
    assert dump(index.history.store) == dump(tiny_store())
