"""`compute-ledger agent` and `measure`: what a provider runs beside its machines."""

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ledger.agent.agent import Agent, AgentWork
from ledger.agent.executor import Executor
from ledger.agent.jobstore import open_jobs
from ledger.agent.local import LocalExecutor
from ledger.agent.measure import TURNS, measure, sign_evidence
from ledger.agent.readings import (
    ProvenReading,
    Reported,
    prove_reading,
    read_proven,
    reading_domain,
    result_faults,
    verify_reading,
    window_faults,
)
from ledger.agent.setup import AgentLimits, AgentSetup, reading_of
from ledger.agent.slurm import SlurmExecutor
from ledger.artifacts import load_deployment
from ledger.cli.console import REFUSED
from ledger.cli.session import FILE, Reading, Session, in_session, stopping
from ledger.delivery import Delivery
from ledger.errors import InputError, KeyBusy, Unavailable, UnreadableText
from ledger.product import Product, class_name
from ledger.sending.fees import WEI_PER_GWEI, FeePolicy
from ledger.sending.sender import Sender
from ledger.settings import Secret
from ledger.store.agent import AgentBook, Stage
from ledger.store.engine import Store, open_store
from ledger.units import format_milli_units, format_time

_FOLDER = Path("run/agent")
_PATH = click.Path(path_type=Path)
_OF_EXECUTOR = {
    "slurm": ("slurm_conf", "partition"),
    "kubernetes": ("kubeconfig", "context", "namespace", "image"),
}
FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=_FOLDER,
    help="The agent's own: database, documents, runs.",
)


@click.group(invoke_without_command=True)
@click.option(
    "--site", "sites", type=click.IntRange(1), multiple=True, help="Whose leases are served; may be repeated."
)
@click.option(
    "--executor", type=click.Choice(["local", "slurm", "kubernetes"]), default="local", help="What runs jobs."
)
@click.option("--jobs", "place", help="Where documents come from and results go: the API's address, or a folder.")
@FOLDER
@click.option("--slurm-conf", type=_PATH, help="The cluster's slurm.conf.  [default: where Slurm looks]")
@click.option("--partition", help="Slurm's partition.  [default: the cluster's]")
@click.option("--kubeconfig", type=_PATH, help="Which cluster, and as whom.  [default: where kubectl looks]")
@click.option("--context", help="The kubeconfig's context.  [default: its current one]")
@click.option("--namespace", help="Kubernetes' namespace.  [default: default]")
@click.option("--image", help="Kubernetes' image for jobs that name none; without it they are not run.")
@click.option(
    "--cpus", type=click.IntRange(1), help="Processors that the site's leases share.  [default: all there are]"
)
@click.option("--memory", "memory_gb", type=click.IntRange(1), help="And memory, in GB.  [default: all there is]")
@click.option(
    "--gpus", type=click.IntRange(0), help="And GPUs; 0: jobs run without.  [default: each of the site's devices]"
)
@click.option("--reading", "reading_s", default=300, type=click.IntRange(1), help="Seconds of a meter reading.")
@click.option("--once", is_flag=True, help="Look once, and stop.")
@click.option("--json", "as_json", is_flag=True, help="A JSON document a line for each look that did something.")
@click.pass_context
def agent(ctx: click.Context, /, **said: Any) -> None:
    """Serve the leases of a site: fetch each job by its hash, run it in its window, meter it, report it.

    Needs the key of the site's provider. May be killed at any moment and started again: no job runs twice.
    """
    if ctx.invoked_subcommand is None:
        _serve(ctx.ensure_object(Session), **said)


