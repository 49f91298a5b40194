"""A journal gives back what was appended, a prefix of it after a crash, and a loud error for anything else."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import BadJournal, ChainBusy
from ledger.localchain.journal import Kind, Record, open_journal, weight

RECORDS = st.lists(st.builds(Record, st.sampled_from(Kind), st.binary(max_size=300)), min_size=1, max_size=5)
FRAMES = st.lists(RECORDS, max_size=6)
PROPERTY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(path: Path, frames: list[list[Record]]) -> list[int]:
    """Makes a journal anew; where each frame ends."""
    path.unlink(missing_ok=True)
    journal = open_journal(path)
    ends = [journal.end]
    for frame in frames:
        journal.append(frame)
        ends.append(journal.end)
    journal.close()
    return ends


def joined(frames: list[list[Record]]) -> list[Record]:
    return [record for frame in frames for record in frame]


def read(path: Path) -> tuple[list[Record], int]:
    """What is in it, and how much was cut off."""
    journal = open_journal(path)
    try:
        return list(journal.records()), journal.cut_bytes
    finally:
        journal.close()


@PROPERTY
@given(frames=FRAMES)
def test_what_was_appended_is_there_in_its_order(tmp_path: Path, frames: list[list[Record]]) -> None:
    path = tmp_path / "journal"
    ends = written(path, frames)
    assert read(path) == (joined(frames), 0)
    journal = open_journal(path)
    assert journal.weight == weight(joined(frames))
    for place, end in enumerate(ends):
        assert list(journal.records(end)) == joined(frames[place:])
    journal.append([Record(Kind.MINE, b"later")])
    assert list(journal.records()) == [*joined(frames), Record(Kind.MINE, b"later")]
    journal.close()


@PROPERTY
@given(frames=FRAMES, data=st.data())
def test_journal_that_ends_too_early_gives_the_whole_frames_before(
    tmp_path: Path, frames: list[list[Record]], data: st.DataObject
) -> None:
    path = tmp_path / "journal"
    ends = written(path, frames)
    length = data.draw(st.integers(0, ends[-1]), "length")
    path.write_bytes(path.read_bytes()[:length])
    whole = max([place for place, end in enumerate(ends) if end <= length], default=0)
    assert read(path) == (joined(frames[:whole]), max(0, length - ends[whole]))
    # What was cut off is gone: the next frame stands where it began.
    assert read(path)[1] == 0


@PROPERTY
@given(frames=FRAMES.filter(bool), data=st.data())
def test_flipped_bit_is_found_and_located(tmp_path: Path, frames: list[list[Record]], data: st.DataObject) -> None:
    path = tmp_path / "journal"
    ends = written(path, frames)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1), "place")
    content[place] ^= 1 << data.draw(st.integers(0, 7), "bit")
    path.write_bytes(content)
    with pytest.raises(BadJournal) as caught:
        open_journal(path)
    assert caught.value.offset == max([end for end in ends if end <= place], default=0)
    assert path.read_bytes() == content, "a journal that is refused is left as it is"


def test_zeros_that_a_lost_write_left_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path, [[Record(Kind.MINE, b"1")]])
    with path.open("ab") as file:
        file.write(bytes(5_000))
    assert read(path) == ([Record(Kind.MINE, b"1")], 5_000)


def test_missing_frame_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ends = written(path, [[Record(Kind.MINE, bytes([n]))] for n in range(3)])
    content = path.read_bytes()
    path.write_bytes(content[: ends[1]] + content[ends[2] :])
    with pytest.raises(BadJournal, match="frame 2 follows frame 0"):
        open_journal(path)


def test_file_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"something else that is long enough")
    with pytest.raises(BadJournal, match="no journal of this program"):
        open_journal(path)
    assert path.read_bytes() == b"something else that is long enough"


def test_journal_is_opened_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = open_journal(path)
    with pytest.raises(ChainBusy, match=str(tmp_path)):
        open_journal(path)
    journal.close()
    open_journal(path).close()


def test_record_that_is_too_large_is_refused(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal")
    with pytest.raises(BadJournal, match="too large"):
        journal.append([Record(Kind.TRANSACTION, bytes(16 * 2**20 + 1))])
    journal.close()


def test_nothing_is_appended_after_the_disk_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed write nobody knows what stands at the end."""
    journal = open_journal(tmp_path / "journal")
    with monkeypatch.context() as patch:
        patch.setattr("ledger.localchain.journal.os.fdatasync", _full)
        with pytest.raises(OSError, match="disk is full"):
            journal.append([Record(Kind.MINE, b"1")])
    with pytest.raises(OSError, match="disk is full"):
        journal.append([Record(Kind.MINE, b"2")])
    journal.close()


def _full(_: int) -> None:
    raise OSError("the disk is full")


WRITER = """
import sys
from pathlib import Path
from ledger.localchain.journal import Kind, Record, open_journal
journal = open_journal(Path(sys.argv[1]))
number = 0
while True:
    journal.append([Record(Kind.TRANSACTION, number.to_bytes(8) * 200)] * 3)
    number += 1
    print(number, flush=True)
"""


def test_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    seed = Random().randrange(2**32)
    random = Random(seed)
    root = Path(__file__).parents[2]
    for turn in range(2):
        path = tmp_path / f"journal-{turn}"
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=root
        ) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(random.randrange(1, 300))]
            writer.kill()
            lines += writer.stdout.readlines()
        acknowledged = max(int(line) for line in lines if line.endswith("\n"))
        records, _ = read(path)
        assert len(records) >= 3 * acknowledged, f"seed {seed}"
        assert records == [Record(Kind.TRANSACTION, (n // 3).to_bytes(8) * 200) for n in range(len(records))]
