"""Every invariant that events can show, checked: what the replay found, and its books beside the chain's own state.

Numbers are those of tests/INVARIANTS.md. Who signed what (INV-13, INV-17) is in no event.
"""

from collections.abc import Callable, Hashable, Sequence

from ledger.abi import Call
from ledger.audit.books import Books, Check, Finding
from ledger.audit.replay import Replay
from ledger.product import Product
from ledger.view import View

Compared = dict[Hashable, tuple[Call, object]]
"""By what it is: a read, and what the books say that it returns."""


def replay_of(view: View) -> Replay:
    """The market's books from all of its events."""
    terms = view.deployment.terms
    return Replay(view.address("Treasury"), view.address("Exchange"), terms.derating_floor_bp).run(view.history())


def check_market(view: View, replay: Replay) -> list[Check]:
    """Every check, by number. Nothing is changed. Raises Unavailable when the node does not answer."""
    return [_check(number, sentence, reads, view, replay) for number, sentence, reads in CHECKS]


def _check(number: int, sentence: str, reads: Callable[[View, Books], Compared], view: View, replay: Replay) -> Check:
    compared = reads(view, replay)
    found = [finding for finding in replay.findings if finding.number == number]
    answers = view.chain.call_many([call for call, _ in compared.values()])
    for (where, (_, expected)), answer in zip(compared.items(), answers, strict=True):
        if answer != expected:
            found.append(Finding(number, str(where), expected, answer))
    return Check(number, sentence, len(compared), tuple(found))


def _money(view: View, books: Books) -> Compared:
    held = view.call("Token", "balanceOf", view.address("Treasury"))
    compared: Compared = {"treasury": (held, books.owed_micro())}
    for owner, micro in books.cash.items():
        compared["cash", owner] = (view.call("Treasury", "cashOf", owner), micro)
    return compared


def _supply(view: View, books: Books) -> Compared:
    products = set(books.supply) | set(books.outstanding)
    return {
        ("supply", product): (
            view.call("Capacity", "totalSupply", product),
            books.outstanding[product] + books.expired[product],
        )
        for product in products
    }


def _calendars(view: View, books: Books) -> Compared:
    """The hours of each site, added up from what its products hold."""
    hours = dict.fromkeys(books.calendar, 0)
    held = {place: owed.units for place, owed in books.owed.items()}
    for place in {*held, *books.reserved, *books.spent}:
        product = Product.from_id(place[0])
        for hour in range(product.start_hour, product.end_hour):
            key = (place[1], hour)
            hours[key] = hours.get(key, 0) + held.get(place, 0) + books.reserved[place] + books.spent[place]
    return {key: (view.call("Capacity", "committedUnits", *key), units) for key, units in hours.items()}


def _books(view: View, books: Books) -> Compared:
    expected: Compared = {}
    for product, first_round in books.first_rounds.items():
        slots = sum(1 for key in books.slots if key[0] == product)
        least = view.terms_of(Product.from_id(product).class_id).min_order_units
        book = (first_round, slots, books.tick_sizes_micro[product], least, books.escrow[product])
        expected["book", product] = (view.call("Exchange", "bookOf", product), book)
    return expected


def _prices(view: View, books: Books) -> Compared:
    cleared = {key: book.clearing for key, book in books.rounds.items() if book.clearing is not None}
    return {
        ("round", *key): (view.call("Exchange", "clearingOf", *key), (True, one.price_tick or 0, one.units))
        for key, one in cleared.items()
    }


def _bonds(view: View, books: Books) -> Compared:
    return {
        ("obligation", *place): (view.call("Delivery", "obligationOf", *place), (owed.units, owed.bond_micro))
        for place, owed in books.owed.items()
    }


def _escrowed_units(view: View, books: Books) -> Compared:
    exchange = view.address("Exchange")
    return {
        ("escrow", product): (view.call("Capacity", "balanceOf", exchange, product), units)
        for product, units in books.in_escrow.items()
    }


def _records(view: View, books: Books) -> Compared:
    return {
        ("site", number): (view.call("Delivery", "recordOf", number), (site.delivered, site.failed))
        for number, site in books.sites.items()
    }


def _holdings(view: View, books: Books) -> Compared:
    return {
        ("units", product, owner): (view.call("Capacity", "balanceOf", owner, product), units)
        for (product, owner), units in books.units.items()
    }


def _nothing(_view: View, _books: Books) -> Compared:
    return {}


CHECKS: Sequence[tuple[int, str, Callable[[View, Books], Compared]]] = (
    (1, "the treasury holds what it owes, to the micro", _money),
    (2, "every unit is owed by a site, or waits in an offer", _supply),
    (3, "calendars hold what the sites' products hold", _calendars),
    (4, "no device-hour was sold twice", _nothing),
    (5, "each round: as much bought as sold, nothing left over", _books),
    (6, "every price is the rule's", _prices),
    (7, "nobody traded worse than their limit", _nothing),
    (8, "bonds and leases paid what they held, by the rule", _bonds),
    (9, "no claim on a bond was thinned", _nothing),
    (10, "no slot was used again before it was settled", _nothing),
    (11, "the exchange holds the units that wait", _escrowed_units),
    (15, "delivery records are what the leases came to", _records),
    (16, "every unit is somebody's", _holdings),
)
"""Each with the reads that it compares."""


def reads_of(checks: Sequence[Check]) -> int:
    """How many reads of the chain were compared."""
    return sum(check.compared for check in checks)