def _serve(session: Session, **said: Any) -> None:
    session.as_json = said["as_json"]
    if not said["sites"] or not said["place"]:
        raise InputError("The agent needs a site and a store.", "Say --site N, and --jobs with a URL or a folder.")
    folder: Path = said["folder"]
    with _alone(folder, session.signer.address), _opened(folder) as store, stopping() as stop:
        fees = FeePolicy(cap_wei=session.settings.fee_cap_gwei * WEI_PER_GWEI)
        sender = Sender(session.chain, store, fees, session.settings.receipt_timeout_s)
        try:
            delivery = Delivery(session.chain, load_deployment(session.settings.manifest), sender)
            delivery.check()
            sender.resume(session.signer)
            jobs = open_jobs(said["place"], session.signer, session.chain.chain_id)
            executor, limits = _executor(said), _limits(said)
            agents = [
                Agent(AgentSetup(delivery, site, session.signer, AgentBook(store), executor, jobs, folder, limits))
                for site in dict.fromkeys(said["sites"])
            ]
            for one in agents:
                # What cannot be known is said now, and not when a lease's window begins.
                with suppress(Unavailable):
                    one.capacity()
            while True:
                for one in agents:
                    _look(session, one)
                if said["once"] or stop.wait(limits.pause_s):
                    break
        finally:
            sender.close()


def _limits(said: dict[str, Any]) -> AgentLimits:
    return AgentLimits(
        reading_s=said["reading_s"],
        cpus=said["cpus"] or 0,
        memory_bytes=(said["memory_gb"] or 0) * 10**9,
        gpus=said["gpus"],
    )


def _look(session: Session, one: Agent) -> None:
    """One look, told where somebody would want to know."""
    try:
        work = one.tick()
    except Unavailable as error:
        work = AgentWork(0, 0, {}, (str(error),))
    if session.as_json and (work.leases or work.troubles):
        click.echo(json.dumps(asdict(work) | {"site": one.site.site}))
    elif work.leases or work.troubles:
        leases = ", ".join(f"{count} {stage}" for stage, count in work.leases.items()) or "no lease under way"
        line = f"site {one.site.site} · block {work.block}, {format_time(work.time_s)} · {leases}"
        click.echo(" · ".join([line, *work.troubles]))


def _executor(said: dict[str, Any]) -> Executor:
    """What runs jobs, as it was said. Raises InputError for what another executor would need, and where the chosen one
    is not there."""
    for name, options in _OF_EXECUTOR.items():
        for option in options:
            if said[option] is not None and said["executor"] != name:
                raise InputError(
                    f"--{option.replace('_', '-')} is for {name}, and the executor is {said['executor']}.",
                    f"Say --executor {name}, or leave it out.",
                )
    if said["executor"] == "slurm":
        conf: Path | None = said["slurm_conf"]
        if conf is not None and not conf.is_file():
            raise InputError(f"There is no file {conf}.", "Name the cluster's slurm.conf, or leave --slurm-conf out.")
        return SlurmExecutor(said["partition"] or "", None if conf is None else conf.absolute())
    if said["executor"] == "kubernetes":
        # It takes a second to load, and few agents need it.
        from ledger.agent.kubernetes import KubernetesExecutor, connected  # noqa: PLC0415

        api = connected(said["kubeconfig"], said["context"] or "")
        return KubernetesExecutor(api, said["namespace"] or "default", said["image"] or "", min(said["sites"]))
    return LocalExecutor()


@contextmanager
def _alone(folder: Path, address: str) -> Iterator[None]:
    """One agent in a folder; the kernel ends the turn of one that is killed. Raises KeyBusy."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KeyBusy(address, f"Another agent in {folder}") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _opened(folder: Path) -> Iterator[Store]:
    store = open_store(Secret(f"sqlite:///{folder / 'agent.db'}"))
    try:
        yield store
    finally:
        store.close()


# ---- challenges


@agent.command(cls=Reading)
@FOLDER
@click.option("--lease", required=True, type=click.IntRange(1))
@click.option("--reading", "number", required=True, type=click.IntRange(0), help="Its number, from 0.")
@in_session
def prove(session: Session, folder: Path, lease: int, number: int) -> None:
    """Answer a challenge: a reading, its signature, and the proof that the report's root holds it."""
    with _opened(folder) as store:
        book = AgentBook(store)
        found = [one for one in book.find(lease) if one.stage is not Stage.FORGOTTEN]
        if not found:
            raise InputError(f"The agent in {folder} knows no lease {lease}.", "Name its folder with --folder.")
        rows = book.readings(found[0])
        proven = prove_reading([reading_of(row) for row in rows], [row.signature for row in rows], number)
    session.console.document(proven.json())


