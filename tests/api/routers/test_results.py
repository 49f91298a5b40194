"""What a provider brings of a lease is its holder's to fetch, and nobody else's."""

import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.routers.results import is_plain_path
from api.turns import Turns
from ledger import MeterReading, read_proven, reading_domain, sign_reading, usage_root, verify_reading
from tests.api.routers.test_jobs import put, running, signed_in
from tests.api.stage import Stage, staged
from tests.world import SELLER, world_on

RESULT: dict[str, Any] = {
    "exit_code": 0,
    "log": "{" * 20_000 + "done\n",
    "files": {"out/a.txt": b64encode(b"found").decode()},
    "readings": [],
    "signatures": [],
}


def sent(**more: Any) -> bytes:
    return json.dumps(RESULT | more).encode()


def test_a_result_is_brought_by_the_provider_and_fetched_by_the_holder(stage: Stage) -> None:
    with running(stage, "brings") as run:
        path = f"/leases/{run.lease}/result"
        assert stage.client.get(path, headers=run.buyer).status_code == 404
        assert put(stage, path, sent(), run.buyer).status_code == 403
        answer = put(stage, path, sent(exit_code=3), run.provider)
        assert (answer.status_code, answer.json()["first"]) == (201, True)
        assert put(stage, path, sent(), run.provider).json()["first"] is False
        for who in (run.buyer, run.provider):
            found = stage.client.get(path, headers=who)
            assert (found.json(), found.headers["cache-control"]) == (RESULT, "private, no-store")
        # What was shown to the holder is kept for nobody who asks next.
        assert stage.client.get(path).status_code == 401
        assert stage.client.get(path, headers=signed_in(stage, SELLER)).status_code == 403
        assert stage.client.get("/leases/99999/result", headers=run.buyer).status_code == 404


@pytest.mark.parametrize(
    "more",
    [
        {"files": {"../x": ""}},
        {"files": {"a": "not base64!"}},
        {"exit_code": "0"},
        {"readings": [{}]},
        {"signatures": ["0x"]},
        {"more": 1},
        {"log": None},
    ],
)
def test_a_result_that_cannot_be_meant_is_refused(stage: Stage, more: dict[str, Any]) -> None:
    who = signed_in(stage, stage.world.provider)
    answer = put(stage, f"/leases/{stage.lease}/result", sent(**more), who)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith(f"/body/{next(iter(more))}")


def test_a_result_ends_at_eight_mebibytes_and_nothing_crashes_its_reader(stage: Stage) -> None:
    who, path = signed_in(stage, stage.world.provider), f"/leases/{stage.lease}/result"
    assert put(stage, path, sent(log="x" * (8 * 2**20)), who).status_code == 413
    assert put(stage, path, b"[" * 2**20, who).status_code == 422
    assert put(stage, path, b'{"log":' * 2**18, who).status_code == 422


@given(st.text(max_size=30))
def test_a_plain_path_stays_inside(name: str) -> None:
    parts = name.split("/")
    if is_plain_path(name):
        assert not name.startswith("/")
        assert ".." not in parts
        assert "\\" not in name
        assert "\n" not in name


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", ".", "a/../b", "..\\a", "a\nb", "a\0", "x" * 201])
def test_a_path_that_leads_out_is_none(name: str) -> None:
    assert not is_plain_path(name)
    assert is_plain_path("out/näme 1.txt")


def test_readings_are_proven_against_the_report(folder: Path) -> None:
    # A market of its own: its time goes on, past what other tests still trade.
    with world_on("anvil") as world, staged(world, folder) as stage, running(stage, "metered") as run:
        domain = reading_domain(world.market.deployment)
        start_s = run.product.start_s
        readings = [MeterReading(run.lease, k, start_s + 60 * k, start_s + 60 * (k + 1), 9_000 + k) for k in range(5)]
        signatures = [sign_reading(one, domain, world.provider) for one in readings]
        body: dict[str, Any] = {
            "readings": [one.json() for one in readings],
            "signatures": ["0x" + one.hex() for one in signatures],
        }
        path = f"/leases/{run.lease}"
        for fault, bent, key in (
            ("is not signed", readings, world.buyer),
            ("begins at", [readings[0], replace(readings[1], from_s=readings[1].from_s - 30)], world.provider),
            ("after the window", [replace(readings[0], to_s=run.product.end_s + 1)], world.provider),
            ("claims 10001", [replace(readings[0], delivered_milli=10_001)], world.provider),
        ):
            marks = ["0x" + sign_reading(one, domain, key).hex() for one in bent]
            content = sent(readings=[one.json() for one in bent], signatures=marks)
            refused = put(stage, f"{path}/result", content, run.provider)
            assert (refused.status_code, fault in refused.json()["detail"]) == (422, True), refused.text
        assert put(stage, f"{path}/result", sent(**body), run.provider).status_code == 201
        assert stage.get(f"{path}/readings/0")["data"]["usage_root"] is None
        world.clock.go_to(start_s + 600)
        root = usage_root(readings)
        world.delivery.report(run.lease, 10_000, root).send(world.provider)
        stage.catch_up()
        for k in range(5):
            data = stage.get(f"{path}/readings/{k}")["data"]
            assert data["usage_root"] == "0x" + root.hex()
            assert verify_reading(read_proven(data), root, domain, world.provider.address) == []
        assert stage.client.get(f"{path}/readings/5").status_code == 404
        fewer = {"readings": body["readings"][:4], "signatures": body["signatures"][:4]}
        for wrong in (fewer, {**body, "signatures": []}, {**body, "readings": [*reversed(body["readings"])]}):
            assert put(stage, f"{path}/result", sent(**wrong), run.provider).status_code == 422
        assert put(stage, f"{path}/result", sent(**body), run.provider).status_code == 201


def test_proofs_beyond_what_is_made_at_once_are_told_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.services, "proofs", Turns("proofs", at_once=1, waiting_max=0))
    path = f"/leases/{stage.lease}/readings/0"
    with stage.services.proofs.turn("somebody else"):
        assert stage.client.get(path).status_code == 429
    assert stage.client.get(path).status_code == 404
