"""The files that `dispatch` and `submit` read. What is wrong with one is said with its name and the form wanted."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from ledger.agent.document import JobDocument, document_of_toml
from ledger.areas import Areas
from ledger.dispatch.jobfile import JobLine, job_of
from ledger.errors import BadJobs, InputError, UnreadableText
from ledger.standard import Standard

EXAMPLE_TOML = """\
units = "1xH100 SXM"
hours = 1
deadline = "+12h"
price = "3.20 USD/H100-hour"

[run]
command = ["python3", "train.py"]
files = ["train.py"]
results = ["out/*.txt"]
"""
"""A job that `submit` reads, beside a file train.py; tests and the help read it too."""


def text_of(file: Path) -> str:
    """The file's text, without a byte order mark. Raises InputError for what is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        form = "CSV UTF-8" if file.suffix.casefold() == ".csv" else "UTF-8 text"
        raise InputError(f"{file.name} is not UTF-8 text.", f"Save it as {form}.") from None


def document_of(file: Path) -> JobDocument:
    """What the file's table [run] describes. Raises InputError."""
    text = text_of(file)
    try:
        return document_of_toml(text, file.parent)
    except UnreadableText as error:
        raise _unreadable(file, f"{error.text}: {error.why}") from None


class DocumentFiles:
    """What the lines of a CSV run: each names a TOML text in the CSV's `folder`, which is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, JobDocument | InputError] = {}

    def of(self, name: str) -> JobDocument:
        """The document of the file called `name`. Raises InputError, in a sentence that fits beside others."""
        if name not in self._known:
            self._known[name] = self._read(name)
        found = self._known[name]
        if isinstance(found, InputError):
            raise found
        return found

    def by_place(self, lines: Sequence[JobLine]) -> dict[int, JobDocument]:
        """The documents of jobs that have one, by the job's position."""
        return {place: self.of(line.job) for place, line in enumerate(lines) if line.job}

    def _read(self, name: str) -> JobDocument | InputError:
        path = self._folder / name
        if not path.is_file():
            return InputError(f"There is no file {name!r} beside the CSV.", "Name one, or leave the cell empty.")
        try:
            return document_of(path)
        except InputError as error:
            return InputError(error.problem, "`compute-ledger submit --help` shows one.")


def job_of_file(file: Path, areas: Areas, standard: Standard, now_s: int) -> JobLine:
    """The job that stands before the file's tables, by the columns of a file of jobs. Raises InputError."""
    try:
        said = tomllib.loads(text_of(file))
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(file, f"it is no TOML ({error})") from None
    plain = {name: value for name, value in said.items() if not isinstance(value, (dict, list))}
    words = {True: "yes", False: "no"}
    cells = {name: words[value] if isinstance(value, bool) else str(value) for name, value in plain.items()}
    try:
        return job_of({"name": file.stem} | cells | {"job": file.name}, areas, standard, now_s)
    except BadJobs as error:
        why = "; ".join(f"{column}: {why.rstrip('.')}" for _, column, why in error.cells)
        raise _unreadable(file, why) from None


def _unreadable(file: Path, why: str) -> InputError:
    return InputError(f"Cannot read {file.name} as a job: {why}.", f"Write it like this:\n\n{EXAMPLE_TOML}")