@agent.command(cls=Reading)
@click.argument("file", type=FILE)
@in_session
def check(session: Session, file: Path) -> None:
    """Check what `prove` or the API gave, in FILE, against the chain: a reading with its proof, or a lease's whole
    result, whose readings must also come to what the report claims."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        said = said.get("data", said) if isinstance(said, dict) else {}
        whole = isinstance(said.get("readings"), list)
        proven = _result_in(said) if whole else (read_proven(said),)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise UnreadableText("a proven reading", file.name, "it is no JSON", "what `agent prove` prints") from None
    first = proven[0].reading
    known, domain = _reported(session, first.lease), reading_domain(session.market.deployment)
    if whole:
        faults = result_faults(known, [one.reading for one in proven], [one.signature for one in proven], domain)
    else:
        faults = verify_reading(proven[0], known.root or b"", domain, known.provider)
        faults += window_faults(known, first)
    facts = {"lease": first.lease, "reading": None if whole else first.number, "provider": known.provider}
    facts |= {"readings": len(proven), "good": not faults}
    session.console.record("A meter reading", facts | {"faults": faults} if faults else facts)
    if faults:
        raise click.exceptions.Exit(REFUSED)


def _result_in(said: dict[str, Any]) -> tuple[ProvenReading, ...]:
    """The readings of a result. Raises UnreadableText."""
    signatures = said.get("signatures")
    if not isinstance(signatures, list) or not said["readings"] or len(signatures) != len(said["readings"]):
        raise UnreadableText(
            "a result", "FILE", "it has no reading, or not a signature for each", "what GET /leases/{n}/result gives"
        )
    pairs = zip(said["readings"], signatures, strict=True)
    return tuple(read_proven({"reading": one, "signature": mark, "proof": []}) for one, mark in pairs)


def _reported(session: Session, number: int) -> Reported:
    market = session.market
    lease, reports = (
        market.lease(number),
        [one for one in market.history() if one.name == "Reported" and one["lease"] == number],
    )
    if not reports:
        raise InputError(f"Lease {number} was not reported.", "Ask again when it was.")
    product, provider = Product.from_id(lease.product), market.site(lease.site).provider
    last = reports[-1]
    return Reported(
        number, lease.units, product.start_s, product.end_s, provider, last["deliveredMilli"], last["usageRoot"]
    )


# ---- measure


@click.command(name="measure", cls=Reading)
@click.option("--turns", default=TURNS, type=click.IntRange(2, 1_000), help="How often each is measured.")
@click.option("--evidence", type=click.Path(dir_okay=False, path_type=Path), help="Write the evidence to this file.")
@in_session
def measure_machine(session: Session, turns: int, evidence: Path | None) -> None:
    """Measure what this machine yields in standard units, for an auditor's `attest`; signed where a key is named."""
    if evidence is not None and not os.access(evidence.absolute().parent, os.W_OK):
        raise InputError(
            f"{evidence} cannot be written: {evidence.absolute().parent} is no folder of yours.", "Name another file."
        )
    watched = sys.stderr.isatty() and not session.as_json
    found = measure(turns, tell=lambda name: click.echo(f"measuring {name} …", err=True) if watched else None)
    facts: dict[str, Any] = {
        one.name: f"{one.value:,.4g} {one.unit} ± {one.spread_bp / 100:.1f} %" for one in found.figures
    }
    if session.as_json:
        facts = {"figures": [asdict(one) for one in found.figures], "machine": found.machine}
        facts["milli_units"] = {class_name(key): value for key, value in found.milli_units.items()}
    else:
        facts |= {class_name(key): f"{format_milli_units(value)}" for key, value in found.milli_units.items()}
        if not found.machine["quiet"]:
            share = f"{found.machine['share_bp'] / 100:.0f} %"
            facts["quiet"] = f"no: the benchmark had {share} of the time. Measure again while nothing else runs."
    facts["evidence_hash"] = found.evidence_hash
    if session.has_key:
        facts |= {"signer": session.signer.address, "signature": sign_evidence(found, session.signer)}
    if evidence is not None:
        evidence.write_bytes(found.evidence)
        facts["evidence"] = str(evidence)
    session.console.record("What this machine yields", facts)
