"""Every failure is a problem document with a status, what is wrong, and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import (
    FAULTS_MAX,
    BadRequest,
    NotAuthenticated,
    NotReady,
    Refused,
    TooMany,
    plain,
    problem_of,
    problems,
    refuse,
    status_of,
)
from ledger import CONTRACT_ERRORS, InputError, LedgerError, NodeRefused, OutOfRange, UnknownIntent, Unreachable
from tests.api.stage import Stage


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OutOfRange("tick", 0, 1, 1023), 422),
        (UnknownIntent("x"), 404),
        (NodeRefused("no"), 502),
        (Unreachable("here", "no"), 503),
        (NotReady(), 503),
        (BadRequest("a", "b"), 400),
        (NotAuthenticated("a"), 401),
        (TooMany("a", "b"), 429),
        (LedgerError("a", "b"), 500),
    ],
)
def test_status_of(error: LedgerError, status: int) -> None:
    assert status_of(error) == status
    problem = problem_of(error)
    assert (problem.status, problem.detail, problem.remedy) == (status, error.problem, error.remedy)
    assert problem.type == f"/problems/{type(error).__name__}"


def test_every_contract_error_is_a_conflict_with_its_values() -> None:
    for name, kind in CONTRACT_ERRORS.items():
        problem = problem_of(kind("Contract", name, {"cash": 1, "needed": 2**70}, "Do something.", {"cash": "1 USD"}))
        assert (problem.status, problem.contract_error) == (409, name)
        assert problem.values == {"cash": 1, "needed": str(2**70)}
        assert problem.shown["cash"] == "1 USD"
        assert problem.short_by_micro == str(2**70 - 1)


@given(st.recursive(st.integers() | st.binary() | st.text() | st.booleans(), lambda one: st.lists(one, max_size=3)))
def test_plain_loses_nothing_that_json_carries(value: object) -> None:
    def back(said: object, was: object) -> object:
        if isinstance(was, bool | str):
            return said
        if isinstance(was, bytes):
            return bytes.fromhex(str(said)[2:])
        if isinstance(was, int):
            assert not isinstance(said, int) or abs(said) < 2**53
            return int(str(said))
        assert isinstance(said, list)
        assert isinstance(was, list)
        return [back(one, other) for one, other in zip(said, was, strict=True)]

    assert back(plain(value), value) == value


def test_try_again_says_when() -> None:
    assert refuse(NotReady()).headers["retry-after"] == "1"
    assert refuse(Refused("a", "b", {"X-Y": "z"})).headers["x-y"] == "z"
    assert refuse(InputError("a", "b")).media_type == "application/problem+json"


def test_problems_describe_statuses() -> None:
    assert set(problems(404, 422)) == {404, 422}


def test_over_http_every_kind_of_failure_is_a_problem(stage: Stage) -> None:
    failures = [
        (stage.client.get("/nowhere"), 404),
        (stage.client.put("/products"), 405),
        (stage.client.get("/products", params={"limit": 0}), 422),
        (stage.client.get("/products", params={"class": "NONE"}), 422),
        (stage.client.get("/products", params={"cursor": "!"}), 400),
        (stage.client.get("/products/x"), 404),
        (stage.client.get("/keys"), 401),
        (stage.client.post("/orders/preview", content=b"{"), 422),
    ]
    for response, status in failures:
        problem = response.json()
        assert response.status_code == problem["status"] == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert problem["request_id"] == response.headers["x-request-id"]
        assert problem["detail"].endswith(".")
        assert problem["remedy"].endswith((".", "?"))


def test_validation_points_at_what_is_wrong(stage: Stage) -> None:
    problem = stage.post("/orders/preview", {"kind": "bid", "product": stage.sold.code, "units": "many"}).json()
    assert {"/body/units"} == {one["pointer"] for one in problem["errors"]}


def test_an_answer_names_no_more_faults_than_it_has_room_for(stage: Stage) -> None:
    unknown = stage.client.post("/orders/preview", json={f"k{place}": 1 for place in range(FAULTS_MAX + 500)})
    assert (unknown.status_code, len(unknown.json()["errors"])) == (422, FAULTS_MAX)
    jobs = [{"units": "x", "hours": "y"} for _ in range(FAULTS_MAX // 2 + 1)]
    bad = stage.client.post("/dispatch/preview", json={"jobs": jobs})
    assert (bad.status_code, len(bad.json()["errors"])) == (422, FAULTS_MAX)
    assert bad.json()["detail"].startswith(f"{FAULTS_MAX + 2} cells")
