"""What lies in a Slurm run's folder beside its files: what `batch.py` wrote, and what the agent noted.

The job runs as the agent's own user, so it may have put anything there: a link, a pipe, a lie. So nothing here is
followed, waited for, or read beyond a few bytes, and nothing here is believed of what Slurm itself can say.
"""

import json
import os
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ledger.agent.executor import Progress, RunState, Usage

_BYTES_MAX = 4_096
_MOST, _CODE_MAX, _WORDS_MAX = 2**53, 2**31, 200
_OVER = "over"
_USED = ("wall_ms", "cpu_ms", "gpu_ms", "memory_bytes")


@dataclass(frozen=True, slots=True)
class Meter:
    """What batch.py wrote last; `exit_code` is None while the command runs, `told` says that others told it to end."""

    usage: Usage
    exit_code: int | None = None
    told: bool = False


def meter_of(folder: Path) -> Meter:
    """What was written last; nothing where a job wrote over it, which does it no good."""
    try:
        said = _said(folder / "meter.json")
        return Meter(_usage(said), _code(said), bool(said["told"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return Meter(Usage())


def number_in(path: Path) -> int | None:
    """The number of a job that stands in a file; None where none does."""
    text = _content(path).decode("ascii", errors="replace")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def note_end(folder: Path, progress: Progress) -> None:
    """Notes how Slurm said that a run ended, for when Slurm will have forgotten it; what stands in the way stays."""
    new = folder / f"{_OVER}.new"
    said = {"state": progress.state, "exit_code": progress.exit_code, "text": progress.text} | asdict(progress.usage)
    with suppress(OSError):
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(said, file)
        new.replace(folder / _OVER)


def noted_end(folder: Path) -> Progress | None:
    """What `note_end` noted; None where it noted nothing that can be read."""
    try:
        said = _said(folder / _OVER)
        text = str(said["text"])[:_WORDS_MAX].encode(errors="replace").decode().replace("\0", "?")
        return Progress(RunState(said["state"]), _usage(said), _code(said), text)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _said(path: Path) -> Any:
    return json.loads(_content(path))


def _usage(said: Any) -> Usage:
    return Usage(*[_whole(said[name], 0, _MOST) for name in _USED])


def _code(said: Any) -> int | None:
    return None if said["exit_code"] is None else _whole(said["exit_code"], -_CODE_MAX, _CODE_MAX - 1)


def _whole(value: object, least: int, most: int) -> int:
    """A whole number within bounds, the nearest where it lies beyond. Raises TypeError for what is none."""
    if type(value) is not int:
        raise TypeError(f"{str(value)[:40]!r} is no whole number")
    return min(max(value, least), most)


def _content(path: Path) -> bytes:
    """What a small file holds; nothing where there is none, or a job put a link, a pipe or something long there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        found = os.fstat(descriptor)
        is_ours = stat.S_ISREG(found.st_mode) and found.st_size <= _BYTES_MAX
        return os.read(descriptor, _BYTES_MAX) if is_ours else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)
