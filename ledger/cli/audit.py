"""`compute-ledger audit`: proves the whole history of a market, trusting nobody."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ledger.artifacts import load_deployment
from ledger.audit.export import exporting, write_balances
from ledger.audit.run import Report, Watch, run_audit
from ledger.audit.stored import Stored
from ledger.chain import connect
from ledger.cli.session import Reading, Session, in_session
from ledger.store.audit_rows import snapshot
from ledger.store.engine import open_store
from ledger.view import View

FAULTY = 4
"""Exit code: something is not as it must be."""
_SHOWN_MAX = 100


@click.command(cls=Reading)
@click.option("--from-rpc", metavar="URL", help="Ask this node, not the one of the settings.")
@click.option("--block", type=click.IntRange(0), help="Up to this block; by default the latest.")
@click.option("--block-hash", metavar="HASH", help="Its hash, from a source you trust: it must be the audited block's.")
@click.option("--database", is_flag=True, help="Hold the index's tables against the proven history as well.")
@click.option("--export", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write all accounts here.")
@in_session
def audit(
    session: Session,
    from_rpc: str | None,
    block: int | None,
    block_hash: str | None,
    database: bool,
    folder: Path | None,
) -> None:
    """Prove all that ever happened in the market: every block, event, price, fill, balance and invariant.

    Needs the deployment manifest and a node that keeps old states; believes neither the node nor the database. That the
    chain itself is the true one only a block hash from elsewhere can tell. Exit code 4 where something is wrong: each
    finding says in which block, transaction and log.
    """
    settings = session.settings
    chain = connect(from_rpc, settings.chain_id, settings.rpc_timeout_s) if from_rpc else session.chain
    view = View(chain, load_deployment(settings.manifest))
    began = time.monotonic()
    with ExitStack() as stack:
        stored = None
        if database:
            store = open_store(settings.database)
            stack.callback(store.close)
            stored = Stored(view, stack.enter_context(snapshot(store)))
            block = stored.block_to_audit(block)
        exporter = stack.enter_context(exporting(folder)) if folder is not None else None
        with _watched() as watch:
            report, books = run_audit(view, block, watch, exporter.take if exporter else None, stored, block_hash)
    if folder is not None:
        write_balances(folder, books)
    if session.as_json:
        session.console.document(report.json())
    else:
        _show(report, time.monotonic() - began, folder)
    if not report.clean:
        raise click.exceptions.Exit(FAULTY)


@contextmanager
def _watched() -> Iterator[Watch]:
    """A progress bar with the rate and the time left, on standard error, where somebody looks."""
    rate = TextColumn("{task.fields[rate]:,}/s")
    columns = (TextColumn("{task.description:<17}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    terminal = Terminal(stderr=True)
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("Start", rate=0)
        step_now, began = "", time.monotonic()

        def watch(step: str, done: int, of: int) -> None:
            nonlocal step_now, began
            if step != step_now:
                step_now, began = step, time.monotonic()
                bar.reset(task)
            rate = round(done / max(time.monotonic() - began, 1e-3))
            bar.update(task, description=step, completed=done, total=of, rate=rate)

        yield watch


def _show(report: Report, took_s: float, folder: Path | None) -> None:
    terminal = Terminal(highlight=False)
    title = f"Blocks {report.first_block} to {report.block} of chain {report.chain_id}"
    table = Table(title=title, title_justify="left")
    table.add_column("invariant", no_wrap=True)
    table.add_column("says")
    table.add_column("reads", justify="right")
    table.add_column("findings", justify="right")
    for row in report.json()["checks"]:
        found = row["findings"]
        style = "bold red" if found else ""
        table.add_row(row["invariant"], row["says"], f"{row['reads']:,}", Text(str(found or "none"), style=style))
    terminal.print(table)
    terminal.print(
        f"{report.events:,} events in {report.transactions:,} transactions, {report.receipts:,} receipts under the "
        f"headers' roots, {report.words_proven:,} storage words proven, {report.reads:,} reads compared.",
        soft_wrap=True,
    )
    if report.states_gone:
        terminal.print(
            f"The node keeps the state of {report.states_gone:,} blocks with events no longer: what code stood there is"
            " not proven. A node with its archive can tell."
        )
    if report.acts_unseen:
        terminal.print(f"{report.acts_unseen:,} orders or payments were acts of contracts: only code can say why.")
    terminal.print(
        f"Block hash {report.block_hash}: compare this block hash with a source you trust.\n"
        f"Root of history and books {report.root}",
        soft_wrap=True,
    )
    if folder is not None:
        terminal.print(f"Lines and balances are in {folder}.", soft_wrap=True)
    for finding in report.findings[:_SHOWN_MAX]:
        terminal.print(Text(f"✗ {finding}", style="red"), soft_wrap=True)
    if len(report.findings) > _SHOWN_MAX:
        terminal.print(f"… and {len(report.findings) - _SHOWN_MAX:,} more: --json has them all.")
    verdict = f"{len(report.findings):,} findings" if report.findings else "Nothing is wrong"
    terminal.print(Text(f"{verdict}. Took {took_s:.1f} s.", style="bold red" if report.findings else "bold green"))
