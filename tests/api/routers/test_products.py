"""The board and the book, as the chain has them."""

from tests.api.stage import Stage


def test_board_shows_what_the_chain_has(stage: Stage) -> None:
    answer = stage.get("/products")
    assert answer["money"] == {"currency": "USD", "decimals": 6}
    head = stage.world.chain.block(answer["block"])
    assert (answer["block_hash"], answer["time_s"]) == (head.hash, head.time_s)
    [row] = [one for one in answer["data"] if one["product"] == stage.sold.code]
    price = stage.world.market.price(stage.sold, stage.round)
    assert price is not None
    assert (row["last"]["price"]["price_micro"], row["last"]["units"]) == (price.price_micro, price.units)
    assert row["volume_units_total"] == 500 + price.units
    assert row["orders_open"] == 2
    assert row["sparkline"][-1] == price.price_micro
    assert row["area"] == {"code": 257, "name": stage.services.areas.area(257).name}
