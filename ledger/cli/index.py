"""`compute-ledger index`: reads the market's history off the node into the database."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event as Flag

import click
from rich.console import Console as Terminal
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ledger.cli.session import Reading, Session, in_session
from ledger.history.index import Block, Change, Finalized, Index, Reorg
from ledger.store.engine import open_store


@click.command(cls=Reading)
@click.option("--follow", is_flag=True, help="Go on with every new block, until it is stopped.")
@click.option("--rebuild", is_flag=True, help="Forget what is there, and start from the market's first block.")
@click.option("--pause", "pause_s", type=click.FloatRange(0), default=1, show_default=True, help="Between two looks.")
@in_session
def index(session: Session, follow: bool, rebuild: bool, pause_s: float) -> None:
    """Keep the history: all events of the market, and what follows from them.

    Run it again to go on where it stopped. It stops aloud where the node contradicts what was final.
    """
    store = open_store(session.settings.database)
    try:
        found = Index(session.market, store)
        if rebuild:
            found.rebuild()
        began, before = time.monotonic(), found.head.events
        with _progress(found) as seen:
            for change in found.advance():
                seen(change)
        took_s = time.monotonic() - began
        head = found.head
        facts = {
            "block": head.block,
            "final block": head.finalized,
            "events": head.events,
            "new events": head.events - before,
            "events a second": round((head.events - before) / took_s) if took_s else 0,
        }
        session.console.record("The history", facts)
        if follow:
            _follow(found, pause_s)
    finally:
        store.close()


def _follow(found: Index, pause_s: float) -> None:
    stop = Flag()
    try:
        for change in found.follow(stop, pause_s):
            line = _line(change)
            if line:
                click.echo(line, err=True)
    except KeyboardInterrupt:
        stop.set()


def _line(change: Change) -> str:
    match change:
        case Block(number, _, _, events):
            return f"block {number}: {events} events" if events else ""
        case Reorg(number, last):
            return f"blocks {number + 1} to {last} were replaced"
        case Finalized(number):
            return f"final up to block {number}"


class _Seen:
    """Moves the bar on: blocks done of all, events a second, time left."""

    def __init__(self, found: Index, bar: Progress) -> None:
        self._found, self._bar = found, bar
        self._first = found.head.block
        self._events, self._began = 0, time.monotonic()
        self._task = bar.add_task("Reading", total=None, rate=0)

    def __call__(self, change: Change) -> None:
        if isinstance(change, Block):
            self._events += change.events
            rate = self._events / max(time.monotonic() - self._began, 1e-3)
            done, total = change.number - self._first, self._found.head.head - self._first
            self._bar.update(self._task, completed=done, total=total, rate=round(rate))


@contextmanager
def _progress(found: Index) -> Iterator[_Seen]:
    rate = TextColumn("{task.fields[rate]:,} events/s")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as bar:
        yield _Seen(found, bar)
