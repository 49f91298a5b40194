"""The contract's clearing against the independent rule on random books, as paid: cash, units and bonds of everybody.

Every order of a random book has an owner of its own, so that what an owner gained is what its order came to. Orders go
to anvil in batches, from accounts that it signs for, and several books share a round: a thousand take about a minute.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import NamedTuple

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from ledger import (
    TICK_MAX,
    TICK_MIN,
    Call,
    Chain,
    Clearing,
    Event,
    Fill,
    Grade,
    Kind,
    LocalClock,
    Market,
    Order,
    Product,
    Sender,
    Tier,
    clearing_of,
    connect,
    cost_micro,
    deploy,
    fill_of,
    load_areas,
    local_node,
    price_micro,
    seed_standard,
    share_up,
    with_prefixes,
)
from ledger.standard import CLASSES, VCPU
from ledger.units import SECONDS_PER_HOUR
from ledger.view import device_hash, read_order
from tests.world import ADMIN, START_S, TERMS, US_EAST, VIRGINIA

BOOKS = 1_000
SEED = int(os.environ.get("COMPUTE_LEDGER_SEED", "1"))
"""For other books, set the variable to another number."""

GENERAL = 4
ORDERS_MAX = 40
BOOKS_AT_ONCE = 5
UNITS_MAX = 2**32 - 1
HOURS_MAX = 3
CASH_MICRO = 2**80
TICK_SIZE_MICRO = CLASSES[GENERAL].tick_size_micro
BOND_PRICE_MICRO = CLASSES[GENERAL].bond_price_micro

# Gas is free, so that owners need no coin of the chain's; one block takes a whole book; history is not kept.
NODE_OPTIONS = (
    *("--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee"),
    *("--auto-impersonate", "--order", "fifo", "--disable-block-gas-limit", "--prune-history", "10"),
)
ORDER_GAS = 2_000_000
SETTLE_GAS = 2**24
SETTLED_AT_ONCE = 40


@dataclass
class Floor:
    """A market where each of `owners` has cash, and the site of the same place in `sites`, which may issue as much as a
    calendar holds. `cash_micro` is what each owner had when it was last read."""

    chain: Chain
    clock: LocalClock
    market: Market
    owners: list[str]
    sites: list[int]
    hours: Iterator[int]
    cash_micro: dict[str, int]
    nonces: dict[str, int]

    def product(self, hours: int) -> Product:
        """A product of hours that no site has committed."""
        return Product(GENERAL, Tier.WIDE, 0, Grade.BASIC, next(self.hours), hours)

    def mine(self, sent: Sequence[tuple[str, Call]], time_s: int, gas: int = ORDER_GAS) -> list[Event]:
        """Makes one block, at `time_s`, of what these owners send; gives what the contracts said in it."""
        requests = []
        for owner, call in sent:
            self.nonces[owner] = self.nonces.get(owner, -1) + 1
            transaction = {"from": owner, "to": call.to, "data": "0x" + call.data.hex(), "gasPrice": "0x0"}
            numbered = transaction | {"gas": hex(gas), "nonce": hex(self.nonces[owner])}
            requests.append(("eth_sendTransaction", [numbered]))
        self.chain.batch(requests)
        self.clock.go_to(time_s)
        return self.market.history(self.chain.block().number)


@pytest.fixture(scope="module")
def floor() -> Iterator[Floor]:
    with local_node(*NODE_OPTIONS, start_s=START_S) as node:
        chain = connect(node.url)
        sender = Sender(chain)
        market = Market(chain, deploy(sender, ADMIN, TERMS), sender)
        areas = [load_areas().area(code) for code in (US_EAST, VIRGINIA)]
        seed_standard(market, sender, ADMIN, areas=areas)
        yield opened(chain, market)


def opened(chain: Chain, market: Market) -> Floor:
    assert chain.clock is not None
    chain.clock.hold(True)
    numbers = range(ORDERS_MAX * BOOKS_AT_ONCE)
    owners = [str(to_checksum_address((0xC0FFEE << 128 | number).to_bytes(20))) for number in numbers]
    hours = count(START_S // SECONDS_PER_HOUR + 200, HOURS_MAX)
    nonces = {ADMIN.address: chain.nonce(ADMIN.address) - 1}
    floor = Floor(chain, chain.clock, market, owners, [], hours, {}, nonces)
    treasury = market.address("Treasury")
    floor.mine([(owner, market.call("Token", "mint", owner, CASH_MICRO)) for owner in owners], chain.time_s() + 1)
    approved, deposited, registered = (
        floor.mine([(owner, call) for owner in owners], chain.time_s() + 1)
        for call in (
            market.call("Token", "approve", treasury, CASH_MICRO),
            market.call("Treasury", "deposit", CASH_MICRO),
            market.call("Capacity", "registerSite", device_hash(VCPU), UNITS_MAX, GENERAL, VIRGINIA, ""),
        )
    )
    assert len(approved) == len(registered) == len(deposited) // 2 == len(owners)
    # A batch is not taken up in its order.
    by_owner = {event["provider"]: event["site"] for event in registered}
    floor.sites += [by_owner[owner] for owner in owners]
    attested = [(site, UNITS_MAX, Grade.PREMIUM, bytes(32), 2**40) for site in floor.sites]
    floor.mine([(ADMIN.address, market.call("Capacity", "attest", *one)) for one in attested], chain.time_s() + 1)
    floor.cash_micro |= {owner: market.cash_micro(owner) for owner in owners}
    assert set(floor.cash_micro.values()) == {CASH_MICRO}
    return floor


# ---- books


ANYWHERE = st.integers(TICK_MIN, TICK_MAX)
NEARBY = st.integers(500, 504)
ENDS = st.sampled_from((TICK_MIN, TICK_MIN + 1, 127, 128, TICK_MAX - 1, TICK_MAX))
ONE = st.just(700)
FEW = st.integers(1, 50)
MANY = st.integers(1, UNITS_MAX)
HUGE = st.integers(UNITS_MAX - 9, UNITS_MAX)
BUY, SELL = st.just(Kind.BID), st.sampled_from((Kind.ASK, Kind.OFFER))
BOTH = st.sampled_from((Kind.BID, Kind.BID, Kind.ASK, Kind.OFFER))

Wish = tuple[Kind, int, int]


def books_of(
    kinds: st.SearchStrategy[Kind], ticks: st.SearchStrategy[int], units: st.SearchStrategy[int], least: int = 1
) -> st.SearchStrategy[list[Wish]]:
    return st.lists(st.tuples(kinds, ticks, units), min_size=least, max_size=ORDERS_MAX)


WISHES = st.one_of(
    books_of(BOTH, ANYWHERE, MANY, least=4),
    books_of(BOTH, NEARBY, FEW, least=8),
    books_of(BOTH, NEARBY, st.one_of(FEW, MANY, HUGE), least=4),
    books_of(BOTH, ENDS, st.one_of(FEW, HUGE), least=2),
    books_of(BOTH, ONE, FEW, least=3),
    st.sampled_from((BUY, SELL)).flatmap(lambda side: books_of(side, NEARBY, FEW)),
)


def fitting(wishes: Sequence[Wish]) -> list[Order]:
    """The wishes as far as they fit: no tick holds more than 2^32 - 1 units. Each becomes an owner's of its own."""
    standing: dict[tuple[bool, int], int] = {}
    orders = []
    for kind, tick, wanted in wishes:
        place = (kind.sells, tick)
        units = min(wanted, UNITS_MAX - standing.get(place, 0))
        if units:
            standing[place] = standing.get(place, 0) + units
            orders.append(Order(kind, tick, units))
    return orders


