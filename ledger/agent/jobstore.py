"""Where job documents come from and results go: the market's API, or a folder that both sides see."""

import json
import os
import re
import stat
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
from eth_utils.crypto import keccak

from ledger.agent.document import BYTES_MAX
from ledger.errors import InputError, Unavailable
from ledger.keys import Signer

RESULT_BYTES_MAX = 8 * 2**20
_TIMEOUT_S = 20
_OK, _MADE, _UNKNOWN_CALLER, _MISSING = 200, 201, 401, (403, 404)
_LATER = (404, 408, 425, 429)
_NONCE = re.compile(r"[0-9a-zA-Z]{8,64}")
_STATEMENT = "Sign in to Compute Ledger. This costs nothing and moves nothing."


class JobStore(Protocol):
    """Keeps documents by their hash and results by their lease. Raises Unavailable where it does not answer."""

    def document(self, job_hash: bytes) -> bytes | None:
        """The bytes under this hash, not yet held against it, more than 1 MiB cut; None where there are none for us."""

    def put_result(self, lease: int, result: bytes) -> None:
        """Brings a result. Raises InputError where it is refused for good."""


def open_jobs(place: str, signer: Signer, chain_id: int, verify: bool | str = True) -> JobStore:
    """The store at `place`: the address of an API, or a folder."""
    if re.match(r"https?://", place):
        return HttpJobs(place, signer, chain_id, verify=verify)
    return FolderJobs(Path(place))


def result_of(
    exit_code: int | None,
    log: str,
    files: Mapping[str, bytes],
    readings: Sequence[Mapping[str, int]],
    signatures: Sequence[bytes],
) -> bytes:
    """What became of a job, as the API takes it; at most 8 MiB, or the files stay out of it."""
    said: dict[str, Any] = {
        "exit_code": exit_code,
        "log": log,
        "files": {name: b64encode(content).decode() for name, content in files.items()},
        "readings": [dict(one) for one in readings],
        "signatures": ["0x" + one.hex() for one in signatures],
    }
    content = json.dumps(said).encode()
    if len(content) > RESULT_BYTES_MAX:
        note = "\n[the files were too large to be brought along]\n"
        content = json.dumps(said | {"files": {}, "log": log[-(2**18) :] + note}).encode()
    return content


class FolderJobs:
    """`jobs/0x….json` and `results/LEASE.json` below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def document(self, job_hash: bytes) -> bytes | None:
        try:
            # The folder is the holders' too: what stands there may be a link, or a pipe into which nobody ever writes.
            path = self._folder / "jobs" / f"0x{job_hash.hex()}.json"
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                return file.read(BYTES_MAX + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
        except FileNotFoundError:
            return None
        except OSError as error:
            if os.access(self._folder / "jobs", os.R_OK | os.X_OK):
                # A folder, a link, a file that nobody may read: whoever put that there has no document there.
                return None
            raise _trouble(str(self._folder), error.strerror or "it cannot be read") from None

    def put_document(self, content: bytes) -> bytes:
        """What a buyer does; gives the hash."""
        job_hash = keccak(content)
        self._write(f"jobs/0x{job_hash.hex()}.json", content)
        return job_hash

    def put_result(self, lease: int, result: bytes) -> None:
        self._write(f"results/{lease}.json", result)

    def result(self, lease: int) -> Any:
        """What was brought for a lease; None where nothing was."""
        path = self._folder / "results" / f"{lease}.json"
        return json.loads(path.read_bytes()) if path.exists() else None

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Under a name that nobody can have put a link at before.
            new = path.with_suffix(f".{token_hex(8)}.new")
            with new.open("xb") as file:
                file.write(content)
            new.replace(path)
        except OSError as error:
            raise _trouble(str(self._folder), error.strerror or "it cannot be written") from None


class HttpJobs:
    """The market's API, signed in with the site's key (EIP-4361). Follows no redirection, and takes no proxy from the
    environment."""

    def __init__(
        self,
        url: str,
        signer: Signer,
        chain_id: int,
        *,
        verify: bool | str = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        parts = urlsplit(url)
        if not parts.netloc or "@" in parts.netloc:
            raise InputError(f"{url[:80]!r} is no address of an API.", "Write it like http://127.0.0.1:8000.")
        self._host, self._scheme = parts.netloc, parts.scheme
        self._signer, self._chain_id, self._now = signer, chain_id, now
        self._client = httpx.Client(base_url=url.rstrip("/"), timeout=_TIMEOUT_S, trust_env=False, verify=verify)
        self._token = ""

    def close(self) -> None:
        self._client.close()

    def document(self, job_hash: bytes) -> bytes | None:
        status, content = self._ask("GET", f"/jobs/0x{job_hash.hex()}", most=BYTES_MAX + 1)
        if status in _MISSING:
            return None
        if status != _OK:
            raise _trouble(self._host, f"it answers {status}")
        return content

    def put_result(self, lease: int, result: bytes) -> None:
        status, content = self._ask("PUT", f"/leases/{lease}/result", result)
        if status in _LATER or status >= 500:
            raise _trouble(self._host, f"it answers {status}")
        if status not in (_OK, _MADE):
            text = content.decode("utf-8", errors="replace")[:200]
            raise InputError(f"{self._host} does not take the result of lease {lease}: {status} {text}.", "See why.")

    def _ask(self, method: str, path: str, body: bytes | None = None, most: int = 2**20) -> tuple[int, bytes]:
        """Asks as who we are; a session that is over is opened anew, once."""
        fresh = not self._token
        if fresh:
            self._sign_in()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        status, content = self._request(method, path, body, headers, most)
        if status == _UNKNOWN_CALLER and not fresh:
            self._token = ""
            return self._ask(method, path, body, most)
        return status, content

    def _request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], most: int = 2**20
    ) -> tuple[int, bytes]:
        content = b""
        try:
            with self._client.stream(method, path, content=body, headers=dict(headers)) as response:
                for part in response.iter_bytes():
                    content += part
                    if len(content) >= most:
                        break
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _trouble(self._host, str(error) or type(error).__name__) from None
        return response.status_code, content[:most]

    def _sign_in(self) -> None:
        nonce = str(self._said("GET", "/login/nonce").get("nonce", ""))
        # It goes into what we sign: nothing but a nonce may stand there.
        if not _NONCE.fullmatch(nonce):
            raise _trouble(self._host, "it gives no nonce to sign in with")
        message = self._message(nonce)
        digest = keccak(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message.encode())
        signature = "0x" + self._signer.sign_digest(digest).hex()
        said = self._said("POST", "/login", json.dumps({"message": message, "signature": signature}).encode())
        self._token = str(said.get("token", ""))

    def _message(self, nonce: str) -> str:
        issued = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return "\n".join(
            (
                f"{self._host} wants you to sign in with your Ethereum account:",
                self._signer.address,
                "",
                _STATEMENT,
                "",
                f"URI: {self._scheme}://{self._host}/",
                "Version: 1",
                f"Chain ID: {self._chain_id}",
                f"Nonce: {nonce}",
                f"Issued At: {issued}",
            )
        )

    def _said(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        status, content = self._request(method, path, body, {"Content-Type": "application/json"})
        try:
            said = json.loads(content)
        except (ValueError, RecursionError):
            said = None
        if status not in (_OK, _MADE) or not isinstance(said, dict):
            raise _trouble(self._host, f"it answers {status} to a sign-in")
        return said


def _trouble(place: str, why: str) -> Unavailable:
    return Unavailable(f"The job store at {place} does not answer: {why}.", "Is it running? --jobs names it.")
