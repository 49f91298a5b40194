"""The store by a folder and by HTTP: signed in as the API wants it, bounded, and silent where it must not speak."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from api.siwe import check_login, check_signature, read_message
from ledger.agent.document import BYTES_MAX
from ledger.agent.jobstore import RESULT_BYTES_MAX, FolderJobs, HttpJobs, open_jobs, result_of
from ledger.errors import InputError, Unavailable
from tests.world import PROVIDER

CHAIN, NONCE, TOKEN = 31_337, "abcdefgh12345678", "token"


class Server(ThreadingHTTPServer):
    """Speaks as our API does, with its own check of a sign-in."""

    documents: dict[str, bytes]
    results: dict[str, bytes]
    status: int
    nonce: str
    sign_ins: int
    tokens: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def _say(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _known(self) -> bool:
        known = self.headers.get("Authorization", "") in [f"Bearer {one}" for one in self.server.tokens]
        if not known:
            self._say(401, b"{}")
        elif self.server.status:
            self._say(self.server.status, b'{"title":"no"}')
        return known and not self.server.status

    def do_GET(self) -> None:
        if self.path == "/login/nonce":
            self._say(200, json.dumps({"nonce": self.server.nonce}).encode())
        elif self._known():
            found = self.server.documents.get(self.path.removeprefix("/jobs/"))
            self._say(404 if found is None else 200, found or b"{}")

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        login = read_message(said["message"])
        check_login(login, domain=self.headers["Host"], chain_id=CHAIN, now_s=login.issued_s)
        check_signature(said["message"], said["signature"], PROVIDER.address)
        self.server.sign_ins += 1
        self.server.tokens = [f"{TOKEN}{self.server.sign_ins}"]
        self._say(200, json.dumps({"token": self.server.tokens[0]}).encode())

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self._known():
            self.server.results[self.path] = content
            self._say(201, b"{}")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.documents, made.results, made.status, made.nonce = {}, {}, 0, NONCE
    made.sign_ins, made.tokens = 0, []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def http(server: Server) -> Iterator[HttpJobs]:
    found = open_jobs(f"http://127.0.0.1:{server.server_port}/", PROVIDER, CHAIN)
    assert isinstance(found, HttpJobs)
    yield found
    found.close()


def test_a_document_comes_by_its_hash_after_one_sign_in(server: Server, http: HttpJobs) -> None:
    server.documents["0x" + keccak(b"doc").hex()] = b"doc"
    assert http.document(keccak(b"doc")) == b"doc"
    assert http.document(keccak(b"other")) is None
    http.put_result(7, b'{"exit_code":0}')
    assert server.results == {"/leases/7/result": b'{"exit_code":0}'}
    assert server.sign_ins == 1
    # A session that is over is opened anew.
    server.tokens = []
    assert http.document(keccak(b"doc")) == b"doc"
    assert server.sign_ins == 2


def test_a_document_that_is_too_long_is_not_read_to_its_end(server: Server, http: HttpJobs) -> None:
    server.documents["0x" + keccak(b"doc").hex()] = bytes(3 * BYTES_MAX)
    assert len(http.document(keccak(b"doc")) or b"") == BYTES_MAX + 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_store_in_trouble_is_asked_again(server: Server, http: HttpJobs, status: int) -> None:
    server.status = status
    with pytest.raises(Unavailable, match=str(status)):
        http.document(keccak(b"doc"))
    with pytest.raises(Unavailable, match=str(status)):
        http.put_result(7, b"{}")


def test_a_result_that_is_refused_is_not_brought_again(server: Server, http: HttpJobs) -> None:
    server.status = 422
    with pytest.raises(InputError, match="422"):
        http.put_result(7, b"{}")
    # The index may be behind: a lease that it does not know yet it may know soon.
    server.status = 404
    with pytest.raises(Unavailable):
        http.put_result(7, b"{}")
    assert http.document(keccak(b"doc")) is None


@pytest.mark.parametrize("nonce", ["", "short", "a b c d e f g h", "abcdefgh\nURI: http://elsewhere/"])
def test_what_is_no_nonce_is_not_signed(server: Server, http: HttpJobs, nonce: str) -> None:
    server.nonce = nonce
    with pytest.raises(Unavailable, match="no nonce"):
        http.document(keccak(b"doc"))
    assert server.sign_ins == 0


def test_nobody_there_is_trouble_and_not_a_crash() -> None:
    http = HttpJobs("http://127.0.0.1:9", PROVIDER, CHAIN)
    with pytest.raises(Unavailable, match="does not answer"):
        http.document(keccak(b"doc"))
    http.close()


@pytest.mark.parametrize("url", ["http://", "https://user:word@host/"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="no address"):
        open_jobs(url, PROVIDER, CHAIN)


def test_a_folder_is_a_store(tmp_path: Path) -> None:
    jobs = open_jobs(str(tmp_path / "store"), PROVIDER, CHAIN)
    assert isinstance(jobs, FolderJobs)
    assert jobs.document(keccak(b"doc")) is None
    assert jobs.document(jobs.put_document(b"doc")) == b"doc"
    jobs.put_result(3, b'{"log":"x"}')
    assert jobs.result(3) == {"log": "x"}
    assert jobs.result(4) is None
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        FolderJobs(tmp_path / "file").put_result(1, b"{}")
    with pytest.raises(Unavailable):
        FolderJobs(tmp_path / "file").document(keccak(b"doc"))


def test_a_result_says_all_and_leaves_files_out_where_it_would_be_too_large() -> None:
    reading = {"lease": 1, "number": 0}
    said = json.loads(result_of(3, "log", {"out/a": b"a"}, [reading], [b"\x01" * 65]))
    assert said == {
        "exit_code": 3,
        "log": "log",
        "files": {"out/a": "YQ=="},
        "readings": [reading],
        "signatures": ["0x" + "01" * 65],
    }
    content = result_of(0, "log", {"a": bytes(RESULT_BYTES_MAX)}, [reading], [])
    said = json.loads(content)
    assert len(content) < RESULT_BYTES_MAX
    assert (said["files"], said["readings"]) == ({}, [reading])
    assert "too large" in said["log"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "loop"])
def test_what_a_holder_puts_in_the_place_of_a_document_is_none(tmp_path: Path, kind: str) -> None:
    # A pipe would be waited for, for ever; a store that does not answer would be the site's fault, and its loss.
    store, path = FolderJobs(tmp_path), tmp_path / "jobs" / f"0x{keccak(b'doc').hex()}.json"
    path.parent.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"doc")
    acts: dict[str, Callable[[], None]] = {
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(tmp_path / "elsewhere"),
        "loop": lambda: path.symlink_to(path),
    }
    acts[kind]()
    assert store.document(keccak(b"doc")) is None


def test_no_link_leads_a_result_elsewhere(tmp_path: Path) -> None:
    store, key = FolderJobs(tmp_path), tmp_path / "key"
    key.write_bytes(b"secret")
    (tmp_path / "results").mkdir()
    for name in (f"5.{os.getpid()}.new", "5.json"):
        (tmp_path / "results" / name).symlink_to(key)
    store.put_result(5, b"{}")
    assert store.result(5) == {}
    assert key.read_bytes() == b"secret"
