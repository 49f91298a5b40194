"""The replay against a day that was played: true logs fold into the chain's state, forged ones are found out."""

import time
import tracemalloc
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.audit.books import Line
from ledger.audit.checks import new_replay
from ledger.audit.decode import Entry
from ledger.product import Grade, Product, Tier
from tests.day import tiny_day
from tests.forging import Forger, forged, replayed, said, tiny_entries


def test_replay_of_what_happened_finds_nothing() -> None:
    books = replayed(tiny_entries())
    assert books.findings == []
    assert books.events == len(tiny_entries())
    assert books.owed_micro() == books.owed_now_micro == books.token_micro == 0


@settings(max_examples=12)
@given(st.integers(0, 10**6))
def test_replay_of_any_beginning_finds_nothing(place: int) -> None:
    """The rules hold after each transaction, not only at the end."""
    entries = tiny_entries()
    last = entries[place % len(entries)].transaction
    stop = max(number for number, entry in enumerate(entries) if entry.transaction == last) + 1
    books = replayed(entries[:stop])
    assert books.findings == []
    assert books.owed_micro() == books.owed_now_micro


def more(name: str, by: int = 1) -> Forger:
    return lambda values: {**values, name: values[name] + by}


def traded_more(values: Mapping[str, Any]) -> Mapping[str, Any]:
    fills = list(values["fills"])
    place = next(number for number, fill in enumerate(fills) if fill & 0xFFFF_FFFF)
    fills[place] -= 1
    return {**values, "fills": tuple(fills)}


def other_prefix(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**values, "order": values["order"] + (1 << 32)}


