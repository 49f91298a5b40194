"""Events as the contracts said them, in pages that survive what replaces blocks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.turns import Turns
from tests.api.stage import Stage, staged
from tests.world import world_on


def test_events_are_the_chains(stage: Stage) -> None:
    said = stage.world.market.history()
    found = list(stage.get("/history", contract="Exchange", limit=200)["data"])
    wanted = [one for one in said if one.contract == "Exchange"][::-1]
    facts = [(one.name, one.block, one.transaction) for one in wanted if one.block <= found[0]["block"]]
    assert [(one["event"], one["block"], one["transaction"]) for one in found] == facts
    assert stage.get("/history", event="Nothing")["data"] == []


def test_events_of_an_account_name_it(stage: Stage) -> None:
    seller = stage.world.seller.address
    found = stage.get("/history", account=seller)["data"]
    assert found
    assert all(seller in str(one["values"]) for one in found)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stage]:
    """A market of its own: its blocks are replaced."""
    with world_on("anvil") as world, staged(world, tmp_path) as found:
        yield found


def test_a_page_after_a_reorganisation_is_gone_and_the_first_is_fresh(own: Stage) -> None:
    path = f"/products/{own.sold.code}/orders"
    before = own.get(path, limit=1)
    history = own.get("/history", limit=1)
    assert before["next"]
    own.world.chain.request("anvil_reorg", 4, [])
    own.catch_up()
    for gone, cursor in ((path, before["next"]), ("/history", history["next"])):
        response = own.client.get(gone, params={"limit": 1, "cursor": cursor})
        assert (response.status_code, response.json()["type"]) == (410, "/problems/Gone")
    fresh = own.get("/history", limit=1)
    assert fresh["block_hash"] == own.world.chain.block(fresh["block"]).hash != before["block_hash"]
    old = own.get("/history", event="SiteRegistered", limit=1)
    assert own.get("/history", event="SiteRegistered", limit=1, cursor=old["next"])["data"]


def test_searches_beyond_what_is_made_at_once_are_told_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.services, "searches", Turns("searches", at_once=1, waiting_max=0))
    with stage.services.searches.turn("somebody else"):
        for query in ("event=Nothing1", "contract=Nothing2"):
            assert stage.client.get(f"/history?{query}").status_code == 429
        assert stage.client.get("/history?limit=7").status_code == 200
    assert stage.get("/history?event=Nothing1")["data"] == []
