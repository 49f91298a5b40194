"""Every `type` that a problem can have leads somewhere."""

from ledger import CONTRACT_ERRORS
from tests.api.stage import Stage


def test_a_problems_type_can_be_read(stage: Stage) -> None:
    for path in ("/products/x", "/products?cursor=x", "/keys", "/standard/convert?text=x", "/transactions/999999"):
        problem = stage.client.get(path).json()
        kind = stage.get(problem["type"])
        assert (kind["title"], kind["status"]) == (problem["title"], problem["status"])
        assert kind["says"]


def test_every_contract_error_is_explained(stage: Stage) -> None:
    for name in CONTRACT_ERRORS:
        kind = stage.get(f"/problems/{name}")
        assert (kind["status"], kind["contract_error"], kind["retry"]) == (409, True, False)
    assert stage.get("/problems/Unreachable")["retry"]


def test_what_is_no_problem_is_not_found(stage: Stage) -> None:
    for name in ("Nothing", "Exception", "__class__"):
        assert stage.client.get(f"/problems/{name}").status_code == 404
