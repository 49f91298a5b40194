"""`compute-ledger dispatch` and `submit`: from a file of jobs to work that is placed, run and paid."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Any

import click

from ledger import datasets
from ledger.agent.document import JobDocument
from ledger.agent.readings import reading_domain
from ledger.cli.console import REFUSED
from ledger.cli.jobtext import EXAMPLE_TOML, DocumentFiles, document_of, job_of_file, text_of
from ledger.cli.placements import price_text, progress_bars, show_preview, show_state
from ledger.cli.session import CLASS, Reading, Session, in_session
from ledger.dispatch.campaign import Campaign, Campaigns
from ledger.dispatch.desk import DispatchDesk
from ledger.dispatch.documents import doubts, open_documents
from ledger.dispatch.jobfile import JobLine, example_csv, read_job_lines, trace_csv
from ledger.dispatch.preview import DispatchPreview
from ledger.dispatch.state import CampaignState
from ledger.dispatch.tiers import tier_report
from ledger.errors import InputError, Unavailable
from ledger.history.index import Index
from ledger.store.engine import IN_MEMORY, open_store
from ledger.store.queries import head
from ledger.store.records import LeaseRow
from ledger.units import format_usd

LAG_BLOCKS_MAX = 20
"""How far behind the node the database's history may be to be used; else the command reads the chain itself."""

_CATCH_UP_S = 3.0
_ACCEPT = "Agree at once with what sites report, which pays them; with --jobs only where their readings bear it out."
_TRACE_METROS = ("Frankfurt", "N. Virginia", "Tokyo", "London", "Singapore")


class OrFile(click.Group):
    """A group whose first word may also be a file, or an option of the command that takes one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] == "resume" and not Path(args[0]).exists():
            number = " ".join(args[1:]) or "N"
            raise InputError("To resume is an option.", f"Say `compute-ledger dispatch --resume {number}`.")
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=OrFile)
def dispatch() -> None:
    """Place jobs where they run cheapest: `dispatch JOBS.csv` buys, redeems and waits; `--preview` only shows it.

    Ctrl-C at any moment loses nothing: `dispatch --resume N` goes on.
    """


@dispatch.command(cls=Reading)
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--preview", is_flag=True, help="Show where each job would run and what it costs; send nothing.")
@click.option("--resume", type=int, help="Go on with dispatch N.")
@click.option("--jobs", "place", help="Where documents go: the API's address, or a folder that the sites see.")
@click.option("--idempotency-key", "key", help="A name of your own: given again, nothing is bought twice.")
@click.option("--accept", is_flag=True, help=_ACCEPT)
@click.option("--once", is_flag=True, help="Do what can be done now, and end.")
@click.option("--pause", "pause_s", type=click.FloatRange(0.1), default=2, show_default=True, help="Between looks.")
@in_session
def run(session: Session, /, file: Path | None, resume: int | None, **said: Any) -> None:
    """Dispatch the jobs of FILE, a CSV (`dispatch example` prints one)."""
    if (file is None) == (resume is None):
        raise InputError("The command names no jobs.", "Name a CSV of jobs, or say --resume N; `dispatch list` has N.")
    session.sends = not said["preview"]
    with _desk(session) as (desk, refresh):
        kept = Campaigns(desk, session.store, refresh)
        if file is None:
            _follow(session, kept.open(resume or 0), said)
            return
        documents = DocumentFiles(file.parent)
        now_s = session.market.chain.time_s()
        lines = read_job_lines(text_of(file), session.areas, session.standard, now_s, documents.of)
        specs, owner = [line.spec for line in lines], _owner(session)
        found = desk.preview(specs, owner)
        _require_possible(session, found, said["preview"], lines)
        if not said["preview"]:
            hashes = _brought(session, documents.by_place(lines), said["place"])
            _follow(session, kept.start(specs, owner, said["key"], hashes), said)


@dispatch.command(name="list", cls=Reading)
@in_session
def list_(session: Session) -> None:
    """Your dispatches, or everybody's without a key; the newest first."""
    with _desk(session) as (desk, _):
        kept = Campaigns(desk, session.store)
        rows = []
        for one in kept.list(session.signer.address if session.has_key else None):
            state = kept.open(one.number).state()
            wanted, done = (sum(getattr(job, name) for job in state.jobs) for name in ("wanted", "delivered"))
            rows.append((one.number, state.phase.value, len(state.jobs), wanted, done, one.owner, one.note))
    header = ("number", "phase", "jobs", "unit-hours", "delivered", "owner", "note")
    session.console.table(header, rows, "Dispatches")


@dispatch.command(cls=Reading)
@click.argument("number", type=int)
@in_session
def show(session: Session, number: int) -> None:
    """Where dispatch NUMBER stands, job by job."""
    with _desk(session) as (desk, _):
        show_state(session, Campaigns(desk, session.store).open(number).state())


