"""The index's tables beside the proven history: every column of every row, so that any flipped byte is found and
located.

Events and blocks are compared as they are proven. The rows that follow from them are made once more from proven events,
by the index's own rules in memory, and compared when the end is reached; what those rules come to is held against the
independent model as well, so that a mistake that both databases share is found too. The old rows that are kept for
blocks that can still be replaced are made again as well, and the database's own list of tables, columns, indexes and
triggers is held against this program's.

Not covered: how far the node was (`head`), but that it is no less than the block; `finalized`, beyond the blocks and
old rows that must be there because of it; the parent of a final block where it was left out, which the index does; and
the tables that are no history (outbox, relay, sessions).
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from ledger.artifacts import load_artifacts
from ledger.audit.books import Finding, LeaseBook
from ledger.audit.headers import ProvenBlock
from ledger.audit.replay import Replay
from ledger.errors import InputError, LedgerError, StoreUnavailable
from ledger.history.logs import Decoder, Said
from ledger.history.rows import Fold
from ledger.store import audit_rows as stored_rows
from ledger.store.audit_rows import Readable, Texts
from ledger.store.catalogue import strange_parts
from ledger.view import View

Key = tuple[Any, ...]
Row = dict[str, Any]


class Scratch:
    """Rows of the state tables, in memory."""

    def __init__(self) -> None:
        self.tables: defaultdict[str, dict[Key, Row]] = defaultdict(dict)
        self.undo: dict[tuple[str, str, str], Row | None] = {}
        """Rows as they were before a block first changed them, by block, table and key."""
        self._journal: int | None = None

    def begin(self, block: int, final: bool) -> None:
        """What changes from now on changes in this block; unless it is final, old rows are kept."""
        self._journal = None if final else block

    def get(self, table: str, key: Key) -> Row | None:
        return self.tables[table].get(key)

    def change(self, table: str, key: Key, new: Row | None = None) -> Row | None:
        row = self.tables[table].get(key)
        if row is not None or new is not None:
            self._keep(table, key, row)
        if row is None and new is not None:
            row = self.tables[table][key] = new | dict(zip(stored_rows.keys_of(table), key, strict=True))
        return row

    def add(self, table: str, key: Key, row: Row) -> None:
        self._keep(table, key, None)
        row |= zip(stored_rows.keys_of(table), key, strict=True)
        self.tables[table][key] = row

    def _keep(self, table: str, key: Key, row: Row | None) -> None:
        if self._journal is not None:
            place = str(self._journal), table, json.dumps(key)
            self.undo.setdefault(place, None if row is None else _whole(table, row))


def _whole(table: str, row: Mapping[str, Any]) -> Row:
    """A row with all columns, of a table that exists, and as JSON gives it back."""
    names = [column.name for column in stored_rows.STATES[table].columns]
    found: Row = json.loads(json.dumps({name: row.get(name) for name in names}))
    return found


class Stored:
    """Compares one database, which must not change meanwhile: take a snapshot where somebody writes. Give it each
    proven block with `take`, then call `close` with the books."""

    def __init__(self, view: View, store: Readable) -> None:
        self._store = store
        deployment, artifacts = view.deployment, load_artifacts()
        addresses = {name: address for name, address in deployment.addresses.items() if name != "Token"}
        self._ours = frozenset(addresses.values())
        self._decoder = Decoder(addresses, {name: artifacts[name].abi for name in addresses})
        self._scratch = Scratch()
        self._fold = Fold(self._scratch, deployment.terms)
        self._events = self._rows(stored_rows.EVENTS)
        self._blocks = self._rows(stored_rows.BLOCKS)
        self._next: dict[str, Texts | None] = {}
        self._parent: str | None = None
        self._finalized: int | None = None
        self._last: ProvenBlock | None = None
        self._market = {"id": 1, "chain_id": deployment.chain_id, "exchange": deployment.address("Exchange")}
        self._count = 0
        self._note: Callable[[Finding], None] = lambda _: None

    def block_to_audit(self, block: int | None) -> int:
        """The block that the database stands at. Raises InputError for an empty one, or where another was asked for."""
        found = stored_rows.block_of(self._store)
        if found is None:
            raise InputError(
                "The database holds no history.", "Run compute-ledger index first, or leave --database out."
            )
        if block not in (None, found):
            raise InputError(f"The database stands at block {found}, not at {block}.", "Leave --block out.")
        return found

    def begin(self, note: Callable[[Finding], None]) -> None:
        """Where findings go; checks the file itself."""
        self._note = note
        for problem in stored_rows.integrity(self._store):
            note(Finding("STORED", "the database file", "whole", problem))
        try:
            for part, right, wrong in strange_parts(self._store):
                note(Finding("STORED", f"the database's {part}", right, wrong))
        except StoreUnavailable as error:
            note(Finding("STORED", "the database's catalogue", "compared", error.why))
        self._finalized = stored_rows.block_of(self._store, "finalized")

    # ---- what happened

    def take(self, block: ProvenBlock) -> None:
        """One proven block: its events and its row, then what follows from them."""
        place = {transaction: number for number, transaction in enumerate(block.acts)}
        said = []
        for entry in block.entries:
            if entry.address in self._ours:
                log = {
                    "address": entry.address,
                    "topics": ["0x" + topic.hex() for topic in entry.topics],
                    "data": "0x" + entry.data.hex(),
                    "blockNumber": hex(block.number),
                    "logIndex": hex(entry.log),
                    "transactionHash": entry.transaction,
                    "transactionIndex": hex(place.get(entry.transaction, 0)),
                }
                try:
                    said.append((self._decoder.read(log), entry))
                except LedgerError as error:
                    self._note(
                        Finding("STORED", "an event", "one to store", error.problem, block.number, None, entry.log)
                    )
        self._count += len(said)
        wanted = [_event(one, entry.topics, entry.data) for one, entry in said]
        self._match("events", self._events, stored_rows.EVENTS, block.number, wanted)
        row = {"block": block.number, "hash": "0x" + block.hash.hex(), "parent": self._parent, "time_s": block.time_s}
        final = self._finalized is None or block.number <= self._finalized
        self._match_block(row, bool(said) or not final or block.number == self._finalized, final)
        self._parent, self._last = str(row["hash"]), block
        self._scratch.begin(block.number, final)
        for one, _ in said:
            try:
                self._fold.apply(one, block.time_s)
            except (LedgerError, LookupError, ArithmeticError, ValueError) as error:
                where = f"rows that follow from {one.name}"
                self._note(Finding("STORED", where, "some", repr(error), block.number, one.transaction, one.log_index))

    def _match(self, name: str, rows: Iterator[Texts], table: Any, number: int, wanted: list[Row]) -> None:
        """Rows up to a block's end beside those wanted, by their place."""
        expected = {(one["block"], one["log_index"]): stored_rows.text_of(self._store, table, one) for one in wanted}
        keys = {(text["block"], text["log_index"]): place for place, text in expected.items()}
        for row in self._up_to(name, rows, number):
            place = keys.pop((row["block"], row["log_index"]), None)
            if place is None:
                self._note(Finding("STORED", "events: a row too many", "none", self._said(row["name"]), number))
            else:
                self._compare(name, expected[place], row, place)
        for number_, log in keys.values():
            self._note(Finding("STORED", "events: a row", "there", "missing", number_, None, log))

    def _match_block(self, row: Row, needed: bool, final: bool) -> None:
        number = int(row["block"])
        seen = False
        for found in self._up_to("blocks", self._blocks, number):
            expected = stored_rows.text_of(self._store, stored_rows.BLOCKS, row)
            # A block that was final when it was read has no parent there; the first one's is not known here.
            if (found["parent"] is None and final) or row["parent"] is None:
                expected["parent"] = found["parent"]
            seen = True
            self._compare("blocks", expected, found, (number, None))
        if needed and not seen:
            self._note(Finding("STORED", "blocks: a row", "there", "missing", number))

    def _up_to(self, name: str, rows: Iterator[Texts], number: int | None) -> Iterator[Texts]:
        """The rows that come next and are not after a block."""
        while True:
            row = self._next.pop(name, None) or next(rows, None)
            if row is None:
                return
            if number is not None and _number(self._said(row["block"])) > number:
                self._next[name] = row
                return
            yield row

    def _rows(self, table: Any) -> Iterator[Texts]:
        try:
            yield from stored_rows.stream(self._store, table)
        except LedgerError as error:
            self._note(Finding("STORED", f"table {table.name}", "readable", error.problem))

    # ---- what follows

    def close(self, books: Replay) -> None:
        """Everything that is left in the database beside everything that follows from the history."""
        for name, rows in (("events", self._events), ("blocks", self._blocks)):
            for row in self._up_to(name, rows, None):
                place = f"block {self._said(row['block'])}"
                self._note(Finding("STORED", f"{name}: a row too many", "none", place))
        for name, table in stored_rows.STATES.items():
            self._state(name, table)
        self._undo()
        self._model(books)
        for row in self._rows(stored_rows.HISTORY):
            self._history(row)

    def _history(self, found: Texts) -> None:
        """The one row that says how far it is read."""
        if self._last is None:
            return
        number, digest = self._last.number, "0x" + self._last.hash.hex()
        right = {"block": number, "hash": digest, "time_s": self._last.time_s, "events": self._count}
        for column, most, least in (("finalized", number, 0), ("head", None, number)):
            said = self._said(found[column])
            held = _number(said)
            if str(held) == said and held >= least and (most is None or held <= most):
                right[column] = held
            else:
                right[column] = number
        expected = stored_rows.text_of(self._store, stored_rows.HISTORY, self._market | right)
        self._compare("history", expected, found, (number, None))

    def _undo(self) -> None:
        """The old rows of what can still be replaced: a wrong one would come to light only after a reorganisation."""
        expected = dict(self._scratch.undo)
        for found in self._rows(stored_rows.UNDO):
            place = self._said(found["block"]), self._said(found["name"]), self._said(found["key"])
            where = f"undo: {' '.join(place)}"
            if place not in expected:
                self._note(Finding("STORED", where, "none", "a row too many"))
                continue
            key = dict(zip(("block", "name", "key"), (_number(place[0]), *place[1:]), strict=True))
            kinds = stored_rows.text_of(self._store, stored_rows.UNDO, key) | {"row": found["row"]}
            self._compare("undo", kinds, found, (_number(place[0]), None))
            right, wrong = expected.pop(place), self._old(found["row"])
            if wrong != right:
                self._note(Finding("STORED", where, str(right), str(wrong), _number(place[0])))
        for place in expected:
            self._note(Finding("STORED", f"undo: {' '.join(place)}", "there", "missing", _number(place[0])))

    def _old(self, text: str | None) -> object:
        if text is None:
            return None
        if text.startswith("blob:"):
            return text
        try:
            return json.loads(self._said(text))
        except ValueError:
            return self._said(text)

    def _state(self, name: str, table: Any) -> None:
        keys = stored_rows.keys_of(name)
        expected = {}
        for row in self._scratch.tables[name].values():
            text = stored_rows.text_of(self._store, table, row)
            expected[tuple(text[key] for key in keys)] = text, row
        for found in self._rows(table):
            pair = expected.pop(tuple(found[key] for key in keys), None)
            if pair is None:
                named = " ".join(self._said(found[key]) for key in keys)
                self._note(Finding("STORED", f"{name}: a row too many", "none", named))
            else:
                self._compare(name, pair[0], found, (pair[1]["block"], pair[1]["log_index"]))
        for _, row in expected.values():
            named = " ".join(str(row[key]) for key in keys)
            self._note(
                Finding("STORED", f"{name}: row {named}", "there", "missing", row["block"], None, row["log_index"])
            )

    def _compare(self, name: str, expected: Texts, found: Texts, place: tuple[int, int | None]) -> None:
        for column, text in expected.items():
            if found[column] != text:
                right, wrong = self._said(text), self._said(found[column])
                if right == wrong:
                    # The value is right and its kind is not: a number or a text that lies there as bytes.
                    right, wrong = str(text), str(found[column])
                self._note(Finding("STORED", f"{name}: {column}", right, wrong, place[0], None, place[1]))

    def _said(self, text: str | None) -> str:
        return stored_rows.shown(self._store, text)

    def _model(self, books: Replay) -> None:
        """What the index's rules came to, beside the independent model."""
        for rule, where, expected, actual, row in chain(_money(books, self._scratch), _duties(books, self._scratch)):
            if expected != actual:
                self._note(Finding(rule, f"index: {where}", expected, actual, row["block"], None, row["log_index"]))


