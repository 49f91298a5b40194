"""Jobs as requests say them, and the desk that plans them: for the routes of api/routers/dispatch.py."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from api.auth import Caller
from api.errors import NotAllowed
from api.schemas import Address, Body, usd
from api.services import Services, View
from ledger import (
    BadJobs,
    DispatchDesk,
    InputError,
    JobLine,
    JobSpec,
    class_name,
    job_of,
    read_job_lines,
)

JOBS_MAX = 2_000
"""How many jobs one request may bring."""

_Text = Annotated[str, Field(max_length=100)]
_HASH = re.compile(r"0x[0-9a-f]{64}")


class JobBody(Body):
    """A job, in words as in the CSV: all but `units` may be left out. It takes at most `units` at once (a gang: exactly
    so many, at one site) for `hours`, in hours from `earliest` to `deadline`, and pays at most `price`. Times are
    ISO 8601, 'tomorrow 14:00', '+6h', or a number of hours since the epoch; `job` is the hash of its document."""

    name: Annotated[str, Field(max_length=80)] = Field(default="", examples=["train"])
    class_: _Text = Field(default="", alias="class", examples=["AI_LARGE"])
    units: _Text | Annotated[int, Field(ge=1, lt=2**32)] = Field(examples=["8xH100"])
    hours: _Text | Annotated[int, Field(ge=1, le=10_000)] = Field(default="", examples=[4])
    earliest: _Text | Annotated[int, Field(ge=0, lt=2**32)] = Field(default="", examples=["2026-01-21 14:00"])
    deadline: _Text | Annotated[int, Field(ge=0, lt=2**32)] = Field(default="", examples=["+24h"])
    metro: _Text = Field(default="", examples=["Frankfurt"])
    latency_ms: _Text | Annotated[int, Field(ge=0, le=10_000)] = Field(default="", examples=[20])
    grade: _Text = Field(default="", examples=["STANDARD"])
    gang: bool = False
    price: _Text = Field(default="", examples=["3.20 USD/H100-hour"])
    job: _Text = Field(default="", examples=["0x" + "ab" * 32], description="a document's hash: PUT /jobs/{hash}")

    def cells(self) -> dict[str, str]:
        """The same as cells of the CSV."""
        said = {name: "" if value is None else str(value) for name, value in self.model_dump(by_alias=True).items()}
        for name, value in (("earliest", self.earliest), ("deadline", self.deadline)):
            said[name] = f"hour {value}" if isinstance(value, int) else value
        return said | {"gang": "yes" if self.gang else ""}


class JobsBody(Body):
    """Jobs, in a list or as a CSV (`compute-ledger dispatch example` prints one)."""

    model_config = Body.model_config | {"str_max_length": 2**20}

    jobs: list[JobBody] | None = Field(default=None, min_length=1, max_length=JOBS_MAX)
    csv: str | None = Field(
        default=None, min_length=1, examples=["name,units,hours,price\ntrain,8xH100,4h,3.20 USD/H100-hour\n"]
    )
    owner: Address | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Jobs that were read, with the hashes of their documents by position, and the positions of those that named no
    price and got a limit from list prices."""

    jobs: Sequence[JobSpec]
    hashes: Mapping[int, bytes]
    our_limits: frozenset[int] = frozenset()

    @property
    def most_micro(self) -> int:
        """What they may cost together at the most: each pays its limit for every hour of it."""
        return sum(job.unit_hours * job.limit_micro for job in self.jobs)


def owner_or_nobody(caller: Caller, body: JobsBody) -> str:
    """Whose money and units count: the caller's, else who is named, else nobody's. Raises NotAllowed."""
    if caller.address is not None and body.owner not in (None, caller.address):
        raise NotAllowed(f"The caller acts for {caller.address}, not for {body.owner}.", "Leave `owner` out.")
    return caller.address or body.owner or ""


def fingerprint_of(path: str, body: JobsBody) -> str:
    """The same for the same request: by its words, since what is relative in them is another hour soon."""
    return hashlib.sha256(json.dumps([path, body.model_dump(mode="json")], sort_keys=True).encode()).hexdigest()


def body_of(asked: Asked) -> dict[str, Any]:
    """The same jobs, said exactly: to be posted later, when what is relative would be another hour."""
    return {
        "jobs": [
            {
                "name": job.name,
                "class": class_name(job.class_id),
                "units": job.units,
                "hours": job.hours,
                "earliest": job.earliest_hour,
                "deadline": job.deadline_hour,
                "metro": str(job.metro) if job.metro else "",
                "latency_ms": format(Decimal(job.latency_max_us) / 1_000, "f") if job.latency_max_us else "",
                "grade": job.grade.name,
                "gang": job.gang,
                "price": f"{usd(job.limit_micro)} USD/unit-hour",
                "job": "0x" + asked.hashes[place].hex() if place in asked.hashes else "",
            }
            for place, job in enumerate(asked.jobs)
        ]
    }


def read_jobs(body: JobsBody, work: Services, now_s: int) -> Asked:
    """The jobs of a request; `now_s` is the chain's time. Raises InputError, and BadJobs with every cell that cannot be
    read: its line is the job's place, from 1, or the CSV's own."""
    if (body.jobs is None) == (body.csv is None):
        raise InputError("A dispatch has its jobs either in `jobs` or in `csv`.", "Give one of them.")
    if body.csv is not None:
        _require_few(body.csv.count("\n"))
        lines = read_job_lines(body.csv, work.areas, work.standard, now_s, _require_hash)
    else:
        lines = _of_list(body.jobs or [], work, now_s)
    if len(lines) > JOBS_MAX:
        raise _too_many(len(lines))
    hashes = {place: bytes.fromhex(one.job[2:]) for place, one in enumerate(lines) if one.job}
    ours = frozenset(place for place, one in enumerate(lines) if not one.own_limit)
    return Asked([one.spec for one in lines], hashes, ours)


def _require_few(lines: int) -> None:
    """Before any is read: 80,000 take seconds. Some may be empty, or say nothing."""
    if lines > 2 * JOBS_MAX:
        raise _too_many(lines)


def _too_many(jobs: int) -> InputError:
    return InputError(f"The dispatch has {jobs} jobs.", f"Send {JOBS_MAX} at a time at most.")


def _require_hash(text: str) -> None:
    if not _HASH.fullmatch(text):
        raise InputError(f"{text[:80]!r} is no document's hash.", "It is 0x and 64 hex digits: PUT /jobs/{hash}.")


def _of_list(jobs: Sequence[JobBody], work: Services, now_s: int) -> list[JobLine]:
    lines, bad = [], []
    names: dict[str, int] = {}
    for place, job in enumerate(jobs, 1):
        cells = job.cells()
        cells["name"] = cells["name"].strip() or f"job {place}"
        first = names.setdefault(cells["name"], place)
        if first != place:
            bad.append((place, "name", f"{cells['name']!r} is the name of job {first}"))
        try:
            lines.append(job_of(cells, work.areas, work.standard, now_s, place, _require_hash))
        except BadJobs as error:
            bad += error.cells
    if bad:
        raise BadJobs(bad)
    return lines


def desk_of(work: Services, view: View) -> DispatchDesk:
    """A desk on the market at one block."""
    return DispatchDesk(work.market, view.store, work.areas)
