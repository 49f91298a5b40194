"""Server-sent events: a new block is told, and a stream goes on where it was cut off."""

import json
from collections.abc import Iterator
from time import monotonic, sleep

import pytest

from api.routers import stream
from tests.api.stage import Stage


def events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The events of a stream, each by its fields."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line and fields:
            yield fields
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def test_a_new_block_is_told_with_whom_it_touches(stage: Stage) -> None:
    stage.catch_up()
    with stage.client.stream("GET", "/stream", timeout=20) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        head = stage.world.chain.block()
        stage.world.market.bid(stage.sold, 20, tick=200).send(stage.world.buyer)
        told = next(one for one in events(response.iter_lines()) if one["event"] == "block")
    data = json.loads(told["data"])
    assert data["block"] == head.number + 1
    assert told["id"] == f"{data['block']}:{data['block_hash']}"
    assert data["products"] == [stage.sold.code]
    assert stage.world.buyer.address in data["accounts"]


def test_a_stream_goes_on_where_it_was_cut_off(stage: Stage) -> None:
    stage.catch_up()
    chain = stage.world.chain
    head = chain.block().number
    last = f"{head - 3}:{chain.block(head - 3).hash}"
    with stage.client.stream("GET", "/stream", headers={"Last-Event-ID": last}, timeout=20) as response:
        found = events(response.iter_lines())
        told = [json.loads(next(found)["data"])["block"] for _ in range(3)]
    assert told == [head - 2, head - 1, head]


def test_a_stream_cut_off_before_a_reorganisation_is_told_of_it(stage: Stage) -> None:
    stage.catch_up()
    head = stage.world.chain.block().number
    for last in (f"{head}:0x{'00' * 32}", f"{head + 500}:0x{'00' * 32}"):
        with stage.client.stream("GET", "/stream", headers={"Last-Event-ID": last}, timeout=20) as response:
            assert next(events(response.iter_lines()))["event"] == "reorg"


def until(stage: Stage, listeners: int) -> None:
    deadline_s = monotonic() + 60
    while stage.services.feed.listeners != listeners:
        assert monotonic() < deadline_s, stage.services.feed.listeners
        sleep(0.01)


@pytest.mark.parametrize("most", ["LISTENERS_MAX", "OF_ONE_MAX"])
def test_one_too_many_is_told_so(stage: Stage, monkeypatch: pytest.MonkeyPatch, most: str) -> None:
    until(stage, 0)
    monkeypatch.setattr(stream, most, 1)
    with stage.client.stream("GET", "/stream", timeout=20) as response:
        assert response.status_code == 200
        until(stage, 1)
        refused = stage.client.get("/stream")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        assert refused.json()["type"] == "/problems/TooMany"


def test_nonsense_is_a_fresh_stream(stage: Stage) -> None:
    stage.catch_up()
    for last in ("x", "7:8", "-1:0x", "'; --"):
        with stage.client.stream("GET", "/stream", headers={"Last-Event-ID": last}, timeout=20) as response:
            assert response.status_code == 200
