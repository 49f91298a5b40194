"""What became of leased jobs: exit code, log, files and meter readings, which the provider brings and the holder
fetches."""

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Annotated, Any

from fastapi import Path as InPath
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict, Field, ValidationError, field_validator

from api.auth import Work
from api.errors import NotAllowed, NotThere, problems
from api.limits import address_of
from api.nouns import Noun
from api.reads import answer
from api.routers.jobs import PRIVATE, RawBody, Someone, require_scope
from api.routers.leases import LeaseNumber
from api.schemas import Answer, Body, Shape
from api.services import Services
from ledger import (
    Domain,
    InputError,
    LeaseRow,
    MeterReading,
    Product,
    Reported,
    prove_reading,
    queries,
    reading_domain,
    result_faults,
)

router = Noun(prefix="/leases", tags=["results"], responses=problems(400, 401, 403, 404, 413, 422, 429, 503))

_FILES_MAX, _NAME_MAX = 1_000, 200
_READINGS_MAX = 20_000
_Word = Annotated[int, Field(ge=0, lt=2**64)]


class ReadingShape(Body):
    """What a site's meter read of one part of the window: thousandths of units delivered in it, and what the job used.
    Readings are numbered from 0 in the order of their times (seconds since the epoch)."""

    lease: int = Field(ge=1, lt=2**63)
    number: int = Field(ge=0, lt=2**32)
    from_s: int = Field(ge=0, lt=2**40)
    to_s: int = Field(ge=0, lt=2**40)
    delivered_milli: _Word
    wall_ms: _Word
    cpu_ms: _Word
    gpu_ms: _Word


class ResultShape(Body):
    """A result: at most 8 MiB. `log` is what the job wrote, cut where it was long; `files` are base64 by their relative
    names; `signatures` are the site's, one for each reading. Readings follow one another from the window's start
    without gap, end within it, and claim no more than the leased units."""

    model_config = ConfigDict(extra="forbid", str_max_length=None, allow_inf_nan=False)

    exit_code: int | None = Field(default=None, ge=-(2**31), lt=2**31, examples=[0])
    log: str = Field(default="", examples=["epoch 1: loss 2.31\n"])
    files: dict[str, str] = Field(default_factory=dict, max_length=_FILES_MAX, examples=[{"out/loss.txt": "Mi4zMQo="}])
    readings: list[ReadingShape] = Field(default_factory=list, max_length=_READINGS_MAX)
    signatures: list[Annotated[str, Field(pattern=r"^0x[0-9a-f]{130}$")]] = Field(
        default_factory=list, max_length=_READINGS_MAX
    )

    @field_validator("files")
    @classmethod
    def _names_stay_inside(cls, files: dict[str, str]) -> dict[str, str]:
        for name, content in files.items():
            if not is_plain_path(name):
                raise ValueError(f"{name[:40]!r} is no plain relative path")
            try:
                b64decode(content, validate=True)
            except (NotBase64, ValueError):
                raise ValueError(f"the content of {name[:40]!r} is not base64") from None
        return files


class ProvenShape(Shape):
    """A reading, and what proves it: `proof` leads from its leaf to `usage_root`, as OpenZeppelin's MerkleProof checks
    it; the leaf is keccak256 twice of abi.encode of the eight numbers. `usage_root` is the report's on chain, null
    before the report; the signature is the provider's (EIP-712, `Reading`, in the domain of the Delivery contract)."""

    reading: ReadingShape
    signature: str
    proof: list[str]
    readings: int = Field(description="how many there are")
    usage_root: str | None


class PutShape(Shape):
    """A result is kept until thirty days after its lease has ended; `first`: nothing was here before. There is room for
    8 MiB of one lease, and for 256 MiB of one provider."""

    lease: int
    bytes: int
    first: bool


_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": ResultShape.model_json_schema()}}}
}


def is_plain_path(name: str) -> bool:
    """Whether a name leads to a file below the folder that it is unpacked in, and can be shown."""
    good = 0 < len(name) <= _NAME_MAX and name.isprintable() and "\\" not in name
    return good and all(part not in ("", ".", "..") for part in name.split("/"))


