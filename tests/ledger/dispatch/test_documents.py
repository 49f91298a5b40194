"""The buyer's side of a job store: what goes there comes back by its hash, and no result writes where it likes."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from ledger.agent.document import JobDocument
from ledger.agent.jobstore import FolderJobs, result_of
from ledger.dispatch.documents import ApiDocuments, FolderDocuments, Result, open_documents, result_from, shortened
from ledger.errors import InputError, Unavailable
from tests.world import BUYER

DOCUMENT = JobDocument(("echo", "hi")).encode()


def test_document_goes_to_the_folder_under_its_hash_and_its_result_comes_back(tmp_path: Path) -> None:
    buyer = open_documents(str(tmp_path), BUYER, 1)
    assert isinstance(buyer, FolderDocuments)
    job_hash = buyer.put(DOCUMENT)
    site = FolderJobs(tmp_path)
    assert job_hash == keccak(DOCUMENT)
    assert site.document(job_hash) == DOCUMENT
    assert buyer.result(7) is None
    site.put_result(7, result_of(3, "said", {"out/a": b"\x00\x01"}, [], []))
    assert buyer.result(7) == Result(3, "said", {"out/a": b"\x00\x01"})


def test_result_is_written_below_its_folder_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "files").mkdir()
    (tmp_path / "here" / "files" / "link").symlink_to(tmp_path)
    names = ("out/a", "../b", "/c", "a/../../d", "link/e", "")
    result = Result(0, "log", dict.fromkeys(names, b"x"))
    written = result.write(tmp_path / "here")
    assert [path.relative_to(tmp_path / "here").as_posix() for path in written] == ["log", "files/out/a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here"]


def test_file_that_cannot_be_written_is_told_and_the_others_are_written(tmp_path: Path) -> None:
    names = ("a", "a/b", "n" * 300, "\ud800", "bell\a", "nul\0", "a\nb", "../b", "z/" * 1_500 + "z", "last")
    told: list[str] = []
    written = Result(None, "half \ud800", dict.fromkeys(names, b"x")).write(tmp_path, told.append)
    assert [path.name for path in written] == ["log", "a", "last"]
    assert [line.split(" is left out: ")[0] for line in told] == [
        shortened(name) for name in names if name not in ("a", "last")
    ]
    assert all(line.isascii() and line.isprintable() and len(line) < 400 for line in told), told
    assert written[0].read_text(encoding="utf-8") == "half ?"


def test_log_for_a_terminal_moves_no_cursor() -> None:
    said = Result(0, "a\tb\r\nc\x1b]0;title\x07\x9b2J\rd\ud800\u00e9\n", {}).said
    assert said == "a\tb\nc\ufffd]0;title\ufffd\ufffd2J\ufffdd\ufffd\u00e9\n"


@pytest.mark.parametrize("said", [{}, [], {"exit_code": 0, "log": "", "files": {"a": "%"}}, {"exit_code": "x"}])
def test_result_that_is_none_is_refused(said: object) -> None:
    with pytest.raises(InputError):
        result_from(said)


class Answers(ApiDocuments):
    """An API that answers as it is told."""

    def __init__(self, status: int, content: bytes) -> None:
        super().__init__("http://127.0.0.1:9", BUYER, 1)
        self.status, self.content = status, content
        self.asked: list[tuple[str, str]] = []

    def _ask(self, method: str, path: str, body: bytes | None = None, most: int = 2**20) -> tuple[int, bytes]:
        self.asked.append((method, path))
        assert body is None or method == "PUT"
        return self.status, self.content[:most]


def test_api_is_asked_as_it_is_described() -> None:
    api = Answers(201, b"{}")
    assert api.put(DOCUMENT) == keccak(DOCUMENT)
    assert api.asked == [("PUT", f"/jobs/0x{keccak(DOCUMENT).hex()}")]
    body = {"exit_code": None, "log": "x", "files": {"a": b64encode(b"y").decode()}}
    assert Answers(200, json.dumps(body).encode()).result(5) == Result(None, "x", {"a": b"y"})
    assert Answers(404, b"").result(5) is None
    for status, error in ((500, Unavailable), (422, InputError)):
        with pytest.raises(error):
            Answers(status, b"no").put(DOCUMENT)
    with pytest.raises(Unavailable):
        Answers(503, b"").result(5)
    assert isinstance(open_documents("http://127.0.0.1:9", BUYER, 1), ApiDocuments)
