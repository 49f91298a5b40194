"""The last prices of what still trades."""

from tests.api.stage import Stage


def test_prices_are_the_last_ones(stage: Stage) -> None:
    prices = {one["product"]: one for one in stage.get("/prices")["data"]}
    last = stage.world.market.price(stage.sold, stage.round)
    assert last is not None
    found = prices[stage.sold.code]
    assert (found["price"]["price_micro"], found["round"], found["units"]) == (
        last.price_micro,
        stage.round,
        last.units,
    )
    assert stage.get("/prices", **{"class": "HPC"})["data"] == []
