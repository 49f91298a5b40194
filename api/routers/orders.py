"""Orders: bids, asks and offers, in words; previewed, built, signed by a wallet without gas, or signed here."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field

from api.auth import Who, Work
from api.errors import problems
from api.nouns import Noun
from api.reads import CursorText, PageSize, page, start_of
from api.routers.products import OrderShape, order_shape
from api.schemas import CODE_EXAMPLE, Address, Body, Page, Price, Shape
from api.services import Services
from api.writes import BOTH, Chance, Limit, OrderFacts, Prepared, add_writes, owner_of
from ledger import (
    SIGNED_PER_ROUND,
    Action,
    InputError,
    Kind,
    OrderTerms,
    Product,
    Tier,
    board,
    class_id_of,
    grade_of,
    parse_hour,
    parse_hours,
    queries,
    snapshot,
    tier_of,
    typed_data,
)

router = Noun(prefix="/orders", tags=["orders"], responses=problems(400, 404, 410, 422, 429, 502, 503))

_SCOPES = {Kind.BID: frozenset({"buyer"}), Kind.ASK: BOTH, Kind.OFFER: frozenset({"provider"})}
_SECONDS_PER_HOUR = 3_600


class ProductWords(Body):
    """A product in words: what is not said follows from the amount and the area."""

    class_: str | None = Field(default=None, alias="class", max_length=40, examples=["AI_LARGE"])
    tier: str | None = Field(default=None, max_length=10, examples=["METRO"])
    area: str | None = Field(default=None, max_length=60, examples=["Frankfurt"])
    grade: str = Field(default="STANDARD", max_length=10)
    start: str | None = Field(default=None, max_length=40, examples=["2026-01-21 14:00 UTC"])
    start_s: int | None = Field(default=None, ge=0, lt=2**40)
    hours: int | None = Field(default=None, ge=1, le=168)
    for_: str | None = Field(default=None, alias="for", max_length=20, examples=["24h"])


class OrderBody(Body):
    """An order. `amount` in words or `units`; the limit in words, as a tick, or in micro-USD per unit-hour; an offer
    names its site."""

    kind: Literal["bid", "ask", "offer"]
    product: str | ProductWords = Field(examples=[CODE_EXAMPLE])
    amount: str | None = Field(default=None, max_length=100, examples=["8x H100"])
    units: int | None = Field(default=None, ge=1, lt=2**32, examples=[8000])
    limit: str | None = Field(default=None, max_length=100, examples=["2.40 USD/H100-hour"])
    tick: int | None = Field(default=None, ge=1, le=1023, examples=[512])
    price_micro: int | None = Field(default=None, ge=1, lt=2**53, examples=[2400])
    site: int | None = Field(default=None, ge=1, lt=2**32)
    owner: Address | None = None


class Read:
    """An order body, understood: raises InputError where it says too little, too much, or nothing that can be."""

    def __init__(self, body: OrderBody, work: Services) -> None:
        self.kind = Kind[body.kind.upper()]
        if (self.kind is Kind.OFFER) != (body.site is not None):
            raise InputError("An offer names its site, a bid or an ask names none.", "Sites are numbered from 1.")
        self.site = body.site or 0
        if (body.amount is None) == (body.units is None):
            raise InputError("The order says how much either in `amount` or in `units`.", "Give one of them.")
        self.product = _product(body, work)
        device = None
        if body.amount is not None:
            amount = work.standard.amount(body.amount, self.product.class_id, self.product.hours)
            if amount.hours != self.product.hours:
                raise InputError(
                    f"{body.amount!r} is for {amount.hours} hours, the product for {self.product.hours}.",
                    "Say the length once.",
                )
            self.units, device = amount.units, amount.device
        else:
            self.units = body.units or 0
        self.tick = _tick(body, work, self.product, self.kind, device)

    def body(self, owner: str) -> dict[str, Any]:
        """The same order, said exactly."""
        said = {"kind": self.kind.name.lower(), "product": self.product.code, "units": self.units, "tick": self.tick}
        return said | ({"site": self.site} if self.site else {}) | {"owner": owner}

    def action(self, work: Services) -> Action[Any]:
        market = work.market
        if self.kind is Kind.OFFER:
            return market.offer(self.site, self.product, self.units, tick=self.tick)
        return (market.bid if self.kind is Kind.BID else market.ask)(self.product, self.units, tick=self.tick)


def _product(body: OrderBody, work: Services) -> Product:
    said = body.product
    if isinstance(said, str):
        return Product.from_code(said)
    area = work.areas.find(said.area) if said.area else None
    tier = tier_of(said.tier) if said.tier else None
    tier = tier or (Tier.WIDE if area is None else Tier.HUB if area.is_hub else Tier.METRO)
    if area is not None and tier is Tier.HUB:
        area = work.areas.hub_of(area)
    hours = said.hours or (parse_hours(said.for_) if said.for_ else None)
    class_id = class_id_of(said.class_) if said.class_ else None
    if body.amount is not None:
        amount = work.standard.amount(body.amount, class_id, hours or 1)
        class_id, hours = amount.class_id, hours or amount.hours
    if class_id is None:
        raise InputError("The order does not say of which class.", "Name `class`, or an amount of a device.")
    code = 0 if area is None or tier is Tier.WIDE else area.code
    return Product(class_id, tier, code, grade_of(said.grade), _start_hour(said), hours or 1)


def _start_hour(said: ProductWords) -> int:
    if (said.start is None) == (said.start_s is None):
        raise InputError("The order says when delivery begins either in `start` or in `start_s`.", "Give one of them.")
    if said.start is not None:
        return parse_hour(said.start)
    hour, rest = divmod(said.start_s or 0, _SECONDS_PER_HOUR)
    if rest:
        raise InputError(f"{said.start_s} is not the start of an hour.", "Windows begin at whole hours.")
    return hour


def _tick(body: OrderBody, work: Services, product: Product, kind: Kind, device: str | None) -> int:
    given = [one for one in (body.limit, body.tick, body.price_micro) if one is not None]
    if len(given) != 1:
        raise InputError("The limit is one of `limit`, `tick` and `price_micro`.", "Give exactly one of them.")
    if body.tick is not None:
        return body.tick
    price_micro = body.price_micro
    if body.limit is not None:
        price_micro = work.standard.price_micro(body.limit, product.class_id, device)
    return work.market.tick(product, kind, price_micro or 0)


def order_write(body: OrderBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)
    read = Read(body, work)
    return Prepared(
        make=lambda: read.action(work),
        owner=owner,
        scopes=_SCOPES[read.kind],
        body=read.body(owner),
        spends_micro=given_away_micro(read, work) if caller.key and read.kind.sells else 0,
        facts=lambda: order_facts(read, work),
    )


def given_away_micro(read: Read, work: Services) -> int:
    """What a seller would get less than at the last price, were all of it to trade at the limit. It counts as spent:
    whoever steals a key could sell to themselves for nothing what they may not send away."""
    last_micro = max(_last_prices_micro(read, work)[:1], default=0)
    short_micro = max(0, last_micro - work.market.price_micro(read.product, read.tick))
    return short_micro * read.units * read.product.hours


def _last_prices_micro(read: Read, work: Services) -> list[int]:
    """What the product cleared at, the newest first."""
    with snapshot(work.store) as view:
        [row] = board.board_rows(view, [read.product.id], 0)
    return [trade.price_micro for trade in row.trades]


def order_facts(read: Read, work: Services) -> OrderFacts:
    """How the order's limit lies to what the product cleared at, and which round it would stand in."""
    price_micro = work.market.price_micro(read.product, read.tick)
    prices = _last_prices_micro(read, work)
    round_ = work.market.current_round()
    reached = sum(price_micro <= one if read.kind.sells else price_micro >= one for one in prices)
    return OrderFacts(
        last=Price.of(prices[0]) if prices else None,
        limit=Limit(tick=read.tick, price=Price.of(price_micro)),
        distance_bp=(price_micro - prices[0]) * 10_000 // prices[0] if prices else None,
        chance=Chance(cleared_at_or_below=reached, rounds=len(prices)) if prices else None,
        round=round_,
        round_ends_s=work.market.round_end_s(round_),
    )


