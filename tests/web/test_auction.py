"""The page's clearing rule against the ledger's: two programs, in two languages, written from one text."""

import json
import subprocess
from pathlib import Path
from random import Random
from typing import Any

from ledger.auction import clearing_of, filled_units, with_prefixes
from ledger.model import Clearing, Kind, Margin, Order
from ledger.prices import TICK_MAX, TICK_MIN, price_micro

MODULE = Path(__file__).parents[2] / "api/web/auction.js"
BOOKS = 300
# The page's rule as a filter: books in, clearings with fills, prefixes and prices out.
RUN = """
import { readFileSync } from "node:fs";
const source = readFileSync(process.argv[1]).toString("base64");
const { clear, filled, prefixes, priceMicro } = await import(`data:text/javascript;base64,${source}`);
const books = JSON.parse(readFileSync(0));
console.log(JSON.stringify({
  books: books.map((orders) => {
    const clearing = clear(orders);
    return { clearing, fills: orders.map((order) => filled(order, clearing)), prefixes: prefixes(orders) };
  }),
  prices: Array.from({ length: 1023 }, (_, tick) => priceMicro(tick + 1, 5)),
}));
"""


def book(random: Random) -> list[Order]:
    """A book of one of several characters: dense at few ticks, wide, one-sided, huge amounts, or empty."""
    low, high = random.choice(((500, 501), (500, 501), (498, 503), (400, 600), (TICK_MIN, TICK_MAX), (127, 130)))
    most = random.choice((3, 9, 50, 2**31))
    kinds = random.choice((list(Kind), list(Kind), list(Kind), [Kind.BID], [Kind.ASK, Kind.OFFER]))
    count = random.randint(0, 40)
    orders = [Order(random.choice(kinds), random.randint(low, high), random.randint(1, most)) for _ in range(count)]
    return with_prefixes(orders)


def margin(found: Margin | None) -> Any:
    return found and {"tick": found.tick, "filled": found.filled_units, "standing": found.standing_units}


def expected(orders: list[Order]) -> Any:
    found: Clearing = clearing_of(orders)
    sides = {"bid": margin(found.bid), "ask": margin(found.ask)}
    return {
        "clearing": {"units": found.units, "price_tick": found.price_tick, **sides},
        "fills": [filled_units(order, found) for order in orders],
        "prefixes": [order.prefix for order in orders],
    }


def test_page_clears_every_book_as_the_ledger_does() -> None:
    books = [book(Random(seed)) for seed in range(BOOKS)]
    plain = [
        [{"kind": o.kind.name.lower(), "tick": o.tick, "units": o.units, "prefix": o.prefix} for o in orders]
        for orders in books
    ]
    command = ["node", "--input-type=module", "-e", RUN, str(MODULE)]
    said = subprocess.run(command, input=json.dumps(plain), capture_output=True, text=True, check=True, timeout=60)
    found = json.loads(said.stdout)
    for seed, (orders, answer) in enumerate(zip(books, found["books"], strict=True)):
        assert answer == expected(orders), f"seed {seed}"
    assert any(answer["clearing"]["units"] for answer in found["books"])
    assert found["prices"] == [price_micro(tick, 5) for tick in range(TICK_MIN, TICK_MAX + 1)]


def test_rule_is_short_enough_to_read_and_stands_alone() -> None:
    lines = [
        line for line in MODULE.read_text().splitlines() if line.strip() and not line.lstrip().startswith(("//", "/*"))
    ]
    assert len(lines) <= 60
    assert not any(line.startswith("import") for line in lines)
