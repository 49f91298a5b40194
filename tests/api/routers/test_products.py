"""The board and the book, as the chain has them."""

import pytest

from ledger import Product, price_micro
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
    assert row["orders_open"] >= 2
    assert row["sparkline"][-1] == price.price_micro
    assert row["change_bp"] == (price.price_micro - row["sparkline"][0]) * 10_000 // row["sparkline"][0]
    assert row["area"] == {"code": 257, "name": stage.services.areas.area(257).name}
    assert stage.get(f"/products/{stage.sold.code}")["data"] | {"orders_open": 0} == row | {"orders_open": 0}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"class": "ai-large", "tier": "metro", "grade": "standard", "area": "N. Virginia"}, True),
        ({"area": "257", "open": "true"}, True),
        ({"class": "HPC"}, False),
        ({"tier": "WIDE"}, False),
        ({"grade": "BASIC"}, False),
    ],
)
def test_board_shows_what_is_asked_for(stage: Stage, query: dict[str, str], found: bool) -> None:
    codes = [one["product"] for one in stage.get("/products", **query)["data"]]
    assert (stage.sold.code in codes) == found


def test_a_product_that_nobody_traded_answers_with_nothing(stage: Stage) -> None:
    fresh = Product(4, stage.sold.tier, 257, stage.sold.grade, stage.sold.start_hour, 7)
    data = stage.get(f"/products/{fresh.code}")["data"]
    assert (data["last"], data["sparkline"], data["orders_open"]) == (None, [], 0)
    assert stage.get(f"/products/{fresh.code}/depth")["data"]["bids"] == []
    assert stage.get(f"/products/{fresh.code}/clearings")["data"] == []


@pytest.mark.parametrize(
    "code", ["x", "A.B.C.D.E.F", "AI_LARGE.METRO.257.STANDARD.2026-01-03T00.0h", "AI_LARGE.METRO.0.STANDARD.9.1h"]
)
def test_what_is_no_product_is_not_found(stage: Stage, code: str) -> None:
    for path in ("", "/depth", "/clearings", "/orders"):
        assert stage.client.get(f"/products/{code}{path}").status_code == 404


def test_depth_is_the_chains_and_names_its_clearing(stage: Stage) -> None:
    data = stage.get(f"/products/{stage.sold.code}/depth", round=stage.round)["data"]
    depth = stage.world.market.depth(stage.sold, stage.round)
    assert {one["tick"]: one["units"] for one in data["bids"]} == depth.bids
    assert {one["tick"]: one["units"] for one in data["asks"]} == depth.asks
    assert [one["tick"] for one in data["bids"]] == sorted(depth.bids, reverse=True)
    assert [one["tick"] for one in data["asks"]] == sorted(depth.asks)
    size = stage.world.market.tick_size_micro(stage.sold)
    assert all(one["price"]["price_micro"] == price_micro(one["tick"], size) for one in data["bids"] + data["asks"])
    price = stage.world.market.price(stage.sold, stage.round)
    assert price is not None
    assert (data["cleared"], data["clearing"]["price_tick"], data["clearing"]["units"]) == (
        True,
        price.tick,
        price.units,
    )


def test_an_open_round_says_what_it_would_clear_at(stage: Stage) -> None:
    world = stage.world
    product, round_ = world.product(5), world.new_round()
    world.market.offer(world.site(), product, 70, tick=300).send(world.provider)
    world.market.bid(product, 50, tick=320).send(world.buyer)
    stage.catch_up()
    data = stage.get(f"/products/{product.code}/depth", round=round_)["data"]
    assert (data["cleared"], data["clearing"]) == (False, None)
    indicative = data["indicative"]
    clearing = world.finish(product, round_)
    assert clearing.price_tick is not None
    assert indicative["units"] == clearing.units == 50
    assert indicative["price"]["price_micro"] == world.market.price_micro(product, clearing.price_tick)


def test_clearings_name_their_transactions(stage: Stage) -> None:
    first, *_ = stage.get(f"/products/{stage.sold.code}/clearings")["data"]
    receipt = stage.world.chain.receipt(first["transaction"])
    assert receipt is not None
    event = stage.world.market.event(receipt, "Cleared")
    assert (event["round"], event["units"], first["orders"]) == (first["round"], first["units"], 3)


def test_orders_of_a_round_are_the_chains(stage: Stage) -> None:
    every = stage.get(f"/products/{stage.sold.code}/orders", round=stage.round)["data"]
    facts = [(one["slot"], one["kind"], one["tick"], one["units"], one["prefix"]) for one in every]
    placed = stage.get("/history", event="OrderPlaced")["data"]
    assert len(placed) >= len(facts) == 3
    assert all(one["settled"] and one["filled"] is not None for one in every)
    mine = stage.get(f"/products/{stage.sold.code}/orders", round=stage.round, owner=stage.world.buyer.address)["data"]
    assert {one["owner"] for one in mine} == {stage.world.buyer.address}
