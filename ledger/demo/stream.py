"""The stream as a process of its own: `python -m ledger.demo.stream`, beside the keeper and the index."""

import os
import signal
import time
from collections.abc import Mapping
from threading import Event

import click

from ledger.artifacts import load_deployment
from ledger.chain import connect
from ledger.demo.live import Live
from ledger.errors import LedgerError, Unavailable
from ledger.keeping.relays import RelayDesk
from ledger.market import Market
from ledger.sending.sender import Sender
from ledger.settings import read_settings
from ledger.store.engine import open_store
from ledger.store.relay import RelayQueue

_POLL_S = 0.5
_REDEEM_EVERY, _DELIVER_EVERY, _REFILL_EVERY = 3, 4, 90


class Stream:
    """Round after round: orders are signed and queued for the keeper, leases are looked after."""

    def __init__(self, live: Live, desk: RelayDesk) -> None:
        self._live = live
        self._desk = desk
        self._last = 0

    def tick(self) -> bool:
        """Does what the current round asks for, once; gives whether there was anything."""
        live = self._live
        round_ = live.market.current_round()
        if round_ <= self._last:
            return False
        self._last = round_
        self._desk.accept(live.round(round_), int(time.time() * 1000))
        if round_ % _REDEEM_EVERY == 0:
            live.redeem(round_)
        if round_ % _DELIVER_EVERY == 0:
            live.deliver()
        if round_ % _REFILL_EVERY == 0:
            live.refill()
        return True

    def run(self, stop: Event) -> None:
        """Until `stop` is set; what does not answer is asked again later."""
        while not stop.wait(_POLL_S):
            try:
                self.tick()
            except LedgerError as error:
                click.echo(error, err=True)


def main(environment: Mapping[str, str]) -> None:
    """Runs until it is told to end."""
    settings = read_settings(environment)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        try:
            chain = connect(settings.rpc_url.reveal(), settings.chain_id, settings.rpc_timeout_s)
            market = Market(chain, load_deployment(settings.manifest), Sender(chain))
            live = Live(market)
            live.furnish()
            Stream(live, RelayDesk(market, RelayQueue(open_store(settings.database)))).run(stop)
        except Unavailable as error:
            click.echo(error, err=True)
            stop.wait(1)


if __name__ == "__main__":
    main(os.environ)
