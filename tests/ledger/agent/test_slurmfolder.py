"""What a run's folder says, which its job may have written."""

import os
from pathlib import Path

import pytest

from ledger.agent.executor import Progress, RunState, Usage
from ledger.agent.slurmfolder import Meter, meter_of, note_end, noted_end, number_in

_FULL = '{"wall_ms":%s,"cpu_ms":0,"gpu_ms":0,"memory_bytes":0,"exit_code":%s,"told":false,"state":"done","text":"x"}'


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"wall_ms":"x"}', "\xff", _FULL % ("1e400", 0), _FULL % (1, "1e400"), "[" * 100_000],
)
def test_what_is_no_word_of_ours_says_nothing(tmp_path: Path, text: str) -> None:
    for name in ("meter.json", "over", "claim"):
        (tmp_path / name).write_text(text, encoding="latin-1")
    assert meter_of(tmp_path) == Meter(Usage())
    assert noted_end(tmp_path) is None
    assert number_in(tmp_path / "claim") is None


def test_links_and_pipes_are_not_read_and_numbers_stay_within_bounds(tmp_path: Path) -> None:
    aside, meter = tmp_path / "aside", tmp_path / "meter.json"
    aside.write_text(_FULL % (7, 0))
    meter.symlink_to(aside)
    assert meter_of(tmp_path).usage == Usage()
    meter.unlink()
    os.mkfifo(meter)
    assert meter_of(tmp_path).usage == Usage()
    meter.unlink()
    meter.write_text(_FULL % (10**30, -(10**30)))
    assert (meter_of(tmp_path).usage.wall_ms, meter_of(tmp_path).exit_code) == (2**53, -(2**31))


@pytest.mark.parametrize(
    "progress",
    [
        Progress(RunState.DONE, Usage(1, 2, 3, 4), 0),
        Progress(RunState.FAILED, Usage(), -9, "killed: é"),
        Progress(RunState.LOST, Usage(2**40), None, "Slurm says NODE_FAIL"),
    ],
)
def test_an_end_that_was_noted_is_read_as_it_was(tmp_path: Path, progress: Progress) -> None:
    assert noted_end(tmp_path) is None
    note_end(tmp_path, Progress(RunState.DONE, Usage(9)))
    note_end(tmp_path, progress)
    assert noted_end(tmp_path) == progress
    assert [one.name for one in tmp_path.iterdir()] == ["over"]


def test_a_note_follows_no_link_and_what_stands_in_its_way_harms_nobody(tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    aside.write_text("mine")
    (tmp_path / "over.new").symlink_to(aside)
    (tmp_path / "over").symlink_to(aside)
    progress = Progress(RunState.DONE, Usage(), 0)
    note_end(tmp_path, progress)
    assert (aside.read_text(), noted_end(tmp_path)) == ("mine", progress)
    (tmp_path / "over").unlink()
    for name in ("over", "over.new"):
        (tmp_path / name).mkdir()
    note_end(tmp_path, progress)
    assert noted_end(tmp_path) is None
    note_end(tmp_path / "absent", progress)


def test_a_number_is_a_number(tmp_path: Path) -> None:
    for text, number in (("7", 7), ("007", 7), ("", None), ("7 ", None), ("-7", None), ("٧", None), ("9" * 20, None)):
        (tmp_path / "job").write_text(text)
        assert number_in(tmp_path / "job") == number