@dispatch.command(cls=Reading)
@click.argument("number", type=int)
@in_session
def stop(session: Session, number: int) -> None:
    """Let dispatch NUMBER buy and redeem no more: what it holds is sold again, what runs takes its course."""
    session.sends = session.has_key
    with _desk(session) as (desk, refresh):
        campaign = Campaigns(desk, session.store, refresh).open(number)
        state = campaign.stop()
        if session.has_key and session.signer.address == state.owner:
            with suppress(Unavailable):
                state = campaign.advance(session.signer)
        show_state(session, state)
    if not state.ended:
        click.echo(f"`compute-ledger dispatch --resume {number}` sees it through.", err=True)


@dispatch.command()
@click.option("--trace", type=click.IntRange(1, 10_000), help="So many jobs of a real cluster's trace instead.")
def example(trace: int | None) -> None:
    """Print a CSV to start with."""
    now_s = int(time.time())
    if trace is None:
        click.echo(example_csv(now_s), nl=False)
        return
    jobs = datasets.jobs()
    clusters = sorted({job.cluster for job in jobs})
    metros = {name: _TRACE_METROS[place % len(_TRACE_METROS)] for place, name in enumerate(clusters)}
    click.echo(trace_csv(jobs, metros, now_s, trace), nl=False)


@dispatch.command(cls=Reading)
@click.option("--class", "class_id", type=CLASS, help="Only this class.")
@in_session
def tiers(session: Session, class_id: int | None) -> None:
    """Whether near costs at least what far does (METRO ≥ HUB ≥ WIDE), and what to relax where not."""
    with _desk(session) as (desk, _):
        report = tier_report(desk.history, session.market, session.areas, class_id)
    if session.as_json:
        pairs = [
            {
                "tight": p.tight.code,
                "loose": p.loose.code,
                "tight_micro": p.tight_micro,
                "loose_micro": p.loose_micro,
                "holds": p.holds,
            }
            for p in report.pairs
        ]
        relaxes = [
            {
                "site": r.site,
                "product": r.product,
                "tier": r.tier.name,
                "units": r.units,
                "buy_micro": r.buy_micro,
                "sell_micro": r.sell_micro,
                "profit_micro": r.profit_micro,
            }
            for r in report.relaxes
        ]
        session.console.document({"block": report.block, "holds": report.holds, "pairs": pairs, "relaxes": relaxes})
        return
    shown = [p for p in report.pairs if p.tight_micro is not None and p.loose_micro is not None]
    rows = [
        (p.tight.code, price_text(p.tight_micro), p.loose.tier.name, price_text(p.loose_micro), p.holds) for p in shown
    ]
    session.console.table(("product", "USD/H100h", "looser", "its USD/H100h", "holds"), rows, "Nested tiers")
    for one in report.relaxes:
        click.echo(one.title)


# Click fills each paragraph of a help anew that is not told to stay as it is.
_GAP, _KEPT_GAP = "\n\n", "\n\n\b\n"
_SUBMIT_HELP = f"""Run one job: FILE is a TOML text that says how much it takes (as the columns of `dispatch example`)
and, in its table [run], what it runs. For example:

\b
{indent(EXAMPLE_TOML, "  ").replace(_GAP, _KEPT_GAP)}"""


@click.command(cls=Reading, help=_SUBMIT_HELP)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--preview", is_flag=True, help="Show where it would run and what it costs; send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before buying.")
@click.option("--jobs", "place", help="Where the document goes: the API's address, or a folder that the sites see.")
@click.option("--results", type=click.Path(file_okay=False, path_type=Path), help="Where the results go.")
@click.option("--idempotency-key", "key", help="A name of your own: given again, nothing is bought twice.")
@click.option("--accept", is_flag=True, help=_ACCEPT)
@click.option("--pause", "pause_s", type=click.FloatRange(0.1), default=2, show_default=True, help="Between looks.")
@in_session
def submit(session: Session, /, file: Path, results: Path | None, yes: bool, **said: Any) -> None:
    """What the command `submit` does."""
    session.sends = not said["preview"]
    document = document_of(file)
    with _desk(session) as (desk, refresh):
        line = job_of_file(file, session.areas, session.standard, session.market.chain.time_s())
        owner = _owner(session)
        found = desk.preview([line.spec], owner)
        _require_possible(session, found, said["preview"], [line])
        if said["preview"]:
            return
        if not yes:
            click.confirm(f"Buy up to {format_usd(found.escrow_micro)}?", abort=True, err=True)
        hashes = _brought(session, {0: document}, said["place"])
        campaign = Campaigns(desk, session.store, refresh).start([line.spec], owner, said["key"], hashes)
        state = _follow(session, campaign, {**said, "once": False})
        _fetch(session, state, said["place"], results or file.parent / f"{file.stem}-results")


COMMANDS = (dispatch, submit)


# ---- what it stands on