# ---- one round


@dataclass(frozen=True)
class Played:
    """A book that was placed, cleared and settled: its orders in the order of their arrival, their owners' numbers, and
    what the rule says of them."""

    product: Product
    orders: list[Order]
    owners: list[int]
    clearing: Clearing
    fills: list[Fill]


def placing(floor: Floor, product: Product, owner: int, order: Order) -> list[tuple[str, Call]]:
    call, name, site = floor.market.call, floor.owners[owner], floor.sites[owner]
    if order.kind is Kind.OFFER:
        return [(name, call("Exchange", "offer", site, product.id, order.tick, order.units))]
    if order.kind is Kind.BID:
        return [(name, call("Exchange", "bid", product.id, order.tick, order.units))]
    issued = call("Capacity", "mint", site, product.id, order.units)
    return [(name, issued), (name, call("Exchange", "ask", product.id, order.tick, order.units))]


def play(floor: Floor, books: Sequence[tuple[Product, Sequence[Order], Sequence[int]]]) -> list[Played]:
    """Plays books of orders and their owners in one round: one block to place, one to clear and settle them all.

    What the contracts said must be what the rule says: book, clearing and fills.
    """
    time_s = floor.chain.time_s()
    round_ = floor.market.current_round(time_s)
    sent = [
        one
        for product, orders, owners in books
        for owner, order in zip(owners, orders, strict=True)
        for one in placing(floor, product, owner, order)
    ]
    said = floor.mine(sent, time_s + 1)
    played = [stood(floor, said, *book) for book in books]
    calls = [call for book in played for call in finishing(floor.market, book, round_)]
    said = floor.mine([(ADMIN.address, call) for call in calls], floor.market.round_end_s(round_), SETTLE_GAS)
    for book in played:
        check_clearing(book, [event for event in said if event.values.get("product") == book.product.id])
    return played


