"""`compute-ledger node`: the local chain that survives, in the foreground."""

import asyncio
import signal
from pathlib import Path

import click
import uvloop
from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledger.localchain.door import DEFAULTS, LIMITS, LocalChain, Running, chain_terms, serve
from ledger.localchain.journal import open_journal
from ledger.localchain.keptnode import ChainTerms
from ledger.localchain.scribe import Pace


@click.command()
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("run/chain"), show_default=True, help="Where it is kept."
)
@click.option("--port", type=click.IntRange(0, 65_535), default=8545, show_default=True, help="0: a free one.")
@click.option(
    "--heartbeat", type=click.FloatRange(0.05), default=2.0, show_default=True, help="Seconds between empty blocks."
)
@click.option(
    "--delay",
    type=click.IntRange(0, 10_000),
    default=20,
    show_default=True,
    help="Milliseconds from a transaction to its block.",
)
@click.option("--manual", is_flag=True, help="Make a block only when asked to (evm_mine).")
@click.option(
    "--accounts", type=click.IntRange(*LIMITS["accounts"]), help=f"Of a new chain; else {DEFAULTS['accounts']}."
)
@click.option(
    "--balance",
    type=click.IntRange(*LIMITS["balance"]),
    help=f"Each account's, in coins; else {DEFAULTS['balance']:,}.",
)
@click.option(
    "--start",
    "start_s",
    type=click.IntRange(*LIMITS["start_s"]),
    help="The first block's time, in seconds since the epoch; else now.",
)
def node(folder: Path, port: int, heartbeat: float, delay: int, manual: bool, **terms: int | None) -> None:
    """Run a local chain that survives whatever is killed.

    Its development accounts have keys that everybody knows: it is for trying things out, not for money.
    """
    pace = Pace(delay / 1000, None if manual else heartbeat, manual)
    journal = open_journal(folder / "journal")
    try:
        began = chain_terms(journal, **terms)
        with _bar() as bar:
            task = bar.add_task("Replaying", total=None)
            running = Running(
                lambda chain: _ready(chain, began, bar),
                lambda done, total: bar.update(task, completed=done, total=total),
            )

            async def run() -> None:
                current = asyncio.current_task()
                assert current is not None
                for one in (signal.SIGINT, signal.SIGTERM):
                    asyncio.get_running_loop().add_signal_handler(one, current.cancel)
                await serve(journal, began, port, pace, unsafe=False, running=running)

            try:
                uvloop.run(run())
            except asyncio.CancelledError:
                # Asked to end before it was ready: there is nothing to put away.
                return
    finally:
        journal.close()


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Terminal(stderr=True), transient=True)


def _ready(chain: LocalChain, terms: ChainTerms, bar: Progress) -> None:
    bar.stop()
    for notice in chain.notices:
        click.echo(notice, err=True)
    click.echo(f"{chain.url} serves chain {terms.chain_id}, kept in {chain.folder}; Ctrl-C stops it.")
