"""Every invariant of tests/INVARIANTS.md, checked: what the replay found, and its books beside the chain's own state.

A check names what it compares; what it needs no read for, the replay or `Consent` has judged at each event.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

from ledger.abi import Call
from ledger.artifacts import Deployment, load_artifacts
from ledger.audit.acts import Consent
from ledger.audit.books import Check, Finding
from ledger.audit.decode import Decoder, Entry
from ledger.audit.replay import Replay
from ledger.errors import NodeRefused, Reverted
from ledger.product import Product
from ledger.view import View

Compared = dict[Hashable, tuple[Call, object]]
"""By what it is: a read, and what the books say that it returns."""


def new_replay(deployment: Deployment) -> Replay:
    """Empty books of a market."""
    artifacts = load_artifacts()
    abis = {
        address: artifacts["TestDollar" if name == "Token" else name].abi
        for name, address in deployment.addresses.items()
    }
    consent = Consent.of(deployment.chain_id, deployment.address("Exchange"), deployment.addresses.values())
    terms = deployment.terms
    return Replay(Decoder(abis), consent, deployment.addresses, terms.derating_floor_bp, terms.round_s)


def entries_of(view: View, block: int | str = "latest") -> Iterator[Entry]:
    """A market's logs as the node gives them, unproven."""
    deployment = view.deployment
    for log in view.chain.logs(list(deployment.addresses.values()), deployment.block, block):
        yield Entry(log.block, log.transaction, log.index, log.address, log.topics, log.data)


def replay_of(view: View) -> Replay:
    """The market's books from all of its events, as the node tells them."""
    return new_replay(view.deployment).run(entries_of(view))


def check_market(view: View, replay: Replay, block: int | str = "latest") -> list[Check]:
    """Every check, by number, the chain read as it stood at `block`. Nothing is changed. Raises Unavailable when the
    node does not answer."""
    return [_check(rule, sentence, reads, view, replay, block) for rule, sentence, reads in CHECKS]


def _check(
    rule: str,
    sentence: str,
    reads: Callable[[View, Replay], Compared],
    view: View,
    replay: Replay,
    block: int | str,
) -> Check:
    compared = reads(view, replay)
    found = [finding for finding in replay.findings if finding.rule == rule]
    found += [Finding(rule, where, expected, actual) for where, expected, actual in _STANDING.get(rule, _none)(replay)]
    try:
        answers = view.chain.call_many([call for call, _ in compared.values()], block)
    except (NodeRefused, Reverted) as error:
        found.append(Finding("READ", f"reads for {rule}", "answers", error.problem))
        answers = []
    for (where, (_, expected)), answer in zip(compared.items(), answers, strict=False):
        if answer != expected:
            found.append(Finding(rule, str(where), expected, answer))
    return Check(rule, sentence, len(compared), tuple(found))


# ---- reads


def _money(view: View, books: Replay) -> Compared:
    held = view.call("Token", "balanceOf", view.address("Treasury"))
    compared: Compared = {"treasury": (held, books.owed_micro() + books.gifts_micro)}
    for owner, micro in books.cash.items():
        compared["cash", owner] = (view.call("Treasury", "cashOf", owner), micro)
    return compared


def _supply(view: View, books: Replay) -> Compared:
    products = set(books.supply) | set(books.outstanding)
    return {
        ("supply", product): (
            view.call("Capacity", "totalSupply", product),
            books.outstanding[product] + books.expired[product],
        )
        for product in sorted(products)
    }


def hours_of(books: Replay) -> dict[tuple[int, int], int]:
    """Committed units by site and hour, added up from what obligations, offers and leases hold."""
    hours = dict.fromkeys(books.calendar, 0)
    held = {place: owed.units for place, owed in books.owed.items()}
    for place in {*held, *books.reserved, *books.spent}:
        product = Product.from_id(place[0])
        units = held.get(place, 0) + books.reserved[place] + books.spent[place]
        for hour in range(product.start_hour, product.end_hour):
            key = (place[1], hour)
            hours[key] = hours.get(key, 0) + units
    return hours


def _calendars(view: View, books: Replay) -> Compared:
    return {key: (view.call("Capacity", "committedUnits", *key), units) for key, units in hours_of(books).items()}


def _books(view: View, books: Replay) -> Compared:
    expected: Compared = {}
    for product, first_round in books.first_rounds.items():
        terms = (books.tick_sizes_micro[product], books.least_units[product], books.escrow[product])
        book = (first_round, books.slot_counts[product], *terms)
        expected["book", product] = (view.call("Exchange", "bookOf", product), book)
    return expected


def _prices(view: View, books: Replay) -> Compared:
    return {
        ("round", key & (1 << 88) - 1, key >> 88): (
            view.call("Exchange", "clearingOf", key & (1 << 88) - 1, key >> 88),
            (True, one.price_tick or 0, one.units),
        )
        for key, one in books.clearings.items()
    }