def stood(
    floor: Floor, said: Sequence[Event], product: Product, orders: Sequence[Order], owners: Sequence[int]
) -> Played:
    """The book as it stands in the contract: just the orders that were sent, each with its prefix."""
    placed = [event for event in said if event.name == "OrderPlaced" and event["product"] == product.id]
    assert [event["index"] for event in placed] == list(range(len(orders)))
    numbers = {name: number for number, name in enumerate(floor.owners)}
    arrived = [numbers[event["owner"]] for event in placed]
    stand = [read_order(event["order"], product, 0, event["index"]) for event in placed]
    bare = [Order(order.kind, order.tick, order.units) for order in stand]
    key = str
    assert sorted(zip(arrived, bare, strict=True), key=key) == sorted(zip(owners, orders, strict=True), key=key)
    by_rule = with_prefixes(bare)
    assert [order.prefix for order in stand] == [order.prefix for order in by_rule]
    clearing = clearing_of(by_rule)
    fills = [fill_of(order, clearing, product.hours, TICK_SIZE_MICRO) for order in by_rule]
    return Played(product, by_rule, arrived, clearing, fills)


def finishing(market: Market, book: Played, round_: int) -> Iterator[Call]:
    yield market.clear(book.product, round_).call
    for start in range(0, len(book.orders), SETTLED_AT_ONCE):
        indices = range(len(book.orders))[start : start + SETTLED_AT_ONCE]
        yield market.settle(book.product, round_, indices).call


def check_clearing(book: Played, said: Sequence[Event]) -> None:
    clearing = book.clearing
    [cleared] = [event for event in said if event.name == "Cleared"]
    assert (cleared["units"], cleared["priceTick"]) == (clearing.units, clearing.price_tick or 0)
    for side, margin in (("bid", clearing.bid), ("ask", clearing.ask)):
        found = tuple(cleared[f"{side}{name}"] for name in ("Tick", "Filled", "Standing"))
        assert found == ((margin.tick, margin.filled_units, margin.standing_units) if margin else (0, 0, 0))
    entries = [entry for event in said if event.name == "Settled" for entry in event["fills"]]
    filled = {entry >> 32 & 0xFFFF_FFFF: entry & 0xFFFF_FFFF for entry in entries}
    assert filled == {index: fill.units for index, fill in enumerate(book.fills)}


# ---- as paid


class Due(NamedTuple):
    """What an owner must have gained: cash in micro, units, and at its site an obligation."""

    cash_micro: int
    units: int
    owed_units: int
    bond_micro: int


def due_of(order: Order, fill: Fill, hours: int) -> Due:
    if order.kind is Kind.BID:
        escrow_micro = cost_micro(order.units, hours, price_micro(order.tick, TICK_SIZE_MICRO))
        return Due(fill.cash_micro - escrow_micro, fill.units, 0, 0)
    if order.kind is Kind.ASK:
        bond_micro = share_up(order.units * hours * BOND_PRICE_MICRO, 10_000 + TERMS.penalty_margin_bp)
        return Due(fill.cash_micro - bond_micro, fill.returned_units, order.units, bond_micro)
    margin_micro = fill.units * share_up(hours * BOND_PRICE_MICRO, TERMS.penalty_margin_bp)
    return Due(-margin_micro, 0, fill.units, fill.cash_micro + margin_micro)


