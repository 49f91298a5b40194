"""Units issued, cut, joined, loosened and taken back, as looked at through the API."""

import pytest

from ledger import Product
from tests.api.stage import Stage


@pytest.mark.parametrize(
    ("verb", "whose", "more"),
    [
        ("mint", "provider", {}),
        ("split", "buyer", {}),
        ("relax", "buyer", {"tier": "HUB"}),
    ],
)
def test_what_can_be_done_is_previewed(stage: Stage, verb: str, whose: str, more: dict[str, str]) -> None:
    owner = getattr(stage.world, whose).address
    body = {"product": stage.sold.code, "site": stage.site, "units": 5, "owner": owner, **more}
    looked = stage.post(f"/units/{verb}/preview", body).json()
    assert looked["refusal"] is None, looked
    assert looked["gas"] > 21_000
    built = stage.post(f"/units/{verb}/build", body).json()["transaction"]
    assert built["to"] == stage.world.market.address("Capacity")
    assert int(looked["costs"]["bond_micro"]) > 0 or verb in {"relax", "split"}


@pytest.mark.parametrize(
    ("verb", "more"),
    [("retire", {}), ("mint", {}), ("merge", {}), ("relax", {"tier": "METRO"}), ("relax", {"tier": "x"})],
)
def test_what_cannot_is_refused(stage: Stage, verb: str, more: dict[str, str]) -> None:
    stranger = stage.world.stranger.address
    body = {"product": stage.sold.code, "site": stage.site, "units": 5, "owner": stranger, **more}
    response = stage.post(f"/units/{verb}/preview", body)
    refused = response.json().get("refusal") or {}
    assert response.status_code == 422 or refused["status"] in {409, 422}


def test_a_product_that_is_none_is_told(stage: Stage) -> None:
    body = {"product": "x", "site": 1, "units": 5, "owner": stage.world.buyer.address}
    assert stage.post("/units/mint/preview", body).status_code == 422
    assert Product.from_code(stage.sold.code) == stage.sold
