"""What a failure is over HTTP: one problem document (RFC 9457), one status table, one handler."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ledger import (
    BadDeployment,
    BadJobs,
    BadKey,
    InputError,
    KeyReused,
    LedgerError,
    NodeRefused,
    NotIncluded,
    OrderNumberTaken,
    Reverted,
    Unavailable,
    UnknownIntent,
    UnknownName,
    WrongChain,
)

PROBLEM = "application/problem+json"
_EXACT_MAX = 2**53 - 1
FAULTS_MAX = 1_000
"""How many parts of a request are named that cannot be read: an answer is not to be many times the request."""


class Refused(LedgerError):
    """The API itself says no: with a status of its own, and headers that belong to it."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, problem: str, remedy: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem, remedy)
        self.headers = dict(headers or {})


class NotAuthenticated(Refused):
    """Nobody is named, or somebody that the API does not know."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, problem: str, remedy: str = "Send `Authorization: Bearer KEY` with a key that is good.") -> None:
        super().__init__(problem, remedy, {"WWW-Authenticate": "Bearer"})


class NotAllowed(Refused):
    """The caller is known, and may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotThere(Refused):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND


class Busy(Refused):
    """The same request is being answered just now."""

    status = HTTPStatus.CONFLICT


class LastKey(Refused):
    """Without this key nobody could reach what its account has. The admin ends it, and can make the account another."""

    status = HTTPStatus.CONFLICT


class Gone(Refused):
    """What a cursor stood on was replaced by another block."""

    status = HTTPStatus.GONE


class BadRequest(Refused):
    """A header or a cursor says nothing that could be meant."""


class TooMany(Refused):
    """More requests than one caller may make."""

    status = HTTPStatus.TOO_MANY_REQUESTS


class TooLarge(Refused):
    """A body that is longer than any that is meant."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class NotReady(Unavailable):
    """The history is not read yet."""

    def __init__(self) -> None:
        super().__init__("The history of the market is not read yet.", "Try again in a moment.")


# The first that fits: a class stands before its bases.
STATUSES: tuple[tuple[type[LedgerError], HTTPStatus], ...] = (
    (Reverted, HTTPStatus.CONFLICT),
    (UnknownIntent, HTTPStatus.NOT_FOUND),
    (UnknownName, HTTPStatus.UNPROCESSABLE_ENTITY),
    (OrderNumberTaken, HTTPStatus.CONFLICT),
    (KeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (BadKey, HTTPStatus.INTERNAL_SERVER_ERROR),
    (BadDeployment, HTTPStatus.SERVICE_UNAVAILABLE),
    (WrongChain, HTTPStatus.SERVICE_UNAVAILABLE),
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotIncluded, HTTPStatus.GATEWAY_TIMEOUT),
    (NodeRefused, HTTPStatus.BAD_GATEWAY),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Fault(BaseModel):
    """One part of a request that cannot be read: a JSON pointer into it, and why."""

    pointer: str = Field(examples=["/body/units"])
    detail: str = Field(examples=["Input should be greater than 0"])


class Problem(BaseModel):
    """Why something was not done, and what to do next (RFC 9457). `values` are the contract error's own, with numbers
    above 2^53 as texts; `shown` gives them with their units."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/problems/Treasury_InsufficientCash",
                    "title": "Treasury_InsufficientCash",
                    "status": 409,
                    "detail": "Treasury refused: InsufficientCash(owner=0x…, cash=1.00 USD, needed=2.40 USD).",
                    "remedy": "Deposit or approve more: 2.40 USD is needed, 1.00 USD is in reach.",
                    "contract_error": "Treasury_InsufficientCash",
                    "values": {"cash": 1_000_000, "needed": 2_400_000},
                    "shown": {"cash": "1.00 USD", "needed": "2.40 USD"},
                    "short_by_micro": "1400000",
                    "errors": [],
                    "request_id": "9f2c7a5e0b7d4d2b8e0f5f0c9d3b1a77",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    remedy: str
    contract_error: str | None = None
    values: dict[str, Any] = Field(default_factory=dict)
    shown: dict[str, str] = Field(default_factory=dict)
    short_by_micro: str | None = None
    errors: list[Fault] = Field(default_factory=list)
    request_id: str | None = None


