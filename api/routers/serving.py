"""Who stands behind a product: the sites that owe units of it, and those that could still issue some."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Query

from api.auth import Work
from api.errors import problems
from api.nouns import Noun
from api.reads import CursorText, PageSize, page, start_of
from api.routers.products import Named
from api.schemas import AreaName, Page, Shape, area_name
from api.services import Services, View
from ledger import Product, SiteRow, Tier, closed_hours, delivery_weight, queries, records_of

router = Noun(prefix="/products", tags=["products"], responses=problems(400, 404, 410, 422, 429, 503))


class ServingShape(Shape):
    """A site and a product. `owed_units`: issued and not redeemed yet, so that a holder may redeem there;
    `free_units`: could still be issued for the whole window, 0 where class, place, grade or attestation do not allow
    it. `weight_bp` is the site's delivery weight;
    `maintenance_hours`: hours of the window in which its provider announced to serve nothing."""

    site: int
    provider: str
    metro: AreaName
    owed_units: int
    free_units: int
    weight_bp: int
    maintenance_hours: int


@router.get("/{code}/sites", summary="The sites that owe a product, or could issue it")
def list_serving(
    work: Work,
    product: Named,
    owing: Annotated[bool, Query(description="only those that owe some: where a holder may redeem")] = False,
    cursor: CursorText = None,
    limit: PageSize = 100,
) -> Page[ServingShape]:
    with work.view() as view:
        start = start_of(view, cursor, "serving", 1)
        after = start.place[0] if start else 0
        owed = {one.site: one.units for one in queries.obligations(view.store, product=product.id)}
        rows = [
            row
            for row in queries.sites(view.store)
            if row.site > after and (row.site in owed or (not owing and could_issue(row, product)))
        ][: limit + 1]
        shapes = {one.site: one for one in serving(work, view, product, rows, owed)}
        return page(view, "serving", rows, limit, lambda row: shapes[row.site], lambda row: (row.site,))


def could_issue(row: SiteRow, product: Product) -> bool:
    """Whether a site is of the product's class and place, and attested for its grade until its end."""
    here = {Tier.METRO: row.metro, Tier.HUB: row.hub, Tier.WIDE: 0}[product.tier]
    fits = row.class_id == product.class_id and here == product.area and row.grade >= product.grade
    return fits and row.valid_until_s >= product.end_s


def serving(
    work: Services, view: View, product: Product, rows: Sequence[SiteRow], owed: Mapping[int, int]
) -> list[ServingShape]:
    """These sites beside the product, at the view's block."""
    sites = [row.site for row in rows]
    window = product.start_hour, product.hours
    calls = [work.market.call("Capacity", "availableUnits", site, *window) for site in sites]
    calls += [work.market.call("Delivery", "standingOf", site) for site in sites]
    told = work.chain.call_many(calls, view.head.block)
    records = records_of(view.store, sites, view.head.time_s, work.deployment.terms.derating_floor_bp)
    closed = Counter(site for site, _ in closed_hours(view.store, sites, product.start_hour, product.end_hour))
    found = []
    for row, free, (_, grade) in zip(rows, told, told[len(rows) :], strict=False):
        may = could_issue(row, product) and grade >= product.grade
        found.append(
            ServingShape(
                site=row.site,
                provider=row.provider,
                metro=area_name(row.metro, work.areas),
                owed_units=owed.get(row.site, 0),
                free_units=free if may else 0,
                weight_bp=delivery_weight(records[row.site]),
                maintenance_hours=closed[row.site],
            )
        )
    return found
