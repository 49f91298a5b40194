"""Where a list goes on: an opaque text that names the last row and the block it stood in, so that a reorganisation is
told (410) and never silently skips or repeats a row."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass

from api.errors import BadRequest, Gone
from ledger import Snapshot, past

_LENGTH_MAX = 512
_NUMBER_MAX, _WORD_MAX = 2**63, 2**256
_TOKENS = {"products": 1}
"""In which list which number is a token id: the only one that may be longer than the database's whole numbers."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row's `place` in a list called `name`, and a block that must still be there."""

    name: str
    block: int
    block_hash: str
    place: tuple[int, ...]

    def text(self) -> str:
        """As it stands in an answer. Numbers are texts in it: a product's id is longer than 53 bits."""
        parts = [self.name, self.block, self.block_hash, *map(str, self.place)]
        return urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(text: str | None, name: str, length: int) -> Cursor | None:
    """The cursor that `text` is, for the list of that name; None without one. Raises BadRequest for a text that this
    list never gave."""
    if not text:
        return None
    try:
        if len(text) > _LENGTH_MAX:
            raise ValueError
        named, block, block_hash, *place = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        limits = [_WORD_MAX if _TOKENS.get(name) == at else _NUMBER_MAX for at in range(len(place))]
        numbers = tuple(_number(int(str(one)), limit) for one, limit in zip(place, limits, strict=True))
        cursor = Cursor(named, _number(block, _WORD_MAX), str(block_hash), numbers)
    except (ValueError, TypeError, NotBase64, RecursionError):
        raise BadRequest("The cursor is none.", "Take `next` of the last answer, as it is.") from None
    if named != name or len(place) != length:
        raise BadRequest("The cursor is of another list.", "Take `next` of the last answer of this list.")
    return cursor


def _number(value: object, limit: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < limit:
        raise ValueError
    return value


def check_cursor(cursor: Cursor, view: Snapshot, block: int) -> None:
    """Raises Gone where the cursor's block was replaced; `block` is the last that is read.

    A block that is final and has no events is not kept, and cannot have been replaced.
    """
    kept = past.hash_of(view, cursor.block) if cursor.block < 2**63 else None
    if cursor.block > block or (kept is not None and kept != cursor.block_hash):
        raise Gone(
            f"Block {cursor.block}, in which this page ended, was replaced by another.",
            "Start again from the first page.",
        )


def next_cursor(name: str, view: Snapshot, block: int, block_hash: str, place: Sequence[int]) -> str:
    """The cursor after a row that stands in `block`; `block_hash` is used where that block is not kept."""
    return Cursor(name, block, past.hash_of(view, block) or block_hash, tuple(place)).text()
