"""The last price of every product, in one compact list."""

from api.auth import Work
from api.errors import problems
from api.nouns import Noun
from api.reads import answer
from api.routers.products import Filter
from api.schemas import Answer, Price, Shape
from ledger import board

router = Noun(prefix="/prices", tags=["prices"], responses=problems(422, 429, 503))
_MOST = 1_000


class PriceShape(Shape):
    """A product's last price, and the round that made it."""

    product: str
    price: Price
    round: int
    units: int
    time_s: int


@router.get("", summary="The last prices of all products that traded and still do")
def list_prices(work: Work, wanted: Filter) -> Answer[list[PriceShape]]:
    with work.view() as view:
        found = board.products(view.store, wanted.after(view.head.time_s), None, _MOST)
        rows = board.board_rows(view.store, [one for _, one in found], view.head.time_s)
        shapes = [
            PriceShape(
                product=row.product.code,
                price=Price.of(row.last.price_micro),
                round=row.last.round,
                units=row.last.units,
                time_s=row.last.time_s,
            )
            for row in rows
            if row.last
        ]
        return answer(view, shapes)
