"""A run's own folder: the document's files laid out in it, and what comes back of it, link by link looked at."""

import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import accumulate, islice
from operator import or_
from pathlib import Path

from ledger.agent.document import JobDocument

LOG_BYTES_MAX = 2**20
"""How much of what a job says is kept."""

RESULT_BYTES_MAX = 4 * 2**20
"""How much comes back in files: with the log and in base64 it stays below what the market's store takes."""

RESULTS_MAX = 1_000
_LOOKED_AT_MAX, _NAME_MAX, _SENTENCES_MAX = 100_000, 200, 100
_LOOKS_S = 20.0


def lay_out(document: JobDocument, folder: Path) -> None:
    """Puts the document's files below `folder`, which only its owner can look into. Done twice, it is done once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    files = folder / "files"
    files.mkdir(exist_ok=True, mode=0o700)
    for name, content in document.files.items():
        path = files / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(content)
        # A script is run as it is named.
        path.chmod(0o700 if content.startswith(b"#!") else 0o600)


def log_of(folder: Path) -> str:
    """What the run said, as text; empty where it said nothing."""
    content = None
    with _opened(folder) as held:
        if held is not None:
            content = _read("log", held, LOG_BYTES_MAX + 100, whole=False)
    return (content or b"").decode("utf-8", errors="replace").replace("\0", "\ufffd")


def results_of(folder: Path, patterns: Sequence[str]) -> tuple[dict[str, bytes], list[str]]:
    """The files below `folder`/files that match, by name, and a sentence for each that is left out.

    A link is never followed, neither as a file nor on the way to one, nor in the place of the folder itself: a job may
    have left one to what is not its own. What is looked at is bounded, in number, depth and time.
    """
    found: dict[str, bytes] = {}
    left_out: list[str] = []
    size = 0
    # Without the run's folder there is no open one, and no `files` in it.
    with _opened(folder) as held, _opened(Path("files"), -1 if held is None else held) as root:
        for said, name, inside in _matching(root, patterns) if root is not None and patterns else ():
            content = _read(name, inside, RESULT_BYTES_MAX - size) if len(found) < RESULTS_MAX else None
            if content is not None:
                found[said] = content
                size += len(content)
            elif len(left_out) < _SENTENCES_MAX:
                left_out.append(
                    f"{said} is left out: {RESULTS_MAX:,} plain files and {RESULT_BYTES_MAX:,} bytes come back."
                )
    return found, left_out


def _matching(root: int, patterns: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """What matches below an open folder: its whole name, its last part, and the open folder in which it lies."""
    wanted = [pattern.split("/") for pattern in patterns]
    until_s = time.monotonic() + _LOOKS_S
    for looked_at, (parts, inside) in enumerate(_below(root, ())):
        if looked_at >= _LOOKED_AT_MAX or time.monotonic() > until_s:
            return
        said = "/".join(parts)
        good = said.isprintable() and "\\" not in said and len(said) <= _NAME_MAX
        if good and any(matches(parts, words) for words in wanted):
            yield said, parts[-1], inside


def _below(folder: int, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """All that is no folder below an open one, in order; no deeper than a name that comes back can be long."""
    with os.scandir(folder) as entries:
        # A folder of millions must not fill the memory.
        every = sorted(islice(entries, _LOOKED_AT_MAX), key=lambda entry: entry.name)
    for entry in every:
        if not entry.is_dir(follow_symlinks=False):
            yield (*above, entry.name), folder
    for entry in every:
        if entry.is_dir(follow_symlinks=False) and len(above) < _NAME_MAX // 2:
            with _opened(Path(entry.name), folder) as deeper:
                if deeper is not None:
                    yield from _below(deeper, (*above, entry.name))


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a pattern, part by part; `**` stands for any number of folders."""
    # For each beginning of the path, whether the pattern so far matches it: no choice is tried twice.
    fits = [True] + [False] * len(parts)
    for word in pattern:
        if word == "**":
            fits = list(accumulate(fits, or_))
        else:
            fits = [False, *(fit and fnmatchcase(part, word) for fit, part in zip(fits, parts, strict=False))]
    return fits[-1]


@contextmanager
def _opened(folder: Path, inside: int | None = None) -> Iterator[int | None]:
    """The folder itself, held open: what is put in its place later is another. None for a link and for no folder."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=inside)
    except OSError:
        yield None
        return
    try:
        yield held
    finally:
        os.close(held)


def _read(name: str, inside: int, bytes_max: int, *, whole: bool = True) -> bytes | None:
    """A plain file of at most so many bytes, or its beginning; None for a larger one, a link, a device, a pipe, or
    nothing."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=inside)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or (whole and state.st_size > bytes_max):
            return None
        content = file.read(bytes_max + whole)
        return content if len(content) <= bytes_max else None
