"""What leases run: documents, kept by their hash for those who must run them. The hash is public, on the chain; the
document is not."""

from typing import Annotated, Any

from eth_utils.crypto import keccak
from fastapi import Depends, Request, Response
from fastapi import Path as InPath
from pydantic import Field

from api.auth import Caller, Work, caller_of
from api.errors import BadRequest, NotAllowed, NotAuthenticated, NotThere, problems
from api.nouns import Noun
from api.schemas import Hash, Shape
from ledger import JobDocument, read_document

router = Noun(prefix="/jobs", tags=["jobs"], responses=problems(400, 401, 403, 404, 413, 422, 429, 503))

PRIVATE = {"Cache-Control": "private, no-store", "Content-Disposition": "attachment"}
"""What an answer says that is not for everybody: nobody on the way keeps it, and no browser shows it as a page."""
_EXAMPLE = JobDocument(("python3", "train.py"), {"SEED": "1"}, {"train.py": b"print(1)"}, ("out/*.txt",))
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_DOCUMENT: dict[str, Any] = {
    "type": "object",
    "description": "canonical: UTF-8, keys sorted, no spaces, at most 1 MiB; files in base64 by their relative names",
    "required": ["command", "environment", "files", "image", "results", "version"],
    "additionalProperties": False,
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "environment": _TEXTS,
        "files": _TEXTS,
        "image": {"type": "string"},
        "results": {"type": "array", "items": {"type": "string"}},
        "version": {"type": "integer", "const": 1},
    },
}
_CONTENT = {"application/json": {"schema": _DOCUMENT}}

InHash = Annotated[Hash, InPath(description="keccak-256 of the document's bytes: the lease's job_hash")]


class DocumentShape(Shape):
    """A document that its owner keeps here. One that no lease of the owner's refers to goes seven days after it came,
    an hour after it where the owner has nothing in the market, and sooner where all is full and others keep less; one
    that leases refer to, thirty days after the last of them has ended (in the chain's time)."""

    hash: str
    bytes: int
    stored_s: int = Field(description="the chain's time, seconds since the epoch")
    used: bool = Field(description="whether a lease of the owner's has this hash")


class PutShape(Shape):
    """A document is kept."""

    hash: str
    bytes: int
    new: bool


def someone_of(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
    """A caller whose account is known. Raises NotAuthenticated."""
    if caller.address is None:
        raise NotAuthenticated(
            "Only who is known may ask for what is private.", "Send an API key, or sign in with the wallet (/login)."
        )
    return caller


Someone = Annotated[Caller, Depends(someone_of)]


def require_scope(caller: Caller, scope: str) -> str:
    """The caller's address. Raises NotAllowed for a key without the scope; a wallet may do what its account may."""
    if caller.key is not None and scope not in caller.key.scopes:
        has = ", ".join(sorted(caller.key.scopes)) or "none"
        raise NotAllowed(f"This needs a key with scope {scope}; this one has {has}.", "Use a key that has it.")
    assert caller.address is not None
    return caller.address


# Who calls is known before anything of the body is read.
async def body_of(request: Request, _: Someone) -> bytes:
    """The request's body as it came."""
    return await request.body()


RawBody = Annotated[bytes, Depends(body_of)]


@router.get("", summary="The caller's documents")
def list_documents(work: Work, caller: Someone, response: Response) -> list[DocumentShape]:
    response.headers.update(PRIVATE)
    kept = work.jobs.documents_of(caller.address or "")
    return [DocumentShape(hash=one.hash, bytes=one.bytes, stored_s=one.stored_s, used=one.used) for one in kept]


@router.put(
    "/{hash}",
    summary="Keep a document for whoever will run it",
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": _CONTENT}},
)
def put_document(
    work: Work, caller: Someone, hash_: Annotated[InHash, InPath(alias="hash")], body: RawBody
) -> PutShape:
    owner = require_scope(caller, "buyer")
    found = "0x" + keccak(body).hex()
    if found != hash_:
        raise BadRequest(f"The document's hash is {found}, not {hash_}.", "Send the very bytes that were hashed.")
    read_document(body)
    with work.view() as view:
        now_s = view.head.time_s
    return PutShape(hash=found, bytes=len(body), new=work.jobs.put(found, owner, body, now_s))


@router.get(
    "/{hash}",
    summary="A document: for its owner, and for the provider of a lease that its owner redeemed with it",
    response_class=Response,
    responses={200: {"content": _CONTENT}},
)
def read_document_of(work: Work, caller: Someone, hash_: Annotated[InHash, InPath(alias="hash")]) -> Response:
    body = work.jobs.document(hash_, caller.address or "")
    if body is None:
        # Whether it is here at all is nobody's business. A lease that is a moment old may not be read yet.
        raise NotThere(f"There is no document {hash_} for {caller.address}.", "Ask again when the lease is in /leases.")
    return Response(body, media_type="application/json", headers=PRIVATE)


@router.delete("/{hash}", status_code=204, response_class=Response, summary="End a document of the caller's")
def end_document(work: Work, caller: Someone, hash_: Annotated[InHash, InPath(alias="hash")]) -> Response:
    if not work.jobs.drop(hash_, require_scope(caller, "buyer")):
        raise NotThere(f"The caller keeps no document {hash_} here.", "GET /jobs lists them.")
    return Response(status_code=204)
