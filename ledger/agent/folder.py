"""A run's own folder: the document's files laid out in it, and what comes back of it, link by link looked at."""

import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ledger.agent.document import JobDocument

LOG_BYTES_MAX = 2**20
"""How much of what a job says is kept."""

RESULT_BYTES_MAX = 4 * 2**20
"""How much comes back in files: with the log and in base64 it stays below what the market's store takes."""

RESULTS_MAX = 1_000
_LOOKED_AT_MAX, _NAME_MAX = 100_000, 200


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
    content = _read(folder / "log", LOG_BYTES_MAX + 100)
    return (content or b"").decode("utf-8", errors="replace").replace("\0", "\ufffd")


def results_of(folder: Path, patterns: Sequence[str]) -> tuple[dict[str, bytes], list[str]]:
    """The files below `folder`/files that match, by name, and a sentence for each that is left out.

    A link is never followed, neither as a file nor on the way to one: a job may have left one to what is not its own.
    """
    found: dict[str, bytes] = {}
    left_out: list[str] = []
    size = 0
    for name, path in _matching(folder / "files", patterns):
        content = _read(path, RESULT_BYTES_MAX - size + 1) if len(found) < RESULTS_MAX else None
        if content is None or size + len(content) > RESULT_BYTES_MAX:
            left_out.append(
                f"{name} is left out: {RESULTS_MAX:,} plain files and {RESULT_BYTES_MAX:,} bytes come back."
            )
        else:
            found[name] = content
            size += len(content)
    return found, left_out[:100]


def _matching(root: Path, patterns: Sequence[str]) -> Iterator[tuple[str, Path]]:
    wanted = [pattern.split("/") for pattern in patterns]
    looked_at = 0
    # os.walk does not go into links.
    for base, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            looked_at += 1
            if looked_at > _LOOKED_AT_MAX:
                return
            path = Path(base, name)
            relative = path.relative_to(root)
            said = relative.as_posix()
            good = said.isprintable() and "\\" not in said and len(said) <= _NAME_MAX
            if good and any(matches(relative.parts, parts) for parts in wanted):
                yield said, path


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a pattern, part by part; `**` stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(matches(parts[skip:], pattern[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and matches(parts[1:], pattern[1:])


def _read(path: Path, bytes_max: int) -> bytes | None:
    """The beginning of a plain file; None for a link, a device, a pipe, or nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(bytes_max) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
