"""Healthy while all of it is, and by name what is not."""

import pytest

from ledger import Unreachable
from tests.api.stage import Stage


def test_all_is_well(stage: Stage) -> None:
    for path in ("live", "startup", "ready"):
        found = stage.get(f"/health/{path}")
        assert found["ok"], found
    names = [one["name"] for one in stage.get("/health/ready")["checks"]]
    assert names == ["database", "node", "history", "gas", "threads"]


def test_a_node_that_does_not_answer_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> int:
        raise Unreachable("here", "no")

    monkeypatch.setattr(stage.services.chain, "time_s", silent)
    response = stage.client.get("/health/ready")
    assert response.status_code == 503
    assert [one["name"] for one in response.json()["checks"] if not one["ok"]] == ["node"]
    assert stage.client.get("/health/live").status_code == 200


def test_a_thread_that_ended_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.services, "running", lambda: {"index": False, "feed": True})
    response = stage.client.get("/health/ready")
    assert response.status_code == 503
    assert "index" in response.text