def _bonds(view: View, books: Replay) -> Compared:
    return {
        ("obligation", *place): (view.call("Delivery", "obligationOf", *place), (owed.units, owed.bond_micro))
        for place, owed in books.owed.items()
    }


def _escrowed_units(view: View, books: Replay) -> Compared:
    exchange = view.address("Exchange")
    return {
        ("escrow", product): (view.call("Capacity", "balanceOf", exchange, product), units)
        for product, units in books.in_escrow.items()
    }


def _epochs(view: View, books: Replay) -> Compared:
    return {
        ("epoch", owner): (view.call("Treasury", "accountOf", owner), _account(books, owner))
        for owner in sorted(books.marks)
    }


def _account(books: Replay, owner: str) -> tuple[int, int, int, int]:
    return (books.cash[owner], books.epochs[owner], *books.marks.get(owner, (0, 0)))


def _records(view: View, books: Replay) -> Compared:
    return {
        ("site", number): (view.call("Delivery", "recordOf", number), (site.delivered, site.failed))
        for number, site in books.sites.items()
    }


def _holdings(view: View, books: Replay) -> Compared:
    return {
        ("units", product, owner): (view.call("Capacity", "balanceOf", owner, product), units)
        for (product, owner), units in books.units.items()
    }


def _nothing(_view: View, _books: Replay) -> Compared:
    return {}


CHECKS: Sequence[tuple[str, str, Callable[[View, Replay], Compared]]] = (
    ("INV-1", "the treasury holds what it owes, to the micro", _money),
    ("INV-2", "every unit is owed by a site, or waits in an offer", _supply),
    ("INV-3", "calendars hold what the sites' products hold", _calendars),
    ("INV-4", "no device-hour was sold twice", _nothing),
    ("INV-5", "each round: as much bought as sold, nothing left over", _books),
    ("INV-6", "every price is the rule's", _prices),
    ("INV-7", "nobody traded worse than their limit", _nothing),
    ("INV-8", "bonds and leases paid what they held, by the rule", _bonds),
    ("INV-9", "no claim on a bond was thinned", _nothing),
    ("INV-10", "no slot was used again before it was settled", _nothing),
    ("INV-11", "the exchange holds the units that wait", _escrowed_units),
    ("INV-12", "every signed order was placed once, in its epoch", _epochs),
    ("INV-13", "nobody's cash or units went without their own act", _nothing),
    ("INV-14", "all money is somebody's who can still claim it", _nothing),
    ("INV-15", "delivery records are what the leases came to", _records),
    ("INV-16", "every unit is somebody's", _holdings),
    ("INV-17", "every order was sent or signed by its owner", _nothing),
)
"""Each with the reads that it compares."""


# ---- what must hold of the books as they stand

Standing = Iterable[tuple[str, object, object]]


def _none(_books: Replay) -> Standing:
    return ()


def _sums(books: Replay) -> Standing:
    if books.owed_micro() != books.owed_now_micro:
        yield "debts kept and debts added up", books.owed_micro(), books.owed_now_micro


def _held(books: Replay) -> Standing:
    held: dict[int, int] = {}
    for (product, _), units in books.units.items():
        held[product] = held.get(product, 0) + units
    for product, units in held.items():
        if units != books.supply[product]:
            yield f"units of {product:#x}", books.supply[product], units


def _claimed(books: Replay) -> Standing:
    """Money lies nowhere but where someone's call can move it: by settling, resolving, expiring or withdrawing."""
    waiting = {key & (1 << 88) - 1 for key in books.waiting}
    for product, micro in books.escrow.items():
        if micro and product not in waiting:
            yield f"escrow of {product:#x} without orders", 0, micro
    for place, micro in books.margins.items():
        if micro and not books.reserved[place]:
            yield f"margin of {place} without offers", 0, micro
    for place in books.idle_bonds():
        yield f"bond of {place} without units", 0, books.owed[place].bond_micro
    for number, lease in books.leases.items():
        if lease.reason is not None and lease.bond_micro + lease.deposit_micro:
            yield f"lease {number}, resolved", 0, lease.bond_micro + lease.deposit_micro


def _calendar_kept(books: Replay) -> Standing:
    for key, units in hours_of(books).items():
        if books.calendar[key] != units:
            yield f"hour {key[1]} of site {key[0]}", units, books.calendar[key]


_STANDING: Mapping[str, Callable[[Replay], Standing]] = {
    "INV-1": _sums,
    "INV-3": _calendar_kept,
    "INV-14": _claimed,
    "INV-16": _held,
}


def reads_of(checks: Sequence[Check]) -> int:
    """How many reads of the chain were compared."""
    return sum(check.compared for check in checks)
