"""The demo: a market day on a local chain, watched while it runs, shown when it is over."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ledger.board import show_day
from ledger.chain import Chain, connect, in_process_chain
from ledger.day import Day, Watch, accounts_needed, start_s
from ledger.errors import InputError, LedgerError
from ledger.node import local_node
from ledger.scenario import FULL, SMALL, Plan, plan_day

CHAINS = ("anvil", "tester")
ROOT = Path(__file__).resolve().parent.parent
DATA_BESIDE = Path("..", "shared", "data")
"""Where the full data lie, seen from the checkout, if somebody has put them there."""

# 2026-01-21 00:00 UTC, when most of the list prices were taken.
START_HOUR = 20_474 * 24
# Blocks of some dozens of large transactions.
BLOCK_GAS = 10**10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run: on which of CHAINS, on the data in which folder (None: the package's own), how much, which seed."""

    chain: str = "anvil"
    data: Path | None = None
    small: bool = False
    seed: int = 1

    @property
    def plan(self) -> Plan:
        """Raises BadData."""
        return plan_day(START_HOUR, self.data, SMALL if self.small else FULL, self.seed)


@contextmanager
def played(wanted: Wanted, terminal: Terminal) -> Iterator[tuple[Day, str]]:
    """A day that was played, on a chain that lives until the context ends; and the chain's JSON-RPC address, empty for
    one in this process. Raises InputError where the chain cannot be had."""
    plan = wanted.plan
    with chain_of(wanted.chain, plan) as (chain, url), watched(terminal) as watch:
        day = Day(chain, plan, watch)
        day.run()
        yield day, url


@contextmanager
def chain_of(kind: str, plan: Plan) -> Iterator[tuple[Chain, str]]:
    """A fresh local chain for a plan, and its address. Raises InputError."""
    accounts = accounts_needed(plan)
    if kind == "tester":
        yield in_process_chain(start_s(plan), accounts, BLOCK_GAS), ""
        return
    if kind not in CHAINS:
        raise InputError(f"There is no chain {kind!r}.", f"Choose one of {', '.join(CHAINS)}.")
    with local_node("--gas-limit", str(BLOCK_GAS), start_s=start_s(plan), accounts=accounts) as node:
        yield connect(node.url), node.url


@contextmanager
def watched(terminal: Terminal) -> Iterator[Watch]:
    """A progress bar, where somebody looks: nothing is drawn when the output is no terminal."""
    columns = (TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        task = progress.add_task("Start")

        def watch(step: str, done: int, of: int) -> None:
            progress.update(task, description=step, completed=done, total=of)

        yield watch


@click.command(context_settings={"max_content_width": 100})
@click.option(
    "--chain",
    type=click.Choice(CHAINS),
    default="anvil",
    show_default=True,
    help="anvil, a node of its own; or eth-tester, in this process and without node.",
)
@click.option("--small", is_flag=True, help="Fewer sites and bids: for slow chains and short patience.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with the full data files. Default: ../shared/data where that exists, else the cut in here.",
)
@click.option("--seed", default=1, show_default=True, help="Of the bids' limits: the same seed, the same day.")
@click.option("--json", "as_json", is_flag=True, help="The day's result as one JSON document.")
def main(chain: str, small: bool, data: Path | None, seed: int, as_json: bool) -> None:
    """Plays one market day: real providers' list prices against the jobs of a real cluster."""
    started = time.monotonic()
    terminal = Terminal(highlight=False, stderr=as_json)
    if data is None and (ROOT / DATA_BESIDE).is_dir():
        data = (ROOT / DATA_BESIDE).resolve()
    wanted = Wanted(chain, data, small, seed)
    try:
        with played(wanted, terminal) as (day, url):
            show_day(day, terminal)
            terminal.print(f"{time.monotonic() - started:.0f} s on {url or 'a chain in this process'}")
    except LedgerError as error:
        terminal.print(f"[bold red]{error.problem}[/] {error.remedy}")
        sys.exit(1)


if __name__ == "__main__":
    main()