Held = Iterator[tuple[str, str, object, object, Mapping[str, Any]]]


def _money(books: Replay, scratch: Scratch) -> Held:
    for (owner,), row in scratch.tables["cash"].items():
        right = books.cash[owner], books.epochs[owner]
        yield "INV-1", f"cash of {owner}", right, (row["free_micro"], row["epoch"]), row
    for (owner, product), row in scratch.tables["balances"].items():
        right = books.units[product, owner], books.held[product, owner]
        yield "INV-16", f"units of {owner} of {product:#x}", right, (row["units"], row["held_units"]), row
    for (product, round_), row in scratch.tables["clearings"].items():
        clearing = books.clearings.get(product | round_ << 88)
        price = (clearing.units, clearing.price_tick) if clearing else None
        yield "INV-6", f"round {round_} of {product:#x}", price, (row["units"], row["price_tick"]), row
    for (product,), row in scratch.tables["books"].items():
        terms = books.first_rounds.get(product), books.tick_sizes_micro.get(product), books.least_units.get(product)
        opened = (*terms, books.slot_counts[product], books.escrow[product])
        names = "first_round", "tick_size_micro", "min_units", "slots", "escrow_micro"
        yield "INV-5", f"book of {product:#x}", opened, tuple(row[name] for name in names), row


