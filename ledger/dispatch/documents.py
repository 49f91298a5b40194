"""The buyer's side of a job store: brings what is to be run, and fetches what became of it."""

import json
import unicodedata
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from eth_utils.crypto import keccak

from ledger.agent.jobstore import RESULT_BYTES_MAX, FolderJobs, HttpJobs
from ledger.agent.readings import MeterReading, Reported, read_reading, result_faults
from ledger.eip712 import Domain
from ledger.errors import InputError, Unavailable
from ledger.keys import Signer
from ledger.product import Product
from ledger.store.records import LeaseRow

_OK, _MADE, _MISSING = 200, 201, 404
_LATER = 500
_SHOWN_MAX = 80
_DEEP_MAX = 64
_CONTROLS = ("Cc", "Cs")


@dataclass(frozen=True, slots=True)
class Result:
    """What a site brought for a lease: how the command ended (None: it did not by itself), what it said, its files."""

    exit_code: int | None
    log: str
    files: Mapping[str, bytes]
    readings: tuple[MeterReading, ...] = ()
    signatures: tuple[bytes, ...] = ()

    @property
    def said(self) -> str:
        """What the command said, for a terminal: signs that would move its cursor or rename its window are replaced."""
        return _without_controls(self.log.replace("\r\n", "\n"))

    def write(self, folder: Path, tell: Callable[[str], object] = lambda _: None) -> list[Path]:
        """Puts the files below `folder`, and what the command said into `log`; gives their paths. A file whose name
        would lead out of it, or that cannot be written, is left out, and `tell` is called with a line that says so: a
        site chose the names. Raises OSError where the folder or the log cannot be written."""
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / "log"]
        written[0].write_text(self.log, encoding="utf-8", errors="replace")
        for name, content in self.files.items():
            try:
                written.append(_write(folder / "files", name, content))
            except (OSError, ValueError) as reason:
                why = getattr(reason, "strerror", None) or str(reason)
                tell(f"{shortened(name)} is left out: {why}")
        return written


def shortened(name: str) -> str:
    """A name that a site chose, for a terminal: quoted, and at most 80 signs of it."""
    return ascii(name if len(name) <= _SHOWN_MAX else f"{name[:_SHOWN_MAX]}...")


def _write(folder: Path, name: str, content: bytes) -> Path:
    """Raises OSError, and ValueError for a name that is none."""
    parts = PurePosixPath(name).parts
    if not 0 < len(parts) <= _DEEP_MAX or PurePosixPath(name).is_absolute() or {"..", ""} & set(parts):
        raise ValueError("no file below a folder has this name")
    if any(unicodedata.category(one) in _CONTROLS for one in name):
        raise ValueError("its name has control signs")
    path = folder.joinpath(*parts)
    if any(one.is_symlink() for one in (path, *path.parents)):
        raise ValueError("a link stands in its place")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _without_controls(text: str) -> str:
    """Control signs but newline and tab, and halves of signs, become the sign that says that one is missing."""
    return "".join(
        one if one in "\n\t" or unicodedata.category(one) not in _CONTROLS else "\N{REPLACEMENT CHARACTER}"
        for one in text
    )


class Documents(Protocol):
    """Where a buyer brings documents and finds results. Raises Unavailable where it does not answer."""

    def put(self, content: bytes) -> bytes:
        """Keeps a document for whoever will run it; gives its hash. Raises InputError where it is refused."""

    def result(self, lease: int) -> Result | None:
        """What came of a lease; None where nothing was brought yet."""


def open_documents(place: str, signer: Signer, chain_id: int) -> Documents:
    """The store at `place`: the address of an API, or a folder that the sites see too."""
    if place.startswith(("http://", "https://")):
        return ApiDocuments(place, signer, chain_id)
    return FolderDocuments(FolderJobs(Path(place)))


class FolderDocuments:
    """In a folder that both sides see."""

    def __init__(self, jobs: FolderJobs) -> None:
        self._jobs = jobs

    def put(self, content: bytes) -> bytes:
        return self._jobs.put_document(content)

    def result(self, lease: int) -> Result | None:
        return result_from(self._jobs.result(lease))


class ApiDocuments(HttpJobs):
    """At the market's API, as the holder."""

    def put(self, content: bytes) -> bytes:
        job_hash = keccak(content)
        status, said = self._ask("PUT", f"/jobs/0x{job_hash.hex()}", content)
        if status >= _LATER:
            raise _trouble(status)
        if status not in (_OK, _MADE):
            text = said.decode("utf-8", errors="replace")[:300]
            raise InputError(f"The job store does not take the document: {status} {text}.", "See why.")
        return job_hash

    def result(self, lease: int) -> Result | None:
        status, said = self._ask("GET", f"/leases/{lease}/result", most=2 * RESULT_BYTES_MAX)
        if status == _MISSING:
            return None
        if status != _OK:
            raise _trouble(status)
        return result_from(json.loads(said))


def result_from(said: Any) -> Result | None:
    """A result as it was brought. Raises InputError for what is none."""
    if said is None:
        return None
    try:
        files = {str(name): b64decode(text, validate=True) for name, text in said["files"].items()}
        exit_code = said["exit_code"]
        readings = tuple(map(read_reading, said.get("readings", ())))
        signatures = tuple(bytes.fromhex(one.removeprefix("0x")) for one in said.get("signatures", ()))
        return Result(None if exit_code is None else int(exit_code), str(said["log"]), files, readings, signatures)
    except (KeyError, TypeError, ValueError, AttributeError, NotBase64) as error:
        raise InputError(f"The result that was brought cannot be read: {error}.", "Ask the site for it.") from None


def doubts(store: Documents, domain: Domain, row: LeaseRow) -> list[str]:
    """What speaks against agreeing with a lease's report: readings that were not brought, or are wrong, or do not come
    to what it claims. A report of nothing claims nothing. `domain` is that of readings. Raises Unavailable."""
    if not row.reported_milli:
        return []
    try:
        found = store.result(row.lease)
    except (InputError, ValueError) as error:
        # A site wrote it: it may be anything.
        return [f"What was brought cannot be read: {error}"]
    if found is None:
        return [f"No readings were brought, and the report claims {row.reported_milli} milli-units."]
    product = Product.from_id(row.product)
    root = None if row.usage_root is None else bytes.fromhex(row.usage_root.removeprefix("0x"))
    known = Reported(row.lease, row.units, product.start_s, product.end_s, row.provider, row.reported_milli, root)
    return result_faults(known, found.readings, found.signatures, domain)


def _trouble(status: int) -> Unavailable:
    return Unavailable(f"The job store answers {status}.", "Ask again later; --jobs names it.")
