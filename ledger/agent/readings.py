"""Meter readings: what a site says that it delivered, part by part of a lease's window, each signed by the site's key.

A report names the Merkle root of its readings. A reading's leaf is keccak256(keccak256(abi.encode(lease, number,
from_s, to_s, delivered_milli, wall_ms, cpu_ms, gpu_ms))), all as uint256; its signature is EIP-712, as `Reading`, in
the domain of the market's Delivery contract. Readings are numbered from 0 and follow one another without gap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eth_abi.abi import encode

from ledger.agent.merkle import is_proven, leaf_of, proof_of, root_of
from ledger.artifacts import Deployment
from ledger.eip712 import Domain, Struct
from ledger.errors import OutOfRange, UnreadableText
from ledger.keys import Signer, recover
from ledger.units import MILLI_PER_UNIT

_FIELDS = (
    ("lease", "uint64"),
    ("number", "uint32"),
    ("from_s", "uint40"),
    ("to_s", "uint40"),
    ("delivered_milli", "uint64"),
    ("wall_ms", "uint64"),
    ("cpu_ms", "uint64"),
    ("gpu_ms", "uint64"),
)
_READING = Struct("Reading", _FIELDS)
_NONE = bytes(32)
_EXAMPLE = "a reading as GET /leases/{n}/readings/{k} gives it"


@dataclass(frozen=True, slots=True)
class MeterReading:
    """From `from_s` until `to_s` (seconds since the epoch) the site delivered `delivered_milli`, in milli-units
    averaged over that time; the job ran for `wall_ms` of it and used so much time of processors and of GPUs. Raises
    OutOfRange."""

    lease: int
    number: int
    from_s: int
    to_s: int
    delivered_milli: int
    wall_ms: int = 0
    cpu_ms: int = 0
    gpu_ms: int = 0

    def __post_init__(self) -> None:
        for name, kind in _FIELDS:
            value, most = getattr(self, name), 2 ** int(kind.removeprefix("uint")) - 1
            if not 0 <= value <= most:
                raise OutOfRange(name, value, 0, most)
        if self.to_s <= self.from_s:
            raise OutOfRange("to_s", self.to_s, self.from_s + 1, 2**40 - 1)

    def json(self) -> dict[str, int]:
        """For files and the API; `read_reading` reads it."""
        return asdict(self)

    @property
    def leaf(self) -> bytes:
        """What stands for it in the tree."""
        return leaf_of(encode(["uint256"] * len(_FIELDS), [getattr(self, name) for name, _ in _FIELDS]))


@dataclass(frozen=True, slots=True)
class ProvenReading:
    """A reading, its site's signature, and what leads from it to the root that the report named."""

    reading: MeterReading
    signature: bytes
    proof: tuple[bytes, ...]

    def json(self) -> dict[str, Any]:
        """For files and the API; `read_proven` reads it."""
        return {
            "reading": self.reading.json(),
            "signature": "0x" + self.signature.hex(),
            "proof": ["0x" + one.hex() for one in self.proof],
        }


def read_reading(said: Mapping[str, Any]) -> MeterReading:
    """The reading that `MeterReading.json` wrote. Raises UnreadableText, OutOfRange."""
    values = [said.get(name) for name, _ in _FIELDS]
    if not all(type(value) is int for value in values):
        raise UnreadableText("a meter reading", str(said)[:80], "a number of it is missing", _EXAMPLE)
    return MeterReading(*[int(value) for value in values if value is not None])


def read_proven(said: Mapping[str, Any]) -> ProvenReading:
    """The proven reading that `ProvenReading.json` wrote. Raises UnreadableText, OutOfRange."""
    try:
        signature = bytes.fromhex(said["signature"].removeprefix("0x"))
        proof = tuple(bytes.fromhex(one.removeprefix("0x")) for one in said["proof"])
        return ProvenReading(read_reading(said["reading"]), signature, proof)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, (UnreadableText, OutOfRange)):
            raise
        raise UnreadableText("a proven reading", str(said)[:80], f"it lacks {error}", _EXAMPLE) from None


# ---- signed


def reading_domain(deployment: Deployment) -> Domain:
    """Where readings are good: one market's Delivery on one chain."""
    return Domain("Compute Ledger", "1", deployment.chain_id, deployment.address("Delivery"))


def sign_reading(reading: MeterReading, domain: Domain, signer: Signer) -> bytes:
    """The site's signature of a reading."""
    return signer.sign_digest(_READING.digest(reading.json(), domain))


def signer_of(reading: MeterReading, signature: bytes, domain: Domain) -> str | None:
    """The address whose key signed the reading; None where the signature is none."""
    return recover(_READING.digest(reading.json(), domain), signature)


# ---- proven


def usage_root(readings: Sequence[MeterReading]) -> bytes:
    """The root that a report of these readings names; 32 zero bytes for none."""
    return root_of([one.leaf for one in readings]) if readings else _NONE


