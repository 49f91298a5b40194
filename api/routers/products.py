"""Products: the board, one product's book, its prices, its orders."""

from typing import Annotated

from fastapi import Depends, Query
from fastapi import Path as InPath
from pydantic import Field

from api.auth import Work
from api.errors import NotThere, problems
from api.nouns import Noun
from api.reads import CursorText, PageSize, answer, page, start_of
from api.schemas import CODE_EXAMPLE, Address, Answer, Page, Price, ProductName, Shape, product_fields
from api.services import Services, View
from ledger import (
    BoardRow,
    Clearing,
    ClearingRow,
    InputError,
    Kind,
    Order,
    OrderRow,
    Product,
    Trade,
    Wanted,
    board,
    class_id_of,
    clearing_of,
    grade_of,
    past,
    price_micro,
    queries,
    tier_of,
)

router = Noun(prefix="/products", tags=["products"], responses=problems(400, 404, 410, 422, 429, 503))


class TradeShape(Shape):
    """A round that traded."""

    round: int
    price: Price
    units: int
    time_s: int


class ProductShape(ProductName):
    """A product on the board. `change_bp`: from the price before the last, in basis points; `closes_s`: when trading
    ends; `sparkline`: the last prices in micro-USD per unit-hour, oldest first."""

    last: TradeShape | None
    previous: Price | None
    change_bp: int | None
    volume_units_24h: int
    volume_units_total: int
    orders_open: int
    round: int
    round_ends_s: int
    closes_s: int
    sparkline: list[int]


class Level(Shape):
    """Units standing at a tick."""

    tick: int
    price: Price
    units: int


class Margin(Shape):
    """The last tick of a side that fills: `filled` of the `standing` units there trade."""

    tick: int
    filled: int
    standing: int


class ClearedAt(Shape):
    """What a round cleared at."""

    price_tick: int
    price: Price
    units: int
    bid: Margin
    ask: Margin


class Indicative(Shape):
    """What the round would clear at if it ended now."""

    price: Price
    units: int


class DepthShape(Shape):
    """A round's book, best prices first on both sides."""

    round: int
    round_ends_s: int
    cleared: bool
    bids: list[Level]
    asks: list[Level]
    clearing: ClearedAt | None
    indicative: Indicative | None


class ClearingShape(Shape):
    """A round that was cleared; without a trade `units` is 0 and its price null."""

    round: int
    price_tick: int | None
    price: Price | None
    units: int
    orders: int
    time_s: int
    block: int
    transaction: str | None


class OrderShape(Shape):
    """An order. `prefix`: the units that stood at its tick and side when it came; `filled` is null until it settles."""

    product: str = Field(examples=[CODE_EXAMPLE])
    slot: int
    round: int
    kind: str = Field(examples=["bid"])
    owner: str | None
    site: int | None
    tick: int
    price: Price
    units: int
    prefix: int
    filled: int | None
    settled: bool
    block: int
    log_index: int
    transaction: str


_CODE = r"^[A-Z_0-9]{3,20}\.(METRO|HUB|WIDE)\.[0-9]{1,5}\.(BASIC|STANDARD|PREMIUM)\.[0-9T:-]{3,20}\.[0-9]{1,3}h$"


# What does not look like a code is not found: it is no mistake in a request, but a page that is not there.
def product_of(
    code: Annotated[str, InPath(max_length=120, examples=[CODE_EXAMPLE], json_schema_extra={"pattern": _CODE})],
) -> Product:
    """The product in a path. Raises NotThere for a code that names none."""
    try:
        return Product.from_code(code)
    except InputError as error:
        raise NotThere(error.problem, f"A code looks like {CODE_EXAMPLE}.") from None


Named = Annotated[Product, Depends(product_of)]
RoundNumber = Annotated[int | None, Query(alias="round", ge=0, lt=2**40, description="by default the current one")]


