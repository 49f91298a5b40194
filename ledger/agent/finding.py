"""The leases of a site, from the chain's own logs, what became of them, and what they come to on its machines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.abi import Call, Event
from ledger.agent.executor import Capacity
from ledger.delivery import Delivery
from ledger.errors import InputError, NodeRefused, Reverted
from ledger.model import Site
from ledger.product import ComputeClass, Product
from ledger.store.agent import AgentBook, LeaseWork, Stage
from ledger.units import format_units

BLOCKS_AT_ONCE = 2_000
_FINAL_AFTER_BLOCKS = 64
_VCPU_BYTES = 4 * 10**9
"""A unit of GENERAL has 4 GB of memory (ledger.standard)."""


@dataclass(frozen=True, slots=True)
class Share:
    """What units come to on a site: whole devices, processors, memory and GPUs; 0 where nothing is said."""

    devices: int
    cpus: int = 0
    memory_bytes: int = 0
    gpus: int = 0


def share_of(site: Site, units: int, have: Capacity, gpus: int | None = None) -> Share:
    """So many units of the site's class: for GENERAL processors with their memory. For all others the part that they
    are of what was attested: of the site's `gpus` (None: each of its devices is one) the whole ones, and of what the
    site's leases share besides at least a processor and a byte.

    Raises InputError where that is less than one GPU, since none can be cut: only a site whose jobs run without any
    (`gpus` is 0) serves such a lease."""
    if site.class_id == ComputeClass.GENERAL:
        return Share(units, units, units * _VCPU_BYTES)
    attested, count = max(site.attested_units, units), site.devices if gpus is None else gpus
    if count and units * count < attested:
        least = -(-attested // count)
        raise InputError(
            f"{format_units(units)} are less than one {site.device or 'device'} of site {site.site}, which counts "
            f"{format_units(least)}, and it has no part of one to give.",
            f"Redeem {format_units(least)} or more there, or at a site of smaller devices.",
        )
    return Share(
        devices=units * site.devices // attested,
        cpus=max(1, have.cpus * units // attested),
        memory_bytes=max(1, have.memory_bytes * units // attested),
        gpus=units * count // attested,
    )


def follow(delivery: Delivery, site: int, book: AgentBook, head: int) -> list[LeaseWork]:
    """Notes the site's leases up to block `head`. Blocks that are not final are read again each time; gives the leases
    that stood in them and do not any more."""
    cursor = book.cursor(site)
    first = delivery.deployment.block if cursor is None else cursor + 1
    found = [work for event in _redeemed(delivery, first, head) if (work := _work(event)).site == site]
    return book.follow(site, found, max(min(_final(delivery, head), head), first - 1))


def _redeemed(delivery: Delivery, first: int, last: int) -> Iterator[Event]:
    topic = delivery.chain.interface("Delivery").topic("Redeemed")
    address, at, size = delivery.address("Delivery"), first, BLOCKS_AT_ONCE
    while at <= last:
        try:
            logs = delivery.chain.logs([address], at, min(last, at + size - 1), [topic])
        except NodeRefused:
            if size == 1:
                raise
            # Nodes differ in how much they give at once.
            size = max(1, size // 4)
            continue
        yield from delivery.events(logs)
        at += size


def _work(event: Event) -> LeaseWork:
    start_s = Product.from_id(event["product"]).start_s
    return LeaseWork(
        lease=event["lease"],
        job_hash=event["jobHash"],
        site=event["site"],
        product=event["product"],
        holder=event["holder"],
        units=event["units"],
        block=event.block,
        from_s=start_s,
        at_s=start_s,
    )


# ---- what became of them

FORGOTTEN = "the chain forgot it"
_OPEN, _REPORTED, _DISPUTED = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Gone:
    """Why a lease is not to be served any more, and the stage of one whose run had begun: FORGOTTEN, GONE where its
    number is another lease's now, REPORTED where the chain has it and its result is still to be brought."""

    stage: Stage
    why: str


def gone(delivery: Delivery, works: Sequence[LeaseWork]) -> dict[int, Gone]:
    """Which of these leases are not to be served any more, by their numbers; one request for all of them.

    One that was given up, disputed, or has ended otherwise is gone. One that its provider reported by hand in
    mid-window is served on where its run has begun, since its holder has paid for the whole window."""
    calls = [delivery.call("Delivery", "leaseOf", work.lease) for work in works]
    try:
        said: Sequence[Any] = delivery.chain.call_many(calls)
    except Reverted:
        said = [_lease_or_none(delivery, call) for call in calls]
    found = {work.lease: _gone(work, one) for work, one in zip(works, said, strict=True)}
    return {lease: one for lease, one in found.items() if one is not None}


def _lease_or_none(delivery: Delivery, call: Call) -> Any:
    try:
        return delivery.chain.call(call)
    except Reverted:
        return None


def _gone(work: LeaseWork, said: Mapping[str, Any] | None) -> Gone | None:
    if said is None:
        return Gone(Stage.FORGOTTEN, FORGOTTEN)
    now = (said["site"], said["product"], said["units"], said["holder"])
    if now != (work.site, work.product, work.units, work.holder):
        return Gone(Stage.GONE, "another lease has its number")
    if said["aborted"]:
        return Gone(Stage.REPORTED, "it was given up")
    state = said["state"]
    if state == _OPEN or (state == _REPORTED and work.started_s is not None):
        return None
    names = {_REPORTED: "it is reported already", _DISPUTED: "it is disputed"}
    return Gone(Stage.REPORTED, names.get(state, "it has ended"))


def _final(delivery: Delivery, head: int) -> int:
    try:
        return delivery.chain.block("finalized").number
    except (NodeRefused, InputError):
        return head - _FINAL_AFTER_BLOCKS
