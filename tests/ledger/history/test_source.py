"""What a node says of a block's logs is held against the block's header, also where it says that there are none."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ledger.errors import NodeRefused
from ledger.history.source import Fresh, Source
from tests.day import tiny_day

MARKET = tiny_day().market
ADDRESSES = [one for name, one in MARKET.deployment.addresses.items() if name != "Token"]
Answer = Callable[[str, Any, Any], Any]


def source_on(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> Source:
    """A source whose node's answers are passed through `answer`: method, first parameter, and the real one."""
    real = MARKET.chain.batch

    def batch(wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        results = real(wanted)
        return [answer(method, params[0], one) for (method, params), one in zip(wanted, results, strict=True)]

    monkeypatch.setattr(MARKET.chain, "batch", batch)
    return Source(MARKET.chain, ADDRESSES)


def blocks(source: Source) -> list[Fresh]:
    latest = MARKET.chain.block().number
    found = [one for one in source.headers(range(latest - 40, latest + 1)) if one is not None]
    assert len(found) == 41
    return found


def ours(asked: Any) -> bool:
    return "address" in asked


def test_all_logs_of_all_blocks_are_believed() -> None:
    source = Source(MARKET.chain, ADDRESSES)
    found = blocks(source)
    logs = source.logs_of(found)
    wanted = MARKET.chain.logs(ADDRESSES, found[0].row.block)
    assert [int(one["logIndex"], 16) for part in logs for one in part] == [one.index for one in wanted]
    assert any(logs)
    assert not all(logs)


def test_an_empty_answer_that_the_header_contradicts_is_replaced_by_the_block_s_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = Source(MARKET.chain, ADDRESSES)
    found, said = blocks(honest), honest.logs_of(blocks(honest))
    forgetful = source_on(
        monkeypatch, lambda method, asked, real: [] if method == "eth_getLogs" and ours(asked) else real
    )
    assert forgetful.logs_of(found) == said


def test_a_node_that_hides_a_block_s_logs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Source(MARKET.chain, ADDRESSES)
    found, said = blocks(honest), honest.logs_of(blocks(honest))
    hiding = source_on(monkeypatch, lambda method, _, real: [] if method == "eth_getLogs" else real)
    assert any(said)
    assert not all(said)
    for block, logs in zip(found, said, strict=True):
        if logs:
            with pytest.raises(NodeRefused, match=str(block.row.block)):
                hiding.logs_of([block])
        else:
            assert hiding.logs_of([block]) == [[]]


def test_a_bloom_that_cries_for_nothing_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other contracts' logs may set the same bits as ours would: all logs of the block say that none is ours."""
    honest = Source(MARKET.chain, ADDRESSES)
    found, said = blocks(honest), honest.logs_of(blocks(honest))
    full = [(block, logs) for block, logs in zip(found, said, strict=True) if logs]
    assert full
    stranger = Source(MARKET.chain, ["0x" + "00" * 20])
    monkeypatch.setattr("ledger.history.source.may_hold", lambda *_: True)
    assert stranger.logs_of([block for block, _ in full]) == [[] for _ in full]


def test_a_bloom_with_every_bit_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    every = "0x" + "ff" * 256
    source = source_on(
        monkeypatch,
        lambda method, _, real: real | {"logsBloom": every} if method == "eth_getBlockByNumber" else [],
    )
    found = blocks(source)
    assert {one.bloom for one in found} == {None}
    assert source.logs_of(found) == [[] for _ in found]