def wanted_of(
    work: Work,
    class_: Annotated[str | None, Query(alias="class", max_length=40, examples=["AI_LARGE"])] = None,
    tier: Annotated[str | None, Query(max_length=10, examples=["HUB"])] = None,
    area: Annotated[str | None, Query(max_length=60, examples=["US-East"], description="a name or a code")] = None,
    grade: Annotated[str | None, Query(max_length=10, examples=["STANDARD"])] = None,
) -> Wanted:
    """Which products a query names. Raises UnknownName."""
    return Wanted(
        class_id=class_id_of(class_) if class_ else None,
        tier=int(tier_of(tier)) if tier else None,
        area=work.areas.find(area).code if area else None,
        grade=int(grade_of(grade)) if grade else None,
    )


Filter = Annotated[Wanted, Depends(wanted_of)]


@router.get("", summary="The market board")
def list_products(
    work: Work,
    wanted: Filter,
    is_open: Annotated[bool, Query(alias="open", description="only those that still trade")] = False,
    cursor: CursorText = None,
    limit: PageSize = 50,
) -> Page[ProductShape]:
    with work.view() as view:
        start = start_of(view, cursor, "products", 2)
        lead_s = work.deployment.terms.lead_s
        asked = board.products(
            view.store,
            wanted.after(view.head.time_s + lead_s) if is_open else wanted,
            (start.place[0], start.place[1]) if start else None,
            limit + 1,
        )
        rows = board.board_rows(view.store, [one for _, one in asked], view.head.time_s)
        return page(
            view,
            "products",
            rows,
            limit,
            lambda row: product_shape(row, work, view),
            lambda row: (row.product.start_s, row.product.id),
        )


@router.get("/{code}", summary="One product")
def read_product(work: Work, product: Named) -> Answer[ProductShape]:
    with work.view() as view:
        [row] = board.board_rows(view.store, [product.id], view.head.time_s)
        return answer(view, product_shape(row, work, view))


@router.get("/{code}/depth", summary="Supply and demand of a round")
def read_depth(work: Work, product: Named, round_: RoundNumber = None) -> Answer[DepthShape]:
    with work.view() as view:
        number = current_round(work, view) if round_ is None else round_
        return answer(view, depth_shape(work, view, product, number))


@router.get("/{code}/clearings", summary="What its rounds cleared at, newest first")
def list_clearings(work: Work, product: Named, cursor: CursorText = None, limit: PageSize = 100) -> Page[ClearingShape]:
    with work.view() as view:
        start = start_of(view, cursor, "clearings", 3)
        before = (start.place[0], start.place[1], start.place[2]) if start else None
        rows = queries.prices(view.store, product.id, before, limit + 1)
        sent = past.transactions(view.store, [(row.block, row.log_index) for row in rows])
        counts = board.order_counts(view.store, product.id, [row.round for row in rows])
        return page(
            view,
            "clearings",
            rows,
            limit,
            lambda row: clearing_shape(row, sent.get((row.block, row.log_index)), counts.get(row.round, 0)),
            lambda row: row.place,
            lambda row: row.block,
        )


@router.get("/{code}/orders", summary="A round's orders, by slot")
def list_orders(
    work: Work,
    product: Named,
    round_: RoundNumber = None,
    owner: Annotated[Address | None, Query()] = None,
    cursor: CursorText = None,
    limit: PageSize = 200,
) -> Page[OrderShape]:
    with work.view() as view:
        start = start_of(view, cursor, "orders", 1)
        number = current_round(work, view) if round_ is None else round_
        rows = board.orders_in(view.store, product.id, number, owner, start.place[0] if start else -1, limit + 1)
        return page(view, "orders", rows, limit, order_shape, lambda row: (row.slot,), lambda row: row.placed_block)


# ---- rows to shapes


def current_round(work: Services, view: View) -> int:
    """The round at the view's block."""
    return work.market.current_round(view.head.time_s)