@router.put("/{n}/result", summary="Bring a result, as the lease's provider", status_code=201, openapi_extra=_BODY)
def put_result(work: Work, caller: Someone, n: LeaseNumber, body: RawBody) -> PutShape:
    provider = require_scope(caller, "provider")
    with work.view() as view:
        lease, now_s = _lease(queries.lease(view.store, n), n), view.head.time_s
    if lease.provider != provider:
        raise NotAllowed(f"Lease {n} is provided by {lease.provider}, not by {provider}.", "Sign in as the provider.")
    result = read_result(body)
    check_readings(result, lease, reading_domain(work.deployment))
    kept = result.model_dump_json().encode()
    return PutShape(lease=n, bytes=len(kept), first=work.jobs.put_result(n, provider, kept, now_s))


@router.get(
    "/{n}/result",
    summary="A result, for the lease's holder and its provider",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": ResultShape.model_json_schema()}}}},
)
def read_result_of(work: Work, caller: Someone, n: LeaseNumber) -> Response:
    with work.view() as view:
        lease = _lease(queries.lease(view.store, n), n)
    if caller.address not in (lease.holder, lease.provider):
        raise NotAllowed(f"The result of lease {n} is its holder's and its provider's.", "Sign in as one of them.")
    return Response(_kept(work, n), media_type="application/json", headers=PRIVATE)


@router.get("/{n}/readings/{k}", summary="One meter reading of a lease, with its signature and proof")
def read_reading(
    work: Work,
    n: LeaseNumber,
    k: Annotated[int, InPath(ge=0, lt=_READINGS_MAX, examples=[0])],
    request: Request,
    response: Response,
) -> Answer[ProvenShape]:
    # The tree of a result's readings is made anew for each: of 20,000 that takes a second.
    with work.proofs.turn(address_of(request.scope)), work.view() as view:
        lease = _lease(queries.lease(view.store, n), n)
        # A provider may bring another result until the lease ends, between two blocks as well.
        response.headers["Cache-Control"] = "no-store"
        result = ResultShape.model_validate_json(_kept(work, n))
        if k >= len(result.readings):
            raise NotThere(f"Lease {n} has {len(result.readings)} readings.", "They are numbered from 0.")
        root = None if lease.usage_root is None else bytes.fromhex(lease.usage_root[2:])
        signatures = [bytes.fromhex(one[2:]) for one in result.signatures]
        proven = prove_reading(readings_of(result), signatures, k, root)
        return answer(
            view,
            ProvenShape.model_validate(
                proven.json() | {"readings": len(result.readings), "usage_root": lease.usage_root}
            ),
        )


def readings_of(result: ResultShape) -> list[MeterReading]:
    """The readings that a result brings. Raises OutOfRange for times that do not go forward."""
    return [MeterReading(**one.model_dump()) for one in result.readings]


def check_readings(result: ResultShape, lease: LeaseRow, domain: Domain) -> None:
    """Raises InputError unless the readings are the lease's, follow one another in its window without more than was
    leased, each signed by its provider, and are those of the report, where there is one: others could not be proven.
    What the report claims beyond them is the holder's to see and to dispute: such readings are kept."""
    product = Product.from_id(lease.product)
    root = None if lease.usage_root is None else bytes.fromhex(lease.usage_root[2:])
    known = Reported(lease.lease, lease.units, product.start_s, product.end_s, lease.provider, root=root)
    signatures = [bytes.fromhex(one[2:]) for one in result.signatures]
    faults = result_faults(known, readings_of(result), signatures, domain)
    if faults:
        more = f" {len(faults) - 3} more faults." if len(faults) > 3 else ""
        raise InputError(
            " ".join(faults[:3]) + more,
            f"Bring the signed readings of lease {lease.lease} that were reported, numbered from 0, without a gap.",
        )


def read_result(body: bytes) -> ResultShape:
    """What a body says, by a parser that a million brackets cannot exhaust. Raises RequestValidationError."""
    try:
        return ResultShape.model_validate_json(body, strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in faults]) from None


def _lease(row: LeaseRow | None, number: int) -> LeaseRow:
    if row is None:
        raise NotThere(f"There is no lease {number}.", "GET /leases lists them.")
    return row


def _kept(work: Services, number: int) -> bytes:
    kept = work.jobs.result(number)
    if kept is None:
        raise NotThere(f"Nobody has brought a result of lease {number}.", "Its provider brings it when the job ends.")
    return kept.body
