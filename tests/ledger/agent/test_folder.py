"""A run's folder: files in, results out, and no link is followed either way."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.agent.document import JobDocument
from ledger.agent.folder import LOG_BYTES_MAX, RESULT_BYTES_MAX, lay_out, log_of, matches, results_of

DOCUMENT = JobDocument(("true",), files={"a.txt": b"a", "deep/er/run": b"#!/bin/sh\n"})


def test_a_document_is_laid_out_for_its_owner_alone_and_twice_is_once(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    lay_out(DOCUMENT, folder)
    lay_out(DOCUMENT, folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "files" / "a.txt").read_bytes() == b"a"
    assert (folder / "files" / "a.txt").stat().st_mode & 0o777 == 0o600
    assert os.access(folder / "files" / "deep" / "er" / "run", os.X_OK)


def test_results_come_by_pattern_and_no_link_is_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    files = tmp_path / "run" / "files"
    (files / "out" / "deep").mkdir(parents=True)
    (files / "out" / "a.txt").write_text("a")
    (files / "out" / "deep" / "b.txt").write_text("b")
    (files / "other.txt").write_text("other")
    (files / "out" / "link.txt").symlink_to(secret)
    (files / "linked").symlink_to(tmp_path)
    os.mkfifo(files / "out" / "pipe.txt")
    found, left_out = results_of(tmp_path / "run", ["out/*.txt", "linked/*", "out/**/b.txt"])
    assert found == {"out/a.txt": b"a", "out/deep/b.txt": b"b"}
    assert sorted(one.split()[0] for one in left_out) == ["out/link.txt", "out/pipe.txt"]
    assert results_of(tmp_path / "run", ["**/*.txt"])[0].keys() == {"out/a.txt", "out/deep/b.txt", "other.txt"}
    assert results_of(tmp_path / "run", []) == ({}, [])


@pytest.mark.parametrize("linked", ["files", "."])
def test_a_link_in_the_place_of_the_folder_itself_shows_nothing(tmp_path: Path, linked: str) -> None:
    other = tmp_path / "other"
    (other / "files").mkdir(parents=True)
    for name in ("key.txt", "files/key.txt", "log"):
        (other / name).write_text("secret")
    run = tmp_path / "run"
    if linked == "files":
        run.mkdir()
        (run / "files").symlink_to(other)
    else:
        run.symlink_to(other)
    assert results_of(run, ["**"]) == ({}, [])
    assert log_of(run) == ""


def test_a_folder_that_is_deeper_than_any_name_is_looked_at_and_left(tmp_path: Path) -> None:
    files = tmp_path / "run" / "files"
    files.mkdir(parents=True)
    (files / "a.txt").write_text("a")
    here = os.open(files, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    try:
        assert results_of(tmp_path / "run", ["**/*.txt"]) == ({"a.txt": b"a"}, [])
    finally:
        # What tidies up after the tests goes down by calls of itself.
        subprocess.run(["rm", "-rf", str(files)], check=True)


def test_files_that_are_too_large_are_not_even_read(tmp_path: Path) -> None:
    files = tmp_path / "run" / "files"
    files.mkdir(parents=True)
    for number in range(2_000):
        with (files / f"{number}").open("wb") as file:
            file.truncate(2**34)
    started_s = time.process_time()
    found, left_out = results_of(tmp_path / "run", ["*"])
    assert (found, len(left_out)) == ({}, 100)
    # Read to the bound, they would be 8 GiB.
    assert time.process_time() - started_s < 2


def test_what_is_too_much_is_left_out_and_said(tmp_path: Path) -> None:
    files = tmp_path / "run" / "files"
    files.mkdir(parents=True)
    for name in ("a", "b"):
        with (files / name).open("wb") as file:
            file.truncate(RESULT_BYTES_MAX)
    (files / "c").write_text("c")
    found, left_out = results_of(tmp_path / "run", ["*"])
    assert sorted(found) == ["a"]
    assert [one.split()[0] for one in left_out] == ["b", "c"]


def test_a_name_that_cannot_be_shown_stays_behind(tmp_path: Path) -> None:
    files = tmp_path / "run" / "files"
    files.mkdir(parents=True)
    for name in ("a\nb", "a\\b", "good", "x" * 201):
        (files / name).write_text("x")
    assert list(results_of(tmp_path / "run", ["*"])[0]) == ["good"]


def test_a_log_is_text_whatever_stands_there(tmp_path: Path) -> None:
    assert log_of(tmp_path) == ""
    (tmp_path / "log").write_bytes(b"ok \xff\0 \xc3\xa9")
    assert log_of(tmp_path) == "ok \ufffd\ufffd é"
    (tmp_path / "log").write_bytes(b"x" * (2 * LOG_BYTES_MAX))
    assert LOG_BYTES_MAX <= len(log_of(tmp_path)) <= LOG_BYTES_MAX + 100
    (tmp_path / "log").unlink()
    (tmp_path / "log").symlink_to("/etc/hostname")
    assert log_of(tmp_path) == ""


_PARTS = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=5)


@given(_PARTS)
def test_two_stars_match_any_number_of_folders(parts: list[str]) -> None:
    assert matches(parts, ["**"])
    assert matches([*parts, "x"], ["**", "x"])
    assert not matches([*parts, "x"], ["**", "y"])
    assert matches(parts, ["*"]) == (len(parts) == 1)


def test_many_stars_are_no_more_work_than_their_number() -> None:
    started_s = time.process_time()
    assert not matches(["a"] * 60, ["**", "a"] * 30 + ["**", "b"])
    assert matches(["a"] * 60, ["**", "a"] * 30)
    assert time.process_time() - started_s < 1


@pytest.mark.parametrize(("name", "pattern", "does"), [("out/a", "*", False), ("out/a", "o?t/[ab]", True)])
def test_a_star_stays_in_its_folder(name: str, pattern: str, does: bool) -> None:
    assert matches(name.split("/"), pattern.split("/")) is does