def product_shape(row: BoardRow, work: Services, view: View) -> ProductShape:
    """A product as the board shows it."""
    round_, last, previous = current_round(work, view), row.last, row.previous
    change = None
    if last and previous:
        change = (last.price_micro - previous.price_micro) * 10_000 // previous.price_micro
    return ProductShape.model_validate(
        product_fields(row.product, work.areas)
        | {
            "last": trade_shape(last) if last else None,
            "previous": Price.of(previous.price_micro) if previous else None,
            "change_bp": change,
            "volume_units_24h": row.day_units,
            "volume_units_total": row.book.traded_units if row.book else 0,
            "orders_open": row.orders_open,
            "round": round_,
            "round_ends_s": work.market.round_end_s(round_),
            "closes_s": row.product.start_s - work.deployment.terms.lead_s,
            "sparkline": [trade.price_micro for trade in reversed(row.trades)],
        }
    )


def trade_shape(trade: Trade) -> TradeShape:
    return TradeShape(round=trade.round, price=Price.of(trade.price_micro), units=trade.units, time_s=trade.time_s)


def clearing_shape(row: ClearingRow, transaction: str | None, orders: int) -> ClearingShape:
    return ClearingShape(
        round=row.round,
        price_tick=row.price_tick,
        price=None if row.price_micro is None else Price.of(row.price_micro),
        units=row.units,
        orders=orders,
        time_s=row.time_s,
        block=row.block,
        transaction=transaction,
    )


def order_shape(row: OrderRow) -> OrderShape:
    """An order; an offer's owner is its site's provider."""
    return OrderShape(
        product=Product.from_id(row.product).code,
        slot=row.slot,
        round=row.round,
        kind=Kind(row.kind).name.lower(),
        owner=row.owner,
        site=row.site or None,
        tick=row.tick,
        price=Price.of(row.price_micro),
        units=row.units,
        prefix=row.prefix,
        filled=row.filled if row.settled else None,
        settled=row.settled,
        block=row.placed_block,
        log_index=row.placed_log,
        transaction=row.transaction,
    )


def depth_shape(work: Services, view: View, product: Product, round_: int) -> DepthShape:
    """A round's book, with what it cleared at, or would clear at now."""
    levels, cleared = queries.depth(view.store, product.id, round_), queries.clearing(view.store, product.id, round_)
    book = queries.book(view.store, product.id)
    size = book.tick_size_micro if book else 0
    orders = [Order(Kind.BID, tick, units) for tick, units in levels.bids.items()]
    orders += [Order(Kind.ASK, tick, units) for tick, units in levels.asks.items()]

    def level(tick: int, units: int) -> Level:
        return Level(tick=tick, price=Price.of(price_micro(tick, size)), units=units)

    return DepthShape(
        round=round_,
        round_ends_s=work.market.round_end_s(round_),
        cleared=cleared is not None,
        bids=[level(tick, units) for tick, units in sorted(levels.bids.items(), reverse=True)],
        asks=[level(tick, units) for tick, units in sorted(levels.asks.items())],
        clearing=cleared_at(cleared) if cleared else None,
        indicative=None if cleared else indicative(clearing_of(orders), size),
    )


def cleared_at(row: ClearingRow) -> ClearedAt | None:
    if row.price_tick is None or row.price_micro is None:
        return None
    return ClearedAt(
        price_tick=row.price_tick,
        price=Price.of(row.price_micro),
        units=row.units,
        bid=Margin(tick=row.bid_tick or 0, filled=row.bid_filled or 0, standing=row.bid_standing or 0),
        ask=Margin(tick=row.ask_tick or 0, filled=row.ask_filled or 0, standing=row.ask_standing or 0),
    )


def indicative(clearing: Clearing, tick_size_micro: int) -> Indicative | None:
    if clearing.price_tick is None:
        return None
    return Indicative(price=Price.of(price_micro(clearing.price_tick, tick_size_micro)), units=clearing.units)
