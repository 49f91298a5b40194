"""The demo: a market day on a local chain, watched while it runs, shown when it is over."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ledger.chain import Chain, connect, in_process_chain
from ledger.demo.board import accounts_table, day_record, show_day
from ledger.demo.day import Day
from ledger.demo.scenario import FULL, SMALL, Plan, plan_day
from ledger.demo.stage import Watch, accounts_needed, start_s
from ledger.errors import InputError, LedgerError
from ledger.node import DEVELOPMENT_MNEMONIC, local_node

CHAINS = ("anvil", "tester")
ROOT = Path(__file__).resolve().parents[2]
DATA_BESIDE = Path("..", "shared", "data")
"""Where the full data lie, seen from the checkout, if somebody has put them there."""

# 2026-01-21 00:00 UTC, when most of the list prices were taken.
START_HOUR = 20_474 * 24
# Blocks of some dozens of large transactions.
BLOCK_GAS = 10**10


@contextmanager
def played(plan: Plan, kind: str, terminal: Terminal) -> Iterator[tuple[Day, str]]:
    """A plan's day, played on a chain (one of CHAINS) that lives until the context ends; and the chain's JSON-RPC
    address, empty for one in this process. Raises InputError where the chain cannot be had."""
    with chain_of(kind, plan) as (chain, url):
        with watched(terminal) as watch:
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
@click.option("--stay", is_flag=True, hidden=True)
def main(chain: str, small: bool, data: Path | None, seed: int, as_json: bool, stay: bool) -> None:
    """Plays one market day: real providers' list prices against the jobs of a real cluster."""
    started = time.monotonic()
    # With --json, only the document goes to standard output.
    terminal = Terminal(highlight=False, stderr=as_json)
    if data is None and (ROOT / DATA_BESIDE).is_dir():
        data = (ROOT / DATA_BESIDE).resolve()
    try:
        plan = plan_day(START_HOUR, data, SMALL if small else FULL, seed)
        with played(plan, chain, terminal) as (day, url):
            if as_json:
                click.echo(json.dumps(day_record(day), indent=1))
            else:
                show_day(day, terminal)
            terminal.print(f"Took {time.monotonic() - started:.0f} s on {url or 'a chain in this process'}.")
            if stay:
                _stay(day, url, terminal)
            failed = bool(day.diary.findings)
    except LedgerError as error:
        terminal.print(f"[bold red]{error.problem}[/]\n{error.remedy}")
        sys.exit(2)
    sys.exit(1 if failed else 0)


def _stay(day: Day, url: str, terminal: Terminal) -> None:
    """Leaves the market running until Ctrl-C, with what it takes to use it printed."""
    # A process that a shell started in the background is told to ignore Ctrl-C: whoever sends it means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = ROOT / "run"
    day.market.deployment.write(folder / "deployment.json")
    phrase = folder / "mnemonic"
    phrase.touch(mode=0o600)
    phrase.write_text(DEVELOPMENT_MNEMONIC + "\n", encoding="utf-8")
    terminal.print("\n[bold]The market stays open until Ctrl-C.[/] Its JSON-RPC address, and how to reach it:\n")
    buyer = list(day.people).index(day.plan.buyers[0])
    variables = {"RPC_URL": url, "MNEMONIC_FILE": "run/mnemonic", "ACCOUNT": str(buyer)}
    for name, value in variables.items():
        terminal.print(f"  export COMPUTE_LEDGER_{name}={value}", soft_wrap=True)
    terminal.print("  .venv/bin/compute-ledger --help\n")
    terminal.print(accounts_table(day))
    # Whoever reads the last line may press Ctrl-C before it is over.
    try:
        terminal.print("Everybody knows these keys: use them nowhere else.")
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        terminal.print("Closed.")


if __name__ == "__main__":
    main()
