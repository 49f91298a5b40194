"""An append-only file of what was done to a local chain: kept once `append` returns, or not there at all.

The file is a line that names its kind, then frames. A frame holds the records of one write, so that many records cost
one wait for the disk:

    magic 4 | number 8 | length of the payload 4 | checksum of these 4 | checksum of the payload 16 | payload
    payload: (kind 1 | length 4 | data) …          numbers are big-endian; checksums are of SHA-256, cut

A crash in the middle of a write leaves a frame that ends too early. Nobody was told that it was kept, so it is cut off.
Anything else that does not read as written is an error that names the place: what stands there was promised to someone.
"""

import fcntl
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from ledger.errors import BadJournal, ChainBusy

RECORD_BYTES_MAX = 16 * 2**20
"""A record larger than this is refused."""

FRAME_BYTES_MAX = 2**31

_TITLE = b"compute-ledger journal 1\n"
_MAGIC = b"CLJ\x01"
_HEAD = struct.Struct(">4sQI4s16s")
_SUMMED = struct.Struct(">4sQI")
_RECORD = struct.Struct(">BI")


class Kind(IntEnum):
    """What a record says."""

    CHAIN = 1
    """The first: how the chain was begun, as JSON."""
    TRANSACTION = 2
    """A signed transaction that the node took, as it goes over the wire."""
    MINE = 3
    """Make a block at this time: seconds since the epoch, 8 bytes."""
    SEAL = 4
    """The hash of the block that was made, 32 bytes."""
    CALL = 5
    """Another call that changes the chain: its method and parameters, as JSON."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was done."""

    kind: Kind
    data: bytes


def weight(records: Iterable[Record]) -> int:
    """What it takes to replay these, in transactions: a block takes about as long as one."""
    return sum(record.kind in (Kind.TRANSACTION, Kind.MINE) for record in records)


class Journal:
    """One open journal, ours alone. Open it with `open_journal`; what was in it comes from `records`."""

    def __init__(self, path: Path, file: FileIO) -> None:
        self.path = path
        self._file = file
        self.failed: OSError | None = None
        """What the disk said against a write: from then on nothing is appended."""
        self._number = 0
        self._end = len(_TITLE)
        self.cut_bytes = 0
        """How much of a write that a crash interrupted was cut off when the journal was opened."""
        self.weight = 0
        """What replaying all of it takes, in transactions."""
        self._scan()

    @property
    def end(self) -> int:
        """Where the next frame will begin, in bytes: a place to name to `records`."""
        return self._end

    def append(self, records: Sequence[Record]) -> None:
        """Writes records as one frame; they are on the disk when it returns.

        Raises BadJournal where they are too large, and OSError for what the disk says against it: from then on nothing
        is appended, since nobody knows what stands at the end.
        """
        if not records:
            return
        if self.failed is not None:
            raise self.failed
        parts = []
        for record in records:
            if len(record.data) > RECORD_BYTES_MAX:
                raise BadJournal(str(self.path), f"a record of {len(record.data)} bytes is too large", self._end)
            parts += [_RECORD.pack(record.kind, len(record.data)), record.data]
        payload = b"".join(parts)
        if len(payload) > FRAME_BYTES_MAX:
            raise BadJournal(str(self.path), f"a frame of {len(payload)} bytes is too large", self._end)
        frame = _header(self._number, payload) + payload
        try:
            _write_all(self._file.fileno(), frame)
            os.fdatasync(self._file.fileno())
        except OSError as error:
            self.failed = error
            raise
        self._number += 1
        self._end += len(frame)
        self.weight += weight(records)

    def records(self, start: int = len(_TITLE)) -> Iterator[Record]:
        """Everything that was appended from the place `start` on (one that `end` gave), in its order. Raises BadJournal
        where no frame begins at `start`."""
        with self.path.open("rb") as file:
            file.seek(start)
            place = start
            while place < self._end:
                frame = _read_frame(file, self.path, place)
                if frame is None:
                    raise BadJournal(str(self.path), "it ends in the middle of a frame", place)
                _, payload, size = frame
                yield from _unpack(payload, self.path, place)
                place += size

    def _scan(self) -> None:
        # All of it, even what a snapshot covers: a fault is better found now than on the day it is needed.
        size = os.fstat(self._file.fileno()).st_size
        with self.path.open("rb") as file:
            file.seek(self._end)
            while (frame := _read_frame(file, self.path, self._end)) is not None:
                number, payload, length = frame
                if number != self._number:
                    raise BadJournal(str(self.path), f"frame {number} follows frame {self._number - 1}", self._end)
                self.weight += weight(_unpack(payload, self.path, self._end))
                self._number += 1
                self._end += length
        self.cut_bytes = size - self._end
        if self.cut_bytes:
            os.ftruncate(self._file.fileno(), self._end)
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Lets another open it."""
        self._file.close()


def open_journal(path: Path) -> Journal:
    """The journal at `path`, made where there is none.

    Raises ChainBusy where another process has it open, BadJournal where it does not read as written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab", buffering=0)
    try:
        _begin(path, file)
        return Journal(path, file)
    except BaseException:
        file.close()
        raise


def _begin(path: Path, file: FileIO) -> None:
    descriptor = file.fileno()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ChainBusy(str(path.parent)) from None
    found = path.read_bytes()[: len(_TITLE)]
    if found == _TITLE:
        return
    if not _TITLE.startswith(found):
        raise BadJournal(str(path), "it is no journal of this program", 0)
    os.ftruncate(descriptor, 0)
    _write_all(descriptor, _TITLE)
    sync_folder(path.parent)
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """A file that was made or renamed there is still there after a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _header(number: int, payload: bytes) -> bytes:
    summed = _SUMMED.pack(_MAGIC, number, len(payload))
    return summed + sha256(summed).digest()[:4] + sha256(payload).digest()[:16]


def _read_frame(file: BinaryIO, path: Path, place: int) -> tuple[int, bytes, int] | None:
    """Number, payload and size of the frame at `place`; None where the file ends before it does."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    if not any(head) and not any(file.read()):
        # A file system that lost power may have made the file longer and not written what belongs there.
        return None
    magic, number, length, head_sum, payload_sum = _HEAD.unpack(head)
    if magic != _MAGIC or sha256(head[: _SUMMED.size]).digest()[:4] != head_sum:
        raise BadJournal(str(path), "the head of a frame is damaged", place)
    payload = file.read(length)
    if len(payload) < length:
        return None
    if sha256(payload).digest()[:16] != payload_sum:
        raise BadJournal(str(path), "a frame is damaged", place)
    return number, payload, _HEAD.size + length


def _unpack(payload: bytes, path: Path, place: int) -> Iterator[Record]:
    at = 0
    try:
        while at < len(payload):
            kind, length = _RECORD.unpack_from(payload, at)
            at += _RECORD.size
            yield Record(Kind(kind), payload[at : at + length])
            at += length
    except (struct.error, ValueError):
        raise BadJournal(str(path), "a record is of no known kind", place) from None
