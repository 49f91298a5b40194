"""The API against whatever anybody may send: what its own description allows and forbids, and what no description does.

Nothing may fail on our side (no 5xx), nothing may answer otherwise than it is described.
"""

import random
import string
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.result import Ok

from tests.api.stage import Stage, new_key, staged
from tests.world import world_on

SEED = 20_260_121
ROUNDS = 1_500
# Streams do not end, a key costs a second by design, and an audit looks at everything.
LEFT_OUT = {"GET /stream", "POST /keys", "POST /audit"}
# A description cannot say that an amount must be one of compute, or a cursor one that was given.
ACCEPTED = ["2xx", "400", "401", "403", "404", "409", "410", "422", "429", "502"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A market of its own: strangers write in it."""
    with world_on("anvil") as world, staged(world, tmp_path_factory.mktemp("hostile")) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
def test_every_operation_answers_as_it_is_described(stage: Stage, mode: schemathesis.GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{stage.client.base_url}/openapi.json")
    schema.config.checks.positive_data_acceptance.expected_statuses = ACCEPTED
    failures: list[str] = []
    asked = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        # Without a parameter there is nothing to get wrong.
        bare = not (operation.query or operation.path_parameters or operation.body)
        if operation.label in LEFT_OUT or (bare and mode is schemathesis.GenerationMode.NEGATIVE):
            continue

        @settings(
            max_examples=3,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(timeout=20)

        try:
            ask()
        except Unsatisfiable:
            # Any JSON is good for /rpc: none is wrong by its description.
            assert operation.label == "POST /rpc"
        except BaseExceptionGroup as group:
            failures.append(f"{operation.label}: {group}: {[str(one) for one in group.exceptions]}")
        except AssertionError as failure:
            failures.append(f"{operation.label}: {failure}")
    assert not failures, f"seed: derandomized; {len(failures)} fail\n" + "\n".join(failures[:10])
    assert asked > 150


def nonsense(draw: random.Random, stage: Stage) -> dict[str, Any]:
    """A request that nobody would send who means well."""
    texts = ["", "'", "0x", "null", "../../etc/passwd", "<script>", "%00", "\u202e", "9" * 400, "-1", "1e999", "NaN"]
    texts += ["0x" + "f" * 64, stage.sold.code, "\ud7ff", "🦜" * 50, "{{7*7}}", "; DROP TABLE orders; --", "a\tb"]
    paths = ["/products", "/orders", "/accounts", "/leases", "/sites", "/transactions", "/history", "/audit", "/web"]
    path = draw.choice([*paths, "/rpc", "/keys", "/login", "/units/mint", "/rounds/settle", "/deployment/abi"])
    for _ in range(draw.randrange(3)):
        path += "/" + draw.choice([*texts, "preview", "build", "1", "depth", "statement", "nonce"])
    values: list[Any] = [*texts, None, True, 0, -1, 2**300, 1.5, [], {}, ["x"] * 300, {"a": {"b": []}}]
    names = [
        "product",
        "units",
        "tick",
        "kind",
        "owner",
        "amount",
        "to",
        "raw",
        "order",
        "signature",
        "message",
        "site",
    ]
    body = {draw.choice(names): draw.choice(values) for _ in range(draw.randrange(6))}
    headers = {
        draw.choice(["Authorization", "Idempotency-Key", "Last-Event-ID", "X-Request-ID", "If-None-Match"]): "".join(
            draw.choice(string.printable[:95]) for _ in range(draw.randrange(60))
        ).strip()
    }
    query = {draw.choice(["cursor", "limit", "class", "area", "open", "text"]): draw.choice(texts)}
    method = draw.choice(["GET", "POST", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"])
    return {"method": method, "url": path, "json": body, "headers": headers, "params": query}


@pytest.mark.slow
def test_nonsense_is_refused_and_breaks_nothing(stage: Stage) -> None:
    draw = random.Random(SEED)
    supply = stage.world.market.supply_units(stage.sold)
    for place in range(ROUNDS):
        said = nonsense(draw, stage)
        try:
            response = stage.client.request(**said)
        except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError):
            continue
        assert response.status_code < 500, f"seed {SEED}, request {place}: {said}\n{response.text}"
        assert "<script>" not in response.text or response.headers["content-type"].endswith("json"), said
    assert stage.get("/health/ready")["ok"]
    assert stage.world.market.supply_units(stage.sold) == supply


@pytest.mark.slow
def test_one_accounts_key_does_nothing_with_anothers(stage: Stage) -> None:
    mine, other = new_key(stage, cash="10"), new_key(stage, cash="10")
    before = stage.world.market.cash_micro(other["address"])
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/accounts/withdraw", {"amount": "1", "to": mine["address"]}),
        ("/accounts/transfer", {"product": stage.sold.code, "units": 1, "to": mine["address"]}),
        ("/orders", {"kind": "bid", "product": stage.sold.code, "units": 10, "tick": 1}),
        ("/leases/1/accept", {}),
    ]
    for path, body in bodies:
        body["owner"] = other["address"]
        response = stage.post(path, body, key=mine["key"], Idempotency_Key=path.replace("/", "-"))
        assert response.status_code == 403, response.text
    # The same name of a request is another's own: it gives nothing of the first away.
    first = stage.post("/orders", bodies[2][1], key=other["key"], Idempotency_Key="shared")
    second = stage.post("/orders", bodies[2][1] | {"owner": mine["address"]}, key=mine["key"], Idempotency_Key="shared")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["intent"] != second.json()["intent"]
    assert stage.world.market.cash_micro(other["address"]) <= before