def check_payments(floor: Floor, book: Played) -> None:
    """Compares what every owner has now with what its orders are due."""
    market, product = floor.market, book.product
    due = defaultdict[int, list[Due]](list)
    for owner, order, fill in zip(book.owners, book.orders, book.fills, strict=True):
        due[owner].append(due_of(order, fill, product.hours))
    names = [floor.owners[owner] for owner in due]
    calls = [
        *(market.call("Treasury", "cashOf", name) for name in names),
        *(market.call("Capacity", "balanceOf", name, product.id) for name in names),
        *(market.call("Delivery", "obligationOf", product.id, floor.sites[owner]) for owner in due),
        market.call("Exchange", "bookOf", product.id),
        market.call("Capacity", "totalSupply", product.id),
    ]
    *found, (*_, escrow_micro), supply = floor.chain.call_many(calls)
    cash, held, owed = found[: len(due)], found[len(due) : 2 * len(due)], found[2 * len(due) :]
    for place, (owner, parts) in enumerate(due.items()):
        gained_micro = cash[place] - floor.cash_micro[names[place]]
        assert (gained_micro, held[place], *owed[place]) == tuple(map(sum, zip(*parts, strict=True))), (owner, book)
    assert escrow_micro == 0
    assert supply == sum(held)
    floor.cash_micro |= dict(zip(names, cash, strict=True))


# ---- tests


@pytest.mark.slow
def test_random_books_clear_and_pay_as_the_rule_says(floor: Floor) -> None:
    played: list[Played] = []

    @seed(SEED)
    @settings(max_examples=BOOKS // BOOKS_AT_ONCE, derandomize=False, database=None)
    @given(
        st.lists(WISHES, min_size=BOOKS_AT_ONCE, max_size=BOOKS_AT_ONCE),
        st.integers(1, HOURS_MAX),
        st.randoms(use_true_random=False),
    )
    def compare(wishes: list[list[Wish]], hours: int, random: Random) -> None:
        books = []
        for place, wanted in enumerate(wishes):
            orders = fitting(wanted)
            owners = random.sample(range(place * ORDERS_MAX, (place + 1) * ORDERS_MAX), len(orders))
            books.append((floor.product(hours), orders, owners))
        for book in play(floor, books):
            check_payments(floor, book)
            played.append(book)

    compare()
    traded = [book.clearing.units for book in played if book.clearing.units]
    said = f"seed {SEED}: {len(played)} books, {len(traded)} with a trade, {sum(traded):,} units"
    print(said)  # noqa: T201
    assert len(played) >= BOOKS, said
    # A comparison of empty rounds would prove nothing.
    assert len(traded) > BOOKS // 2, said


@pytest.mark.slow
def test_book_with_every_tick_on_both_sides_clears_and_pays_as_the_rule_says(floor: Floor) -> None:
    random = Random(SEED)
    ticks = [(kind, tick) for kind in (Kind.BID, Kind.OFFER) for tick in range(TICK_MIN, TICK_MAX + 1)]
    random.shuffle(ticks)
    orders = [Order(kind, tick, random.randint(1, UNITS_MAX // TICK_MAX)) for kind, tick in ticks]
    # Buyers have even numbers, sellers odd ones: nobody's cash is on both sides.
    owners = [2 * random.randrange(ORDERS_MAX // 2) + order.kind.sells for order in orders]
    [book] = play(floor, [(floor.product(HOURS_MAX), orders, owners)])
    check_payments(floor, book)
    assert book.clearing.units > 0


@pytest.mark.slow
def test_comparison_notices_a_unit_and_a_micro(floor: Floor) -> None:
    """The check itself can fail: a fill of one unit less, cash that was one micro more."""
    orders = [Order(Kind.OFFER, 500, 10), Order(Kind.BID, 500, 10)]
    [book] = play(floor, [(floor.product(1), orders, [0, 1])])
    short = replace(book, fills=[replace(fill, units=9) for fill in book.fills])
    with pytest.raises(AssertionError):
        check_payments(floor, short)
    floor.cash_micro[floor.owners[1]] += 1
    with pytest.raises(AssertionError):
        check_payments(floor, book)
    floor.cash_micro[floor.owners[1]] -= 1
    check_payments(floor, book)
