"""Jobs are looked at before anything is bought: by nobody in particular, by a wallet, by a key."""

from collections.abc import Iterator
from typing import Any

import pytest

from ledger import Grade, Product, Tier
from tests.api.routers.test_jobs import document
from tests.api.stage import Stage, staged
from tests.world import BUYER, world_on

HOURS, UNITS, TICK = 4, 600, 400


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A market of its own, where one site offers four hours anywhere."""
    with world_on("anvil") as world, staged(world, tmp_path_factory.mktemp("fair")) as stage:
        offer(stage)
        yield stage


def first_hour(stage: Stage) -> int:
    return stage.world.chain.time_s() // 3_600 + 3


def offer(stage: Stage) -> list[Product]:
    """Four hours of a new site's, offered in a new round."""
    world = stage.world
    site, start = world.site(), first_hour(stage)
    world.new_round()
    products = [Product(1, Tier.WIDE, 0, Grade.STANDARD, start + place, 1) for place in range(HOURS)]
    for product in products:
        world.market.offer(site, product, UNITS, tick=TICK).send(world.provider)
    stage.catch_up()
    return products


def jobs(stage: Stage, **more: Any) -> dict[str, Any]:
    """Two jobs: one that fits, and one that pays too little."""
    hour = first_hour(stage)
    return {
        "jobs": [
            {"name": "sweep", "units": 500, "hours": 2, "earliest": hour, "deadline": hour + 4, "price": "0.01"} | more,
            {"name": "poor", "units": "100 units", "hours": 1, "deadline": hour + 4, "price": "0.000001"},
        ]
    }


def test_anybody_sees_where_jobs_would_run(fair: Stage) -> None:
    response = fair.post("/dispatch/preview", jobs(fair))
    assert response.status_code == 200, response.text
    found = response.json()
    assert found["verified"]
    assert found["block_hash"] == fair.world.chain.block(found["block"]).hash
    assert sum(one["units"] for one in found["placements"]) == found["totals"]["unit_hours"] == 1_000
    assert {(one["job"], one["held"], one["latency_us"]) for one in found["placements"]} == {(0, False, 0)}
    assert [(one["job"], one["name"], one["unit_hours"], one["why"]) for one in found["left"]] == [
        (1, "poor", 100, "price")
    ]
    assert found["totals"]["wanted_unit_hours"] == 1_100
    size = fair.world.market.price_micro(Product.from_code(found["placements"][0]["product"]), TICK)
    assert found["totals"]["cost_micro"] == str(1_000 * size)
    assert {one["price_micro"] for one in found["placements"]} == {size}
    assert (found["refusals"], found["redemptions"]) == ([], [])
    assert all(one["preview"] is None for one in found["purchases"])


def test_limit_that_was_too_low_is_ours_where_the_job_named_none(fair: Stage) -> None:
    world, hour = fair.world, first_hour(fair) + HOURS + 2
    world.new_round()
    dear = Product(1, Tier.WIDE, 0, Grade.STANDARD, hour, 1)
    world.market.offer(world.site(), dear, UNITS, tick=1_000).send(world.provider)
    fair.catch_up()
    job = {"units": "100 units", "hours": 1, "earliest": hour, "deadline": hour + 1}
    said = {"jobs": [{"name": "silent", **job}, {"name": "poor", "price": "0.000001", **job}]}
    left = fair.post("/dispatch/preview", said).json()["left"]
    assert [(one["name"], one["why"], one["our_limit"]) for one in left] == [
        ("silent", "price", True),
        ("poor", "price", False),
    ]


def test_what_a_preview_gives_back_is_the_same_dispatch(fair: Stage) -> None:
    said = jobs(fair, metro="Frankfurt", latency_ms="140.5", deadline="+4h", price="3.2 USD/H100-hour", grade="basic")
    first = fair.post("/dispatch/preview", said).json()
    again = fair.post("/dispatch/preview", first["body"]).json()
    for name in ("placements", "purchases", "left", "totals", "body"):
        assert again[name] == first[name], name
    csv = "name,units,hours,earliest,deadline,price\nsweep,500 units,2h,hour {0},hour {1},0.01\n"
    hour = first_hour(fair)
    by_csv = fair.post("/dispatch/preview", {"csv": csv.format(hour, hour + 4)}).json()
    assert sum(one["units"] for one in by_csv["placements"]) == 1_000


def test_a_wallet_gets_bodies_that_can_be_posted(fair: Stage) -> None:
    said = jobs(fair) | {"owner": BUYER.address}
    found = fair.post("/dispatch/preview", said).json()
    assert found["refusals"] == []
    for one in found["purchases"]:
        assert one["preview"]["refusal"] is None
        looked = fair.post("/orders/preview", one["body"]).json()
        assert looked["costs"]["escrow_micro"] == one["escrow_micro"]
        assert looked["body"] == one["body"]
        assert fair.post("/orders/build", one["body"]).json()["transaction"]["from"] == BUYER.address
    poor = fair.post("/dispatch/preview", jobs(fair) | {"owner": "0x" + "77" * 20}).json()
    assert "escrow" in poor["refusals"][0]["detail"]


def test_what_is_held_is_only_redeemed(fair: Stage) -> None:
    world = fair.world
    site, product = world.site(), Product(1, Tier.WIDE, 0, Grade.STANDARD, first_hour(fair) + 40, 2)
    world.sell(site, product, 50)
    fair.catch_up()
    hash_, _ = document("held")
    said = {"name": "mine", "units": 50, "hours": 2, "earliest": product.start_hour, "deadline": product.end_hour}
    body = {"jobs": [said | {"price": "0.01", "job": hash_}], "owner": BUYER.address}
    found = fair.post("/dispatch/preview", body).json()
    assert {(one["held"], one["price_micro"], one["site"]) for one in found["placements"]} == {(True, 0, site)}
    [step] = found["redemptions"]
    assert (step["path"], step["job"], step["body"]["job_hash"]) == ("/leases", 0, hash_)
    assert fair.post("/leases/preview", step["body"]).json()["refusal"] is None


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (
            {"jobs": [{"units": 5}, {"units": "many"}, {"units": 5, "grade": "best"}]},
            ["/jobs/2/units", "/jobs/3/grade"],
        ),
        ({"csv": "units,metro\n5 units,Atlantis\n-1,\n"}, ["/jobs/2/metro", "/jobs/3/units"]),
        ({"jobs": [{"units": 5, "job": "train.toml"}]}, ["/jobs/1/job"]),
        ({"jobs": [{"units": 5, "name": "a"}, {"units": 5, "name": "a"}]}, ["/jobs/2/name"]),
    ],
)
def test_every_bad_cell_is_named(fair: Stage, body: dict[str, Any], pointers: list[str]) -> None:
    refused = fair.post("/dispatch/preview", body)
    assert refused.status_code == 422
    assert [one["pointer"] for one in refused.json()["errors"]] == pointers


@pytest.mark.parametrize(
    "body", [{}, {"jobs": []}, {"csv": ""}, {"jobs": [{"units": 1}], "csv": "units\n1"}, {"jobs": 1}]
)
def test_what_brings_no_jobs_is_refused(fair: Stage, body: dict[str, Any]) -> None:
    assert fair.post("/dispatch/preview", body).status_code == 422
