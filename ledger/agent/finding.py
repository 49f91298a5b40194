"""The leases of a site, from the chain's own logs, and what they come to on its machines."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.abi import Event
from ledger.delivery import Delivery
from ledger.errors import InputError, NodeRefused
from ledger.model import Site
from ledger.product import ComputeClass, Product
from ledger.store.agent import AgentBook, LeaseWork

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


def share_of(site: Site, units: int, cpus: int = 0, memory_bytes: int = 0) -> Share:
    """So many units of the site's class: for GENERAL processors with their memory. For all others the part that they
    are of what was attested: of the site's devices the whole ones (less than one is none: it would be everybody's), and
    of `cpus` and `memory_bytes`, which the site's leases share, at least one and a byte; 0 is what this machine has."""
    if site.class_id == ComputeClass.GENERAL:
        return Share(units, units, units * _VCPU_BYTES)
    attested = max(site.attested_units, units)
    cpus = cpus or len(os.sched_getaffinity(0))
    memory_bytes = memory_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    devices = units * site.devices // attested
    return Share(devices, max(1, cpus * units // attested), max(1, memory_bytes * units // attested), devices)


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


def _final(delivery: Delivery, head: int) -> int:
    try:
        return delivery.chain.block("finalized").number
    except (NodeRefused, InputError):
        return head - _FINAL_AFTER_BLOCKS
