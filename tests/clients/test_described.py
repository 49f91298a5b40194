"""One round of the market through a client that is generated from the description alone, with an API key: what it is
told to post is what it posts, and no answer is other than described."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from time import monotonic, sleep
from typing import Any

import pytest

from tests.clients.described import Described
from tests.clients.market import RIVALS, Clients

BID_TICK, BID_UNITS = 450, 200


def until(what: str, found: Callable[[], Any], seconds: float = 40) -> Any:
    deadline_s = monotonic() + seconds
    while monotonic() < deadline_s:
        value = found()
        if value:
            return value
        sleep(0.2)
    raise AssertionError(f"waited {seconds} s for {what}")


@pytest.fixture
def api(clients: Clients) -> Iterator[Described]:
    """A client that knows an address."""
    with closing(Described(clients.url)) as made:
        yield made


def test_every_operation_has_a_name_that_is_one(api: Described) -> None:
    names = api.names
    assert len(names) == len(set(names)) > 80
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names), names


@pytest.mark.slow
def test_a_generated_client_buys_and_uses_units(api: Described, clients: Clients) -> None:
    made = api.call("keys-make-key", {"name": "generated", "scopes": ["buyer", "read"]})
    api.key = made["key"]
    owner = made["address"]

    def included(accepted: Any) -> Any:
        def look() -> Any:
            status = api.call("transactions-read-status", name=str(accepted["intent"]))
            assert status["state"] not in {"reverted", "cancelled"}, status
            return status["state"] in {"included", "safe", "final"} and status

        return until(f"{accepted} to be in a block", look)

    def write(name: str, body: Any, **values: Any) -> Any:
        looked = api.call(f"{name}-preview", body, **values)
        assert looked["refusal"] is None, looked
        return included(api.call(name, looked["body"], idempotency_key=f"{name} once".replace(" ", "-"), **values))

    included(api.call("accounts-ask-faucet", {"amount": "5,000 USD"}))
    write("accounts-deposit", {"amount": "5000 USD"})
    product = clients.product.code
    bid = {"kind": "bid", "product": product, "units": BID_UNITS, "tick": BID_TICK}
    status = write("orders", bid)
    assert [one["event"] for one in status["events"] if one["contract"] == "Exchange"] == ["OrderPlaced"]

    def filled() -> Any:
        orders = api.call("orders-list-orders", owner=owner)["data"]
        return orders and orders[0]["settled"] and orders[0]

    order = until("the order to be settled", filled)
    if order["filled"] == 0:
        # The round had no offer in it: the next ones have.
        included(api.call("orders", bid | {"owner": owner}, idempotency_key="orders-again"))
        order = until("the second order to be settled", filled)
    clearing = api.call("audit-read-proof", code=product, round=order["round"])["data"]["clearing"]
    account = api.call("accounts-read-account", address=owner)["data"]
    assert account["holdings"][0]["units"] == order["filled"] > 0
    assert clearing["price_tick"] <= BID_TICK
    assert len(api.call("accounts-list-statement", address=owner)["data"]) >= 3
    write("leases", {"product": product, "site": clients.site, "units": order["filled"], "job": "resnet50"})
    [lease] = until("the lease", lambda: api.call("leases-list-leases", holder=owner)["data"])
    assert (lease["units"], lease["site"], lease["state"]) == (order["filled"], clients.site, "active")

    refused = api.ask("accounts-withdraw", {"amount": "1 USD", "to": RIVALS[0][0].address}, idempotency_key="x")
    assert refused.status_code == 403
    assert api.ask("leases-read-lease", n=10**6).status_code == 404

    # Nothing of all this was written into the log: no key, no account's key, no address of the node.
    log = clients.log.read_text(encoding="utf-8")
    assert '"route": "/orders"' in log
    for secret in (made["key"], made["key"][3:], clients.node):
        assert secret not in log
