"""What nearness costs is told, and what earns where it costs less."""

from ledger import Grade, Product, Tier
from tests.api.stage import Stage
from tests.world import US_EAST, VIRGINIA


def test_a_nearer_tier_that_is_cheaper_is_named(stage: Stage) -> None:
    world = stage.world
    hour = world.chain.time_s() // 3_600 + 90
    near = Product(1, Tier.METRO, VIRGINIA, Grade.STANDARD, hour, 1)
    wide = Product(1, Tier.HUB, US_EAST, Grade.STANDARD, hour, 1)
    site = world.site()
    world.sell(site, near, 100)
    round_ = world.new_round()
    world.market.offer(site, wide, 50, tick=500).send(world.provider)
    world.market.bid(wide, 50, tick=500).send(world.buyer)
    world.finish(wide, round_)
    stage.catch_up()
    found = stage.get("/dispatch/tiers", **{"class": "AI_LARGE"})
    assert found["holds"] is False
    [pair] = [one for one in found["pairs"] if (one["tight"], one["loose"]) == (near.code, wide.code)]
    assert pair["tight_price"]["price_micro"] < pair["loose_price"]["price_micro"]
    assert not pair["holds"]
    [relax] = pair["relaxes"]
    assert int(relax["profit_micro"]) > 0
    assert relax["body"] == {"product": near.code, "site": site, "units": 100, "tier": "HUB"}
    looked = stage.post("/units/relax/preview", relax["body"] | {"owner": world.buyer.address}).json()
    assert looked["refusal"] is None
    assert stage.get("/dispatch/tiers", **{"class": "HPC"})["pairs"] == []