def a_unit_elsewhere(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """As much in all, but a unit of a bid's to a bid that had none."""
    fills = list(values["fills"])
    bids = [number for number, fill in enumerate(fills) if fill >> 64 == 1]
    fills[next(number for number in bids if fills[number] & 0xFFFF_FFFF)] -= 1
    fills[next(number for number in bids if not fills[number] & 0xFFFF_FFFF)] += 1
    return {**values, "fills": tuple(fills)}


def bids_of_both_kinds(entry: Entry) -> bool:
    name, values = said(entry)
    filled = {bool(fill & 0xFFFF_FFFF) for fill in values["fills"] if fill >> 64 == 1} if name == "Settled" else set()
    return len(filled) == 2


def test_replay_finds_a_unit_that_went_to_another_bid() -> None:
    entries = list(tiny_entries())
    place = next(number for number, entry in enumerate(entries) if bids_of_both_kinds(entry))
    entries[place] = forged(entries[place], a_unit_elsewhere)
    found = [one for one in replayed(entries).findings if one.log == entries[place].log]
    assert sum(one.rule == "INV-5" and one.where.startswith("fill of slot") for one in found) == 2
    assert "INV-7" in {one.rule for one in found}


@pytest.mark.parametrize(
    ("name", "field", "rule", "where"),
    [
        ("Obliged", "bondMicro", "INV-1", "the treasury's debts"),
        ("Redeemed", "units", "INV-13", "units of"),
        ("OrderPlaced", "order", "INV-11", "product"),
    ],
)
def test_replay_holds_each_transaction_to(name: str, field: str, rule: str, where: str) -> None:
    """One more of something, in all events of that name at once: what holds between transactions says so."""
    entries = [forged(one, more(field)) if said(one)[0] == name else one for one in tiny_entries()]
    found = [one for one in replayed(entries).findings if one.rule == rule and one.log is None]
    assert [one for one in found if one.where.startswith(where)]


STRANGER = "0x" + "77" * 20

FORGERIES: dict[str, tuple[str, Forger, int]] = {
    "a deposit too high": ("Deposited", more("amount"), 1),
    "a withdrawal too low": ("Withdrawn", more("amount", -1), 1),
    "units from nowhere": ("TransferSingle", more("value"), 2),
    "a calendar above what was attested": ("Committed", more("units", 10**6), 4),
    "an order that came too late": ("OrderPlaced", other_prefix, 5),
    "a fill short of a unit": ("Settled", traded_more, 5),
    "a price a tick too high": ("Cleared", more("priceTick"), 6),
    "a bond short of a micro": ("Obliged", more("bondMicro", -1), 8),
    "a share too high": ("Discharged", more("bondMicro"), 8),
    "a provider paid too much": ("Resolved", more("toProviderMicro"), 8),
    "a refund too low": ("Aborted", more("toHolderMicro", -1), 8),
    "more margin than was escrowed": ("OfferSettled", more("marginReturned"), 8),
    "units taken by a stranger's hand": ("TransferSingle", lambda values: {**values, "operator": STRANGER}, 13),
    "a better record": ("RecordUpdated", more("deliveredMilliHours"), 15),
    "an order in another's name": ("OrderPlaced", lambda values: {**values, "owner": STRANGER}, 17),
}


def trades(entry: Entry) -> bool:
    """Not an event of a round without trade: forging those would break another rule."""
    name, values = said(entry)
    if name == "Settled":
        return any(fill & 0xFFFF_FFFF for fill in values["fills"])
    if name == "TransferSingle":
        return int(values["from"], 16) > 0 == int(values["to"], 16)
    return name != "Cleared" or bool(values["units"])


@pytest.mark.parametrize("forgery", FORGERIES)
def test_replay_finds_what_was_forged_and_where(forgery: str) -> None:
    name, forge, number = FORGERIES[forgery]
    entries = list(tiny_entries())
    found = [place for place, entry in enumerate(entries) if said(entry)[0] == name and trades(entry)]
    if not found:
        pytest.fail(f"The day has no {name}: choose another event to forge.")
    entries[found[0]] = forged(entries[found[0]], forge)
    findings = [one for one in replayed(entries).findings if one.rule == f"INV-{number}"]
    assert findings
    assert entries[found[0]].transaction in {one.transaction for one in findings}
    assert all(one.block for one in findings)


def test_replay_finds_a_slot_used_before_it_was_settled() -> None:
    entries = list(tiny_entries())
    first = next(place for place, entry in enumerate(entries) if said(entry)[0] == "OrderPlaced")
    entries.insert(first + 1, entries[first])
    found = [one for one in replayed(entries[: first + 2]).findings if one.rule == "INV-10"]
    assert (found[0].block, found[0].log) == (entries[first].block, entries[first].log)


@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize("lie", ["the order's round", "the block's time"])
def test_replay_finds_an_order_in_a_round_that_its_block_does_not_belong_to(lie: str, off: int) -> None:
    """Nobody can place one in a round that is over, or in one to come, whoever signed it."""
    round_s, entries = tiny_day().market.deployment.terms.round_s, tiny_entries()
    first = next(place for place, entry in enumerate(entries) if said(entry)[0] == "OrderPlaced")
    placed = entries[first]
    block = [entry for entry in entries if entry.block == placed.block]
    time_s = tiny_day().chain.block(placed.block).time_s

    def found(logs: list[Entry], time_s: int) -> list[str]:
        books = new_replay(tiny_day().market.deployment).run(entries[: entries.index(block[0])])
        assert books.findings == []
        books.run(logs, time_s=time_s)
        return [one.where for one in books.findings if one.rule == "EVENT" and one.log == placed.log]

    assert found(block, time_s) == []
    if lie == "the block's time":
        wheres = found(block, time_s + off * round_s)
    else:
        other = forged(placed, more("order", off << 64))
        wheres = found([other if entry is placed else entry for entry in block], time_s)
    assert len(wheres) == 1
    assert wheres[0].startswith("round of slot")


def test_replay_finds_a_forgotten_epoch() -> None:
    market = tiny_day().market
    topic = market.chain.interface("Treasury").topic("Revoked")
    owner, epoch = bytes(12) + b"\x11" * 20, (2).to_bytes(32)
    entry = Entry(1, "0x", 0, market.address("Treasury"), (topic, owner), epoch)
    assert [finding.rule for finding in replayed([entry]).findings] == ["INV-12"]


@pytest.mark.parametrize("name", ["Withdrawn", "Discharged", "BondReleased", "MarginEscrowed", "Transfer"])
def test_replay_finds_what_was_left_out(name: str) -> None:
    """Money and units that move without an event leave the books unequal."""
    entries = list(tiny_entries())
    last = max(place for place, entry in enumerate(entries) if said(entry)[0] == name)
    del entries[last]
    assert replayed(entries).findings


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_replay_goes_on_after_any_nonsense(random: Any) -> None:
    """A log of random bytes is a finding that names it, and the rest of the day is replayed as ever."""
    entries = list(tiny_entries())
    place = random.randrange(len(entries))
    torn = entries[place]._replace(data=random.randbytes(random.randrange(1, 31)), log=10**6)
    books = replayed([*entries[: place + 1], torn._replace(transaction="0xtorn"), *entries[place + 1 :]])
    assert [one.log for one in books.findings if one.rule == "EVENT"] == [10**6]
    assert books.events == len(entries) + 1


def test_lines_add_up_to_the_balances() -> None:
    books = new_replay(tiny_day().market.deployment)
    lines: list[Line] = []
    books.sink = lines.append
    books.run(tiny_entries())
    assert {line.owner for line in lines} == {*books.cash, *(owner for _, owner in books.units)}
    last: dict[tuple[str, int | None], int] = {}
    for line in lines:
        key = line.owner, line.product
        assert line.before == last.get(key, 0)
        assert line.before + line.amount == line.after
        last[key] = line.after
    assert {owner: last.get((owner, None), 0) for owner in books.cash} == books.cash


@pytest.mark.slow
def test_replay_keeps_up() -> None:
    """ISSUE 3's figure is 50,000 events a second; a fifth of it holds on a busy machine too."""
    entries = tiny_entries()
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        replayed(entries)
        best = max(best, len(entries) / (time.perf_counter() - started))
    assert best > 10_000, f"{best:,.0f} events/s"


def quiet_rounds(rounds: int) -> Iterator[Entry]:
    """Rounds of bids that nobody meets, in slots that are used again: what a market says for years."""
    market = tiny_day().market
    exchange, product = market.address("Exchange"), Product(1, Tier.WIDE, 0, Grade.STANDARD, 500_000, 1).id
    names = ("BookOpened", "OrderPlaced", "Cleared", "Settled")
    topic = {name: market.chain.interface("Exchange").topic(name) for name in names}
    owner = bytes(12) + b"\x11" * 20
    size = (1_000).to_bytes(4)
    yield Entry(1, "0xopen", 0, exchange, (topic["BookOpened"], product.to_bytes(32)), bytes(9) + size + bytes(19))
    deposited = market.chain.interface("Treasury").topic("Deposited")
    yield Entry(1, "0xopen", 1, market.address("Treasury"), (deposited, owner), (10**30).to_bytes(32))
    for round_ in range(rounds):
        name, key = f"0x{round_:x}", product.to_bytes(32)
        for slot in range(BIDS):
            word = int.from_bytes(owner) << 96 | 400 << 84 | round_ << 64 | slot * 5 << 32 | 5
            data = slot.to_bytes(32) + word.to_bytes(32)
            yield Entry(round_ + 2, name, slot, exchange, (topic["OrderPlaced"], key, owner), data)
        at = round_.to_bytes(32)
        yield Entry(round_ + 2, name, BIDS, exchange, (topic["Cleared"], key, at), bytes(256))
        fills = b"".join((1 << 64 | slot << 32).to_bytes(32) for slot in range(BIDS))
        data = (32).to_bytes(32) + BIDS.to_bytes(32) + fills
        yield Entry(round_ + 2, name, BIDS + 1, exchange, (topic["Settled"], key, at), data)


BIDS = 20


@pytest.mark.slow
def test_replay_keeps_the_market_and_not_its_history() -> None:
    """Six times the history takes hardly more memory: a word for each cleared round, which the chain keeps as well."""
    # What is kept for good at the first use is no history.
    new_replay(tiny_day().market.deployment).run(quiet_rounds(50))
    held = []
    for rounds in (50, 300):
        tracemalloc.start()
        books = new_replay(tiny_day().market.deployment).run(quiet_rounds(rounds))
        # Of the model alone: threads of other tests hold memory meanwhile, too.
        taken = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/ledger/audit/*")])
        held.append(sum(one.size for one in taken.traces))
        tracemalloc.stop()
        assert books.events == rounds * (BIDS + 2) + 2
        # The deposit that no token moved for.
        assert {(finding.rule, finding.block) for finding in books.findings} == {("INV-1", 1)}
    assert held[1] - held[0] < 250 * 400, held
