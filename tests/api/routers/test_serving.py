"""Who stands behind a product, by one answer, as the chain has it."""

from ledger import Grade, Product, Tier
from tests.api.stage import Stage
from tests.world import US_EAST, VIRGINIA


def test_the_sites_of_a_product_are_those_that_owe_it_and_those_that_could_issue_it(stage: Stage) -> None:
    stage.catch_up()
    answer = stage.get(f"/products/{stage.sold.code}/sites")
    assert answer["block_hash"] == stage.world.chain.block(answer["block"]).hash
    market, rows = stage.world.market, {one["site"]: one for one in answer["data"]}
    found = [market.site(number) for number in range(1, market.site_count() + 1)]
    assert set(rows) == {
        one.site for one in found if one.grade >= stage.sold.grade and one.valid_until_s >= stage.sold.end_s
    }
    for site, row in rows.items():
        assert row["owed_units"] == market.obligation(stage.sold, site).units
        assert row["free_units"] == market.available_units(site, stage.sold)
        assert row["metro"]["code"] == VIRGINIA
        assert (row["weight_bp"], row["maintenance_hours"]) == (10_000, 0)
    owing = stage.get(f"/products/{stage.sold.code}/sites", owing=True)["data"]
    assert [one["site"] for one in owing] == [stage.site]
    assert owing[0]["owed_units"] > 0


def test_class_place_grade_and_window_decide_who_could(stage: Stage) -> None:
    sold = stage.sold

    def sites(product: Product) -> list[int]:
        return [one["site"] for one in stage.get(f"/products/{product.code}/sites")["data"]]

    every = sites(sold)
    hub = Product(1, Tier.HUB, US_EAST, Grade.PREMIUM, sold.start_hour, 24)
    wide = Product(1, Tier.WIDE, 0, Grade.BASIC, sold.start_hour, 24)
    assert sites(hub) == sites(wide) == every != []
    elsewhere = Product(1, Tier.METRO, VIRGINIA + 1, Grade.BASIC, sold.start_hour, 24)
    late = Product(1, Tier.METRO, VIRGINIA, Grade.BASIC, sold.start_hour + 401 * 24, 24)
    assert sites(elsewhere) == sites(late) == sites(Product(3, Tier.WIDE, 0, Grade.BASIC, sold.start_hour, 1)) == []


def test_sites_come_in_pages(stage: Stage) -> None:
    path = f"/products/{stage.sold.code}/sites"
    every: list[object] = stage.get(path)["data"]
    paged: list[object] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = stage.get(path, limit=1, cursor=cursor)
        paged += answer["data"]
        cursor = answer["next"]
    assert paged == every
    assert stage.client.get("/products/none/sites").status_code == 404
