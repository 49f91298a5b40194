"""Requests are counted by what they are, not by what strangers call them; logs hold no secret."""

import io
import json
import logging

from api.metrics import JsonLines, Metrics
from tests.api.stage import Stage


def test_routes_are_counted_by_their_template(stage: Stage) -> None:
    for _ in range(3):
        stage.client.get(f"/products/{stage.sold.code}")
    stage.client.get("/secret-path-of-a-stranger")
    stage.client.request("TRACE", "/products")
    text = stage.client.get("/metrics").text
    assert 'route="/products/{code}",status="200"' in text
    assert 'method="other"' in text
    assert stage.sold.code not in text
    assert "secret-path" not in text
    assert "compute_ledger_history_block" in text


def test_an_answer_from_the_cache_is_counted_as_its_route(stage: Stage) -> None:
    def count() -> float:
        lines = stage.client.get("/metrics").text.splitlines()
        [line] = [
            one for one in lines if one.startswith('api_requests_total{method="GET",route="/sites",status="200"}')
        ]
        return float(line.rpartition(" ")[2])

    stage.client.get("/sites")
    before = count()
    stage.client.get("/sites")
    assert count() == before + 1


def test_gauges_are_read_when_they_are_asked_for() -> None:
    values = {"depth": 1.0}
    metrics = Metrics(lambda: values)
    assert b"compute_ledger_depth 1.0" in metrics.text()
    values["depth"] = 2.0
    assert b"compute_ledger_depth 2.0" in metrics.text()


def test_log_lines_are_json_without_secrets(stage: Stage) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    access = logging.getLogger("api.access")
    access.addHandler(handler)
    access.setLevel(logging.INFO)
    try:
        key = stage.post("/keys", {"name": "logged", "scopes": ["buyer"]}).json()["key"]
        stage.client.get("/keys", headers={"Authorization": f"Bearer {key}"})
        stage.client.get("/products", params={"cursor": "secret-in-a-query"})
    finally:
        access.removeHandler(handler)
        access.setLevel(logging.NOTSET)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/keys", 201),
        ("GET", "/keys", 200),
        ("GET", "/products", 400),
    ]
    assert all(line["request_id"] for line in lines)
    assert "cl_" not in written.getvalue()
    assert "secret" not in written.getvalue()
