"""Dispatches move by themselves while a living key of this API stands behind them; what one fails at holds up no other
and is told once."""

import logging
from collections.abc import Iterator
from itertools import pairwise
from threading import Event
from time import monotonic, sleep
from typing import Any

import pytest

from api.moving import Mover
from ledger.store.turns import turn
from tests.api.routers.test_campaigns import auth
from tests.api.routers.test_dispatch import jobs, offer
from tests.api.stage import Stage, new_key, staged
from tests.world import world_on

WITHIN_S = 90


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A market of its own, on which dispatches are moved by nobody but a test."""
    with world_on("anvil") as world, staged(world, tmp_path_factory.mktemp("moving")) as stage:
        yield stage


def mover(stage: Stage) -> Mover:
    return Mover(stage.services.campaigns, stage.services.accounts, stage.services.vault)


def started(stage: Stage, made: dict[str, Any], name: str) -> int:
    response = stage.post("/dispatch", jobs(stage), key=made["key"], Idempotency_Key=name)
    assert response.status_code == 202, response.text
    return int(response.json()["id"])


def test_nobody_asks_and_it_is_bought_and_redeemed(tmp_path_factory: pytest.TempPathFactory) -> None:
    services = frozenset({"index", "sender", "dispatch"})
    with world_on("anvil") as world, staged(world, tmp_path_factory.mktemp("by-itself"), services=services) as stage:
        made = new_key(stage, "buyer", cash="500")
        products = offer(stage)
        number = started(stage, made, "once")

        def state() -> dict[str, Any]:
            found: dict[str, Any] = stage.client.get(f"/dispatch/{number}", headers=auth(made["key"])).json()
            return found

        def until(phase: str) -> dict[str, Any]:
            deadline_s = monotonic() + WITHIN_S
            while (found := state())["phase"] != phase:
                assert monotonic() < deadline_s, found
                sleep(0.1)
            return found

        until("buying")
        round_ = world.market.current_round()
        world.clock.go_to(world.market.round_end_s(round_))
        for product in products:
            if world.market.orders(product, round_):
                world.market.clear(product, round_).send(world.stranger)
                for part in world.market.settlements(product, round_):
                    part.send(world.stranger)
        found = until("running")
        assert found["jobs"][0]["running"] == 1_000
        stage.catch_up()
        leases = [stage.get(f"/leases/{one}")["data"] for one in found["jobs"][0]["leases"]]
        assert {one["holder"] for one in leases} == {made["address"]}
        assert stage.services.running()["dispatch"]
        assert stage.get("/health/ready")["ok"]


def test_only_a_living_keys_dispatch_moves(fair: Stage) -> None:
    made, other = new_key(fair, "buyer"), new_key(fair, "buyer")
    number = started(fair, made, "revoked")
    started(fair, other, "other")
    assert mover(fair).step(Event()) == 2
    fair.services.accounts.revoke(made["key_id"], 1)
    assert mover(fair).step(Event()) == 1
    assert not fair.services.campaigns().open(number).state().ended


def test_an_owner_of_many_holds_up_no_other(fair: Stage) -> None:
    many, few = new_key(fair, "buyer"), new_key(fair, "buyer")
    theirs = [started(fair, many, f"many-{place}") for place in range(4)]
    mine = started(fair, few, "few")
    kept = fair.services.campaigns()

    def versions() -> list[int]:
        return [kept.open(number).row.version for number in (*theirs, mine)]

    # A share of no time at all is one dispatch of each owner, each time the next one.
    found = Mover(fair.services.campaigns, fair.services.accounts, fair.services.vault, share_s=0)
    seen = [versions()]
    for _ in range(5):
        found.step(Event())
        seen.append(versions())
    moved = [[new > old for old, new in zip(*pair, strict=True)] for pair in pairwise(seen)]
    assert moved == [[place == turn % 4 for place in range(4)] + [True] for turn in range(5)]
    for number in (*theirs, mine):
        kept.open(number).stop()


def test_one_that_is_being_moved_is_left_alone_and_told_as_it_stands(fair: Stage) -> None:
    made = new_key(fair, "buyer")
    number = started(fair, made, "taken")
    kept = fair.services.campaigns()
    version = kept.open(number).row.version
    with turn(fair.services.store, f"dispatch of {made['address']} on {kept.place[0]}"):
        mover(fair).step(Event())
        response = fair.post(f"/dispatch/{number}/advance", key=made["key"])
        assert (response.status_code, response.json()["id"]) == (200, number)
        assert kept.open(number).row.version == version
    mover(fair).step(Event())
    assert kept.open(number).row.version > version


def test_a_failure_is_told_once_and_holds_up_no_other(fair: Stage, caplog: pytest.LogCaptureFixture) -> None:
    broken, made = new_key(fair, "buyer"), new_key(fair, "buyer")
    number, good = started(fair, broken, "broken"), started(fair, made, "good")
    # Its file is another's by now: the vault opens it, and it is not the owner's key.
    vault = fair.services.vault
    vault._open[broken["address"]] = vault.signer(made["address"])
    version, found = fair.services.campaigns().open(good).row.version, mover(fair)
    with caplog.at_level(logging.WARNING, "api"):
        found.step(Event())
        found.step(Event())
    told = [record.getMessage() for record in caplog.records if record.name == "api"]
    assert [one.startswith(f"dispatch {number}: ") for one in told] == [True], told
    assert broken["key"] not in "".join(told)
    assert fair.services.campaigns().open(good).row.version > version
