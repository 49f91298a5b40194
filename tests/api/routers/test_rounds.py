"""Anyone may clear and settle, through the API too."""

from tests.api.stage import Stage, done, new_key


def test_a_round_is_cleared_and_settled(stage: Stage) -> None:
    world = stage.world
    product, site, round_ = world.product(3), world.site(), world.new_round()
    world.market.offer(site, product, 40, tick=300).send(world.provider)
    world.market.bid(product, 30, tick=310).send(world.buyer)
    key = new_key(stage)["key"]
    body = {"product": product.code, "round": round_}
    early = stage.post("/rounds/clear", body, key=key, Idempotency_Key="early")
    assert (early.status_code, early.json()["contract_error"]) == (409, "Exchange_RoundNotEnded")
    world.clock.go_to(world.market.round_end_s(round_))
    done(stage, stage.post("/rounds/clear", body, key=key, Idempotency_Key="clear"))
    waiting = [one.index for one in world.market.orders(product, round_, waiting=True)]
    done(stage, stage.post("/rounds/settle", body | {"slots": waiting}, key=key, Idempotency_Key="settle"))
    assert world.market.orders(product, round_, waiting=True) == []
    assert world.market.units(world.buyer.address, product) == 30
    again = stage.post("/rounds/clear/preview", body, key=key).json()["refusal"]
    assert again["contract_error"] == "Exchange_AlreadyCleared"


def test_slots_are_bounded(stage: Stage) -> None:
    body = {"product": stage.sold.code, "round": stage.round, "slots": [0] * 151, "owner": stage.world.buyer.address}
    assert stage.post("/rounds/settle/preview", body).status_code == 422
    assert stage.post("/rounds/settle/preview", body | {"slots": [-1]}).status_code == 422
    assert stage.post("/rounds/settle/preview", body | {"slots": [2**40]}).status_code == 422
