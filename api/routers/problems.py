"""What a problem's `type` points at: the same words for everybody, without anybody's values."""

from typing import Annotated

from fastapi import Path as InPath

from api import errors
from api.errors import NotThere, problems, status_of
from api.nouns import Noun
from api.schemas import Shape
from ledger import CONTRACT_ERRORS, InputError, LedgerError, Unavailable

router = Noun(prefix="/problems", tags=["problems"], responses=problems(404, 422, 429))


class KindShape(Shape):
    """One kind of failure: its status, what it means or what to do next (braces stand for its values), and whether the
    same request may succeed later."""

    title: str
    status: int
    says: str
    contract_error: bool
    retry: bool


@router.get("/{name}", summary="A kind of failure")
def read_kind(name: Annotated[str, InPath(max_length=80, examples=["Treasury_InsufficientCash"])]) -> KindShape:
    kind = _kinds().get(name)
    if kind is None:
        raise NotThere(f"There is no problem called {name[:80]}.", "`type` of a problem names one.")
    return KindShape(
        title=name,
        status=status_of(kind.__new__(kind)),
        says=" ".join((kind.__doc__ or "").split()),
        contract_error=name in CONTRACT_ERRORS,
        retry=issubclass(kind, Unavailable),
    )


def _kinds() -> dict[str, type[LedgerError]]:
    """Every kind that a problem can have, by its name."""
    found: dict[str, type[LedgerError]] = {}
    waiting: list[type[LedgerError]] = [LedgerError, InputError, errors.Refused]
    while waiting:
        kind = waiting.pop()
        found[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return found | dict(CONTRACT_ERRORS)