def status_of(error: LedgerError) -> HTTPStatus:
    """The status that a failure has over HTTP."""
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem_of(error: LedgerError, errors: Sequence[Fault] = ()) -> Problem:
    """A failure as a document."""
    name = type(error).__name__
    facts: dict[str, Any] = {}
    if isinstance(error, Reverted):
        values = {key: plain(value) for key, value in error.values.items()}
        facts = {"contract_error": name, "values": values, "shown": error.shown, "short_by_micro": _short_by(error)}
    return Problem(
        type=f"/problems/{name}",
        title=name,
        status=status_of(error),
        detail=error.problem,
        remedy=error.remedy,
        errors=list(errors),
        request_id=correlation_id.get(),
        **facts,
    )


def _short_by(error: Reverted) -> str | None:
    cash, needed = error.values.get("cash"), error.values.get("needed")
    if isinstance(cash, int) and isinstance(needed, int) and needed > cash:
        return str(needed - cash)
    return None


def plain(value: Any) -> Any:
    """A value as JSON can carry it without loss: bytes in hex, numbers above 2^53 as texts."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -_EXACT_MAX <= value <= _EXACT_MAX else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def respond(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem as a response."""
    return JSONResponse(problem.model_dump(), problem.status, dict(headers or {}), media_type=PROBLEM)


def refuse(error: LedgerError) -> JSONResponse:
    """A failure as a response."""
    headers = error.headers if isinstance(error, Refused) else {}
    if isinstance(error, Unavailable):
        headers = {"Retry-After": "1"}
    return respond(problem_of(error, _cells(error)), headers)


def _cells(error: LedgerError) -> list[Fault]:
    """The cells of a table of jobs that cannot be read, or the first of them: a pointer to the line, from 1, and the
    column."""
    cells = error.cells[:FAULTS_MAX] if isinstance(error, BadJobs) else ()
    return [Fault(pointer=f"/jobs/{line}/{column}", detail=_one_line(why)) for line, column, why in cells]


async def _on_ledger_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LedgerError)
    return refuse(error)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    allowed = _methods(request)
    if allowed and request.method not in allowed:
        # /leases/build is no lease: what reads a path with a name in it took it for one.
        return await _on_http(request, HTTPException(HTTPStatus.METHOD_NOT_ALLOWED))
    faults = [
        Fault(pointer="/" + "/".join(map(str, one["loc"])), detail=_one_line(one["msg"]))
        for one in error.errors()[:FAULTS_MAX]
    ]
    first = faults[0] if faults else Fault(pointer="/", detail="it is none")
    refusal = InputError(
        f"The request cannot be read: {first.pointer}: {first.detail}.", "See `errors`, and /openapi.json."
    )
    return respond(problem_of(refusal, faults))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    problem = Problem(
        type="about:blank",
        title=status.phrase,
        status=status,
        detail=f"{status.phrase}: {status.description or 'nothing more is known'}.",
        remedy="See /openapi.json for what there is.",
        request_id=correlation_id.get(),
    )
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request)) or headers.get("Allow", "")
    return respond(problem, headers)


def _methods(request: Request) -> Sequence[str]:
    """What may be done at a path: the router names only what the first of its routes there takes."""
    described: Mapping[str, Mapping[str, Any]] = request.app.openapi()["paths"]
    path = request.url.path
    named = [path] if path in described else [one for one in described if _fits(one, path)]
    return sorted({method.upper() for one in named for method in described[one]})


def _fits(template: str, path: str) -> bool:
    wanted, given = template.split("/"), path.split("/")
    return len(wanted) == len(given) and all(a == b or a.startswith("{") for a, b in zip(wanted, given, strict=True))


async def _on_leaving(_: Request, __: Exception) -> JSONResponse:
    """Nobody reads this, and it is no fault of ours."""
    return refuse(BadRequest("The connection ended before the whole request had come.", "Send it again."))


async def _on_bug(_: Request, __: Exception) -> JSONResponse:
    refusal = LedgerError("The API failed at something of its own.", "Report it with the request id.")
    return respond(problem_of(refusal))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def install(app: FastAPI) -> None:
    """Makes every failure of the app a problem document."""
    app.add_exception_handler(LedgerError, _on_ledger_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(ClientDisconnect, _on_leaving)
    app.add_exception_handler(Exception, _on_bug)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of failures with these statuses."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {one: {"description": HTTPStatus(one).phrase, "content": {PROBLEM: schema}} for one in statuses}
