"""A job document has one form, says nothing dangerous, and is known by its hash."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.agent.document import BYTES_MAX, NOTHING, JobDocument, document_of_toml, read_document
from ledger.agent.folder import lay_out
from ledger.errors import InputError, UnreadableText

_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
_NAMES = st.text("abcXYZ-_ .é", min_size=1, max_size=12).filter(lambda name: name not in (".", ".."))
_FILES = st.dictionaries(_NAMES.map(lambda name: f"d/{name}"), st.binary(max_size=40), max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> JobDocument:
    command = (draw(_WORDS.filter(bool)), *draw(st.lists(_WORDS, max_size=4)))
    environment = draw(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), _WORDS, max_size=4))
    results = tuple(draw(st.lists(_NAMES, max_size=3)))
    return JobDocument(command, environment, draw(_FILES), results, draw(st.sampled_from(["", "python:3.12-slim"])))


@given(documents())
def test_what_is_written_is_read_again_and_known_by_its_hash(document: JobDocument) -> None:
    content = document.encode()
    assert read_document(content) == document
    assert document.hash == keccak(content)
    said = json.loads(content)
    assert content == json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(documents(), st.data())
def test_a_changed_byte_is_refused_or_is_another_document(document: JobDocument, data: st.DataObject) -> None:
    content = bytearray(document.encode())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255).filter(lambda one: one != content[place]))
    try:
        other = read_document(bytes(content))
    except UnreadableText:
        return
    assert other != document
    assert other.encode() == bytes(content)


@given(st.binary(max_size=200))
def test_whatever_is_no_document_is_refused_in_two_sentences(content: bytes) -> None:
    with pytest.raises(UnreadableText):
        read_document(content)


def test_the_form_is_the_published_one() -> None:
    document = JobDocument(("python3", "train.py"), {"SEED": "1"}, {"train.py": b"print(1)"}, ("out/*.txt",))
    assert document.encode() == (
        b'{"command":["python3","train.py"],"environment":{"SEED":"1"},"files":{"train.py":"cHJpbnQoMSk="},'
        b'"image":"","results":["out/*.txt"],"version":1}'
    )
    assert NOTHING.hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


GOOD: dict[str, Any] = json.loads(JobDocument(("true",)).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"command": []},
        {"command": [""]},
        {"command": "true"},
        {"command": [1]},
        {"command": ["a\0b"]},
        {"environment": {"1A": "x"}},
        {"environment": {"A=B": "x"}},
        {"environment": {"A": "x\0"}},
        {"environment": {"A": 1}},
        {"environment": []},
        {"files": {"../up": ""}},
        {"files": {"/etc/passwd": ""}},
        {"files": {"a//b": ""}},
        {"files": {"a/./b": ""}},
        {"files": {"a\\b": ""}},
        {"files": {"a\nb": ""}},
        {"files": {"": ""}},
        {"files": {"a": "", "a/b": ""}},
        {"files": {"a": "not base64!"}},
        {"files": {"a": "Zg"}},
        {"results": ["../*"]},
        {"results": ["/etc/*"]},
        {"files": {"\u00e9" * 101: ""}},
        {"files": {"a/" + "\U0001f600" * 51: ""}},
        {"results": ["x" * 201]},
        {"results": ["\U0001f600" * 51]},
        {"results": ["x"] * 101},
        {"image": 1},
        {"image": "-v /:/host"},
        {"image": "a b"},
        {"version": 2},
        {"version": True},
        {"more": 1},
    ],
)
def test_what_no_document_may_say_is_refused(change: dict[str, Any]) -> None:
    content = json.dumps(GOOD | change, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(UnreadableText):
        read_document(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b"[" * 100_000, json.dumps(GOOD).encode(), b" " + JobDocument(("true",)).encode()],
)
def test_what_is_not_canonical_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableText):
        read_document(content)


@pytest.mark.parametrize("end", [b"", b"\\", b'"', b"{"])
@pytest.mark.parametrize("said", [b'\\"', b'"', b"\\", b'"{', b'"\\'])
def test_a_mebibyte_of_anything_is_looked_at_in_one_pass(said: bytes, end: bytes) -> None:
    content = (said * BYTES_MAX)[: BYTES_MAX - len(end)] + end
    started_s = time.process_time()
    with pytest.raises(UnreadableText):
        read_document(content)
    assert time.process_time() - started_s < 5


def test_a_name_of_two_hundred_bytes_a_part_is_one_that_can_be_laid_out(tmp_path: Path) -> None:
    name = "\u00e9" * 80 + "/" + "\u00e9" * 100
    assert len(name.rpartition("/")[2].encode()) == 200
    content = json.dumps(GOOD | {"files": {name: ""}}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    lay_out(read_document(content.encode()), tmp_path / "run")
    assert (tmp_path / "run" / "files" / name).exists()


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UnreadableText, match="half a character"):
        read_document(json.dumps(GOOD | {"command": ["\ud800"]}, sort_keys=True, separators=(",", ":")).encode())


def test_what_is_too_long_is_refused_both_ways() -> None:
    long = JobDocument(("true",), files={"a": bytes(BYTES_MAX)})
    with pytest.raises(InputError, match="at most 1,048,576"):
        long.encode()
    with pytest.raises(UnreadableText, match="at most 1,048,576"):
        read_document(b" " * (BYTES_MAX + 1))


# ---- from TOML


def test_a_table_of_toml_names_files_and_patterns(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "train.py").write_bytes(b"print(1)")
    (tmp_path / "data" / "a.csv").write_bytes(b"1")
    (tmp_path / "data" / "b.csv").write_bytes(b"2")
    text = """
        [job]
        class = "GENERAL"
        [run]
        command = "python3 train.py | tee out/log"
        files = ["train.py", "data/*.csv"]
        results = ["out/*"]
        environment = { SEED = "1" }
    """
    document = document_of_toml(text, tmp_path)
    assert document.command == ("sh", "-c", "python3 train.py | tee out/log")
    assert document.files == {"train.py": b"print(1)", "data/a.csv": b"1", "data/b.csv": b"2"}
    assert (document.environment, document.results, document.image) == ({"SEED": "1"}, ("out/*",), "")
    assert read_document(document.encode()) == document


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[run", "no TOML"),
        ("", r"no table \[run\]"),
        ("run = 1", r"no table \[run\]"),
        ("[run]", "names none"),
        ('[run]\ncommand = ["a"]\nfile = ["b"]', "knows no file"),
        ('[run]\ncommand = ["a"]\nfiles = ["none.txt"]', "there is no 'none.txt'"),
        ('[run]\ncommand = ["a"]\nfiles = ["../*"]', "no plain path"),
        ('[run]\ncommand = ["a"]\nimage = 1', "no text"),
        ('[run]\ncommand = ["a"]\nfiles = "b"', "no list"),
    ],
)
def test_a_table_that_says_no_job_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UnreadableText, match=why):
        document_of_toml(text, tmp_path)


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as large:
        large.truncate(2**40)
    with pytest.raises(UnreadableText, match="at most 1,048,576"):
        document_of_toml('[run]\ncommand = ["a"]\nfiles = ["large"]', tmp_path)