@contextmanager
def _desk(session: Session) -> Iterator[tuple[DispatchDesk, Callable[[], None]]]:
    """A desk on the history: the database's where an index keeps it, else one that is read off the chain now."""
    market, own = session.market, None
    history, refresh = session.store, _catching_up(session)
    if _lag(session) > LAG_BLOCKS_MAX:
        own = history = open_store(IN_MEMORY)
        index = Index(market, own)

        def read_on() -> None:
            for _ in index.advance():
                pass

        read_on()
        refresh = read_on
    try:
        yield DispatchDesk(market, history, session.areas), refresh
    finally:
        if own is not None:
            own.close()


def _lag(session: Session) -> int:
    """By how many blocks the database's history of this market lies behind the node."""
    seen, latest = head(session.store), session.chain.block("latest").number
    place = (session.chain.chain_id, session.market.address("Exchange"))
    return latest if seen is None or (seen.chain_id, seen.exchange) != place else latest - seen.block


def _catching_up(session: Session) -> Callable[[], None]:
    """Waits a moment for the index to have what this command did."""

    def wait() -> None:
        latest, until = session.chain.block("latest").number, time.monotonic() + _CATCH_UP_S
        while time.monotonic() < until:
            seen = head(session.store)
            if seen is not None and seen.block >= latest:
                return
            time.sleep(0.1)

    return wait


def _owner(session: Session) -> str:
    return session.owner if session.acting_for or session.has_key else ""


# ---- documents and results


def _brought(session: Session, documents: Mapping[int, JobDocument], place: str | None) -> dict[int, bytes]:
    """Brings the documents to where the sites fetch them, before anything is bought; gives their hashes."""
    if not documents:
        return {}
    if place is None:
        raise InputError(
            "Nobody could fetch what is to be run.", "Name the API or a folder that the sites see: --jobs."
        )
    store = open_documents(place, session.signer, session.chain.chain_id)
    return {job: store.put(document.encode()) for job, document in documents.items()}


def _fetch(session: Session, state: CampaignState, place: str | None, folder: Path) -> None:
    """What came of each lease: shown, and written below `folder`."""
    if place is None:
        return
    store = open_documents(place, session.signer, session.chain.chain_id)
    for lease in (number for job in state.jobs for number in job.leases):
        try:
            found = store.result(lease)
        except InputError as error:
            click.echo(f"Lease {lease}: {error}", err=True)
            continue
        if found is None:
            click.echo(f"Lease {lease}: no result was brought.", err=True)
            continue
        written = found.write(folder / f"lease-{lease}", partial(click.echo, err=True))
        click.echo(
            f"Lease {lease}: exit code {found.exit_code}, {len(written)} files in {folder / f'lease-{lease}'}", err=True
        )
        click.echo(found.said, nl=False)


# ---- moving and showing


def _doubting(session: Session, place: str | None) -> Callable[[LeaseRow], bool]:
    """Whether something speaks against a report, told once a lease. Without a store nothing is known of readings."""
    if place is None:
        return lambda _: False
    store, domain = (
        open_documents(place, session.signer, session.chain.chain_id),
        reading_domain(session.market.deployment),
    )
    told: set[tuple[int, str]] = set()

    def doubted(row: LeaseRow) -> bool:
        faults = doubts(store, domain, row)
        if faults and (row.lease, faults[0]) not in told:
            told.add((row.lease, faults[0]))
            text = f"Lease {row.lease} is not accepted: {faults[0]}"
            click.echo(f"{text} `compute-ledger dispute` says so on chain.", err=True)
        return bool(faults)

    return doubted


def _follow(session: Session, campaign: Campaign, said: Mapping[str, Any]) -> CampaignState:
    """Advances until it has ended, with a bar for each stage; Ctrl-C leaves it as it stands."""
    state, doubted = campaign.state(), _doubting(session, said["place"])
    with progress_bars(session) as show_bars:
        try:
            while True:
                with suppress(Unavailable):
                    state = campaign.advance(session.signer)
                    if said["accept"]:
                        campaign.accept(session.signer, doubted)
                show_bars(state)
                if state.ended or said["once"]:
                    break
                time.sleep(said["pause_s"])
        except KeyboardInterrupt:
            click.echo(f"\nNothing is lost: `compute-ledger dispatch --resume {campaign.number}` goes on.", err=True)
            raise click.exceptions.Exit(130) from None
    show_state(session, state)
    return state


def _require_possible(session: Session, found: DispatchPreview, only_shown: bool, lines: Sequence[JobLine]) -> None:
    """Shows the preview; ends where something stops it, or nothing at all could be bought or used."""
    if only_shown or not session.as_json:
        show_preview(session, found, {place for place, line in enumerate(lines) if not line.own_limit})
    if found.refusals:
        for one in found.refusals:
            session.console.error(one)
        raise click.exceptions.Exit(REFUSED)