def prove_reading(
    readings: Sequence[MeterReading], signatures: Sequence[bytes], number: int, root: bytes | None = None
) -> ProvenReading:
    """One of them with its proof. Raises InputError where there is none of that number, or the readings do not have
    the root that is expected."""
    leaves = [one.leaf for one in readings]
    proof = proof_of(leaves, number)
    if root is not None and not is_proven(leaves[number], proof, root):
        raise UnreadableText("the readings", f"reading {number}", "they do not have the root of the report", _EXAMPLE)
    return ProvenReading(readings[number], signatures[number], tuple(proof))


def verify_reading(proven: ProvenReading, root: bytes, domain: Domain, provider: str) -> list[str]:
    """What is wrong with a reading, held against the report's root and the site's provider: nothing, where it is
    good."""
    reading, faults = proven.reading, []
    name = f"Reading {reading.number} of lease {reading.lease}"
    if signer_of(reading, proven.signature, domain) != provider:
        faults.append(f"{name} is not signed by {provider}.")
    if not is_proven(reading.leaf, proven.proof, root):
        faults.append(f"{name} is not in the report whose root is 0x{root.hex()}.")
    return faults


def delivered_of(readings: Sequence[MeterReading], start_s: int, end_s: int) -> int:
    """What the readings come to: milli-units averaged over the whole window, rounded down. What none of them covers
    was not delivered."""
    total = sum(one.delivered_milli * (one.to_s - one.from_s) for one in readings)
    return total // (end_s - start_s)


def faults_of(readings: Sequence[MeterReading], lease: int, units: int, window_s: tuple[int, int]) -> list[str]:
    """What is wrong with a lease's readings as a whole: another lease's, a gap, a part twice, beyond the window, more
    than was leased or than time has passed. Nothing, where all is well."""
    faults, (at_s, end_s) = [], window_s
    for place, one in enumerate(readings):
        wrong = (
            (one.lease != lease, f"is of lease {one.lease}"),
            (one.number != place, f"has number {one.number}"),
            (one.from_s != at_s, f"begins at {one.from_s} and not at {at_s}"),
            (one.to_s > end_s, f"ends at {one.to_s}, after the window's end at {end_s}"),
            (
                one.delivered_milli > units * MILLI_PER_UNIT,
                f"claims {one.delivered_milli} milli-units of {units} units",
            ),
        )
        faults += [f"Reading {place} {why}." for is_wrong, why in wrong if is_wrong]
        at_s = one.to_s
    return faults


@dataclass(frozen=True, slots=True)
class Reported:
    """What the chain knows of a lease, to hold its readings against: its `units`, its window from `start_s` until
    `end_s`, its site's provider, and what was reported, None before that."""

    lease: int
    units: int
    start_s: int
    end_s: int
    provider: str
    delivered_milli: int | None = None
    root: bytes | None = None


def window_faults(reported: Reported, reading: MeterReading) -> list[str]:
    """What is wrong with one reading by itself: a time beyond the window, or more than was leased."""
    name, faults = f"Reading {reading.number} of lease {reading.lease}", []
    if reading.from_s < reported.start_s or reading.to_s > reported.end_s:
        faults.append(
            f"{name} is of {reading.from_s} to {reading.to_s}, the window of {reported.start_s} to {reported.end_s}."
        )
    if reading.delivered_milli > reported.units * MILLI_PER_UNIT:
        faults.append(f"{name} claims {reading.delivered_milli} milli-units of {reported.units} units.")
    return faults


def result_faults(
    reported: Reported, readings: Sequence[MeterReading], signatures: Sequence[bytes], domain: Domain
) -> list[str]:
    """What is wrong with all that was brought of a lease: as `faults_of`, a signature that is not the provider's, and
    readings that are not those of the report or do not come to what it claims. Signatures are looked at where the rest
    is well: readings that follow one another are no more than a window has seconds."""
    faults = faults_of(readings, reported.lease, reported.units, (reported.start_s, reported.end_s))
    if len(readings) != len(signatures):
        faults.append(f"There are {len(readings)} readings and {len(signatures)} signatures.")
    if reported.root is not None and (root := usage_root(readings)) != reported.root:
        faults.append(f"The readings have the root 0x{root.hex()}, the report 0x{reported.root.hex()}.")
    claimed, found = reported.delivered_milli, delivered_of(readings, reported.start_s, reported.end_s)
    if claimed is not None and claimed > found:
        faults.append(f"The report claims {claimed} milli-units, and its readings come to {found}.")
    return faults or [
        f"Reading {place} is not signed by {reported.provider}."
        for place, (one, signature) in enumerate(zip(readings, signatures, strict=True))
        if signer_of(one, signature, domain) != reported.provider
    ]