class TypedBody(OrderBody):
    """An order to be signed by its owner's wallet, which then needs no gas: good for `round` only."""

    round: int | None = Field(default=None, ge=0, lt=2**40, description="by default the current one")
    index: int | None = Field(default=None, ge=0, lt=SIGNED_PER_ROUND, description="by default the lowest that is free")


class SignedFields(Shape):
    """An order as it is signed (EIP-712). Its product is a decimal text: it is longer than 53 bits."""

    owner: str
    kind: int
    site: int
    product: str
    tick: int
    units: int
    round: int
    index: int
    epoch: int


class Typed(Shape):
    """What a wallet's eth_signTypedData_v4 takes, and the order to send back with its signature."""

    typed_data: dict[str, Any]
    order: SignedFields


@router.post(
    "/typed-data",
    summary="For a wallet to sign: an order without gas",
    responses=problems(401, 403),
    openapi_extra={"security": [{}]},
)
def build_typed(body: TypedBody, work: Work, caller: Who) -> Typed:
    owner, read = owner_of(caller, body.owner), Read(body, work)
    account = work.market.account(owner)
    round_ = work.market.current_round() if body.round is None else body.round
    used = account.used if account.round == round_ else frozenset()
    taken = board.signed_numbers(work.store, owner, round_) | used
    free = body.index
    if free is None:
        free = next((one for one in range(SIGNED_PER_ROUND) if one not in taken), None)
    if free is None:
        raise InputError(f"{owner} has {SIGNED_PER_ROUND} signed orders in round {round_}.", "Wait for the next round.")
    terms = OrderTerms(owner, read.kind, read.product, read.tick, read.units, round_, free, account.epoch, read.site)
    data = typed_data(terms, work.market.domain)
    values = terms.values() | {"product": str(read.product.id)}
    data["message"]["product"] = values["product"]
    return Typed(typed_data=data, order=SignedFields(**values))


@router.get("", summary="An owner's orders, newest first")
def list_orders(
    work: Work,
    owner: Annotated[Address, Query()],
    cursor: CursorText = None,
    limit: PageSize = 100,
) -> Page[OrderShape]:
    with work.view() as view:
        start = start_of(view, cursor, "own-orders", 3)
        before = (start.place[0], start.place[1], start.place[2]) if start else None
        rows = queries.orders_of(view.store, owner, before, limit + 1)
        return page(view, "own-orders", rows, limit, order_shape, lambda row: row.place, lambda row: row.placed_block)


add_writes(router, "", order_write, "an order")
