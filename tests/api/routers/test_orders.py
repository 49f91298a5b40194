"""Orders in words, and signed by wallets without gas."""

import pytest

from ledger import OrderTerms, Product, digest_of, sign_order
from tests.api.stage import Stage, new_key

OWNER = "0x" + "11" * 20


def test_words_and_numbers_say_the_same(stage: Stage) -> None:
    exact = {"kind": "bid", "product": stage.sold.code, "units": 2_000, "price_micro": 2_400, "owner": OWNER}
    words = {
        "kind": "bid",
        "product": {"area": "N. Virginia", "start_s": stage.sold.start_s},
        "amount": "2x H100 SXM, 24h",
        "limit": "2.40 USD/H100-hour",
        "owner": OWNER,
    }
    bodies = [stage.post("/orders/preview", one).json()["body"] for one in (exact, words)]
    assert bodies[0] == bodies[1]
    assert bodies[0] == {
        "kind": "bid",
        "product": stage.sold.code,
        "units": 2_000,
        "tick": stage.world.market.tick(stage.sold, stage.world.market.orders(stage.sold)[1].kind, 2_400),
        "owner": OWNER,
    }


@pytest.mark.parametrize(
    ("wrong", "pointer_or_text"),
    [
        ({"kind": "bid", "units": 1, "tick": 1, "amount": "1xH100"}, "amount"),
        ({"kind": "bid", "units": 1}, "limit"),
        ({"kind": "bid", "units": 1, "tick": 1, "price_micro": 5}, "limit"),
        ({"kind": "offer", "units": 1, "tick": 1}, "site"),
        ({"kind": "bid", "units": 1, "tick": 1, "site": 1}, "site"),
        ({"kind": "bid", "amount": "1xH100, 3h", "tick": 1}, "hours"),
        ({"kind": "bid", "amount": "1xNothing", "tick": 1}, "Nothing"),
        ({"kind": "bid", "units": 1, "limit": "-1 USD"}, "amount of money"),
        ({"kind": "sell", "units": 1, "tick": 1}, "/body/kind"),
        ({"kind": "bid", "units": 1, "tick": 1, "extra": 1}, "/body/extra"),
        ({"kind": "bid", "units": 2**32, "tick": 1}, "/body/units"),
        ({"kind": "bid", "units": 1, "tick": 1024}, "/body/tick"),
    ],
)
def test_what_says_too_little_or_too_much_is_told(stage: Stage, wrong: dict[str, object], pointer_or_text: str) -> None:
    response = stage.post("/orders/preview", {"product": stage.sold.code, "owner": OWNER, **wrong})
    assert response.status_code == 422
    assert pointer_or_text in response.text


def test_preview_shows_how_far_the_limit_is_from_the_last_price(stage: Stage) -> None:
    last = stage.world.market.price(stage.sold, stage.round)
    assert last is not None
    assert last.price_micro is not None
    body = {"kind": "bid", "product": stage.sold.code, "units": 50, "tick": 500, "owner": OWNER}
    looked = stage.post("/orders/preview", body).json()
    price = stage.world.market.price_micro(stage.sold, 500)
    assert looked["last"]["price_micro"] == last.price_micro
    assert looked["distance_bp"] == (price - last.price_micro) * 10_000 // last.price_micro
    assert looked["chance"] == {"cleared_at_or_below": 2, "rounds": 2}
    selling = stage.post("/orders/preview", body | {"kind": "ask"}).json()
    assert selling["chance"] == {"cleared_at_or_below": 0, "rounds": 2}


def test_a_wallet_signs_an_order_and_it_is_queued_once(stage: Stage) -> None:
    owner = stage.world.seller
    body = {"kind": "bid", "product": stage.sold.code, "units": 50, "tick": 300, "owner": owner.address}
    typed = stage.post("/orders/typed-data", body).json()
    order = typed["order"]
    product = Product.from_id(int(order["product"]))
    assert product == stage.sold
    terms = OrderTerms(
        owner.address, stage.world.market.orders(stage.sold)[1].kind, product, order["tick"], order["units"],
        order["round"], order["index"], order["epoch"],
    )  # fmt: skip
    assert {name: str(value) for name, value in typed["typed_data"]["message"].items()} == {
        name: str(value) for name, value in terms.values().items()
    }
    signature = "0x" + sign_order(terms, stage.world.market.domain, owner).signature.hex()
    sent = stage.post("/transactions", {"order": order, "signature": signature})
    assert (sent.status_code, sent.json()["state"]) == (202, "queued")
    digest = "0x" + digest_of(terms, stage.world.market.domain).hex()
    assert sent.json()["order"] == digest
    assert stage.get(f"/transactions/{digest}")["state"] == "queued"
    assert stage.post("/transactions", {"order": order, "signature": signature}).json() == sent.json()
    following = stage.post("/orders/typed-data", body).json()["order"]["index"]
    assert following == order["index"] + 1
    forged = stage.post("/transactions", {"order": order | {"index": following}, "signature": signature})
    assert (forged.status_code, forged.json()["contract_error"]) == (409, "Exchange_BadSignature")


def test_an_owners_orders_are_all_there(stage: Stage) -> None:
    owner = stage.world.provider.address
    mine = stage.get("/orders", owner=owner)["data"]
    assert {one["kind"] for one in mine} == {"offer"}
    assert all(one["owner"] == owner and one["site"] for one in mine)
    assert stage.get("/orders", owner=OWNER)["data"] == []


def test_what_a_key_would_sell_for_less_than_it_is_worth_counts_as_spent(stage: Stage) -> None:
    made = new_key(stage, "buyer", limit_micro_per_day=1_000_000)
    last_micro = stage.get(f"/products/{stage.sold.code}")["data"]["last"]["price"]["price_micro"]
    worth_micro = last_micro * 24 * 100
    assert worth_micro > 1_000_000
    body = {"kind": "ask", "product": stage.sold.code, "units": 100}
    cheap = stage.post("/orders", body | {"tick": 1}, key=made["key"], Idempotency_Key="cheap")
    assert (cheap.status_code, "may spend" in cheap.json()["detail"]) == (403, True), cheap.text
    # At the last price, and above, it is only said that there is nothing to sell.
    fair = stage.post("/orders", body | {"price_micro": last_micro}, key=made["key"], Idempotency_Key="fair")
    assert (fair.status_code, fair.json()["contract_error"] is not None) == (409, True), fair.text
    [key] = stage.client.get("/keys", headers={"Authorization": f"Bearer {made['key']}"}).json()
    assert key["left_micro_today"] == "1000000"
    # What a wallet does is its own affair.
    assert stage.post("/orders/build", body | {"tick": 1, "owner": stage.world.buyer.address}).status_code == 200
