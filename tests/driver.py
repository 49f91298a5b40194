"""A sender for drills to kill: bids and offers, each known by its key and by its units, as fast as is wanted, until it
is told to stop. Started again it goes on where the database says that it was.

python -m tests.driver URL FOLDER PRODUCT SITE
"""

import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from ledger.artifacts import load_deployment
from ledger.chain import connect
from ledger.errors import LedgerError, Reverted, Unavailable
from ledger.market import Market
from ledger.product import Product
from ledger.sending.drafts import Sent
from ledger.sending.sender import Sender
from ledger.settings import Secret
from ledger.store.engine import open_store
from tests.world import BUYER, PROVIDER

STOP, ACCEPTED, DATABASE = "stop", "accepted", "ledger.db"
UNITS_FIRST = 10
"""Bid `i` is of UNITS_FIRST + i units: so each is told from every other."""

OFFER_EVERY, OFFER_UNITS = 12, 700
_PAUSE_S = 0.04


def drive(url: str, folder: Path, product: Product, site: int) -> None:
    """Sends until there is a file STOP; every number whose bid was accepted is a line of ACCEPTED."""
    chain = connect(url)
    store = open_store(Secret(f"sqlite:///{folder / DATABASE}"))
    sender = Sender(chain, store, timeout_s=30)
    sender.resume(BUYER, PROVIDER)
    market, sents = Market(chain, load_deployment(folder / "deployment.json"), sender), list[Sent]()
    with (folder / ACCEPTED).open("a", encoding="utf-8") as accepted:
        for number in count():
            if (folder / STOP).exists():
                break
            sents += _sent(sender, market, product, site, number)
            accepted.write(f"{number}\n")
            accepted.flush()
            time.sleep(_PAUSE_S)
            with suppress(Unavailable):
                sender.advance()
    until_included(sender, sents)
    sender.close()
    store.close()


def _sent(sender: Sender, market: Market, product: Product, site: int, number: int) -> list[Sent]:
    """The bid of that number, and an offer with some: once they are kept, however often nobody answers."""
    bid = market.bid(product, UNITS_FIRST + number, tick=400).call, BUYER
    offer = market.offer(site, product, OFFER_UNITS, tick=390).call, PROVIDER
    calls = {f"bid {number}": bid} | ({} if number % OFFER_EVERY else {f"offer {number}": offer})
    while True:
        try:
            return sender.submit_many(list(calls.values()), list(calls))
        except Unavailable:
            time.sleep(0.2)


def until_included(sender: Sender, sents: list[Sent]) -> None:
    """Waits for the receipts, while the node may be away."""
    while True:
        try:
            sender.advance()
            sender.wait_all(sents)
            return
        except Reverted:
            raise
        except LedgerError:
            time.sleep(0.2)


if __name__ == "__main__":
    drive(sys.argv[1], Path(sys.argv[2]), Product.from_id(int(sys.argv[3])), int(sys.argv[4]))