def _duties(books: Replay, scratch: Scratch) -> Held:
    for place, row in scratch.tables["obligations"].items():
        owed = books.owed.get((place[0], place[1]))
        right = (owed.units, owed.bond_micro) if owed else (0, 0)
        yield "INV-8", f"obligation {place}", right, (row["units"], row["bond_micro"]), row
    for (number,), row in scratch.tables["sites"].items():
        site = books.sites.get(number)
        record = (site.delivered, site.failed) if site else None
        yield "INV-15", f"site {number}", record, (row["delivered_milli_hours"], row["failed_milli_hours"]), row
    for (number,), row in scratch.tables["leases"].items():
        lease = books.leases.get(number)
        ended = None if lease is None else _ended(lease)
        yield "INV-8", f"lease {number}", ended, tuple(row[name] for name in _OF_LEASE), row


_OF_LEASE = (
    "product",
    "holder",
    "units",
    "reason",
    "held_micro",
    "deposit_micro",
    "to_provider_micro",
    "to_holder_micro",
)


def _ended(lease: LeaseBook) -> tuple[object, ...]:
    """As the index has it, in the order of _OF_LEASE."""
    paid = lease.to_provider_micro, lease.to_holder_micro
    return (lease.product.id, lease.holder, lease.units, lease.reason, lease.bond_micro, lease.deposit_micro, *paid)


def _event(said: Said, topics: tuple[bytes, ...], data: bytes) -> Row:
    named = said._asdict()
    del named["values"]
    return named | {"topics": b"".join(topics), "data": data}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else -1
