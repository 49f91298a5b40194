"""What is to be run, as one canonical text: the lease names it by its keccak-256, so nobody can slip in another.

    {"command":["python3","train.py"],"environment":{"SEED":"1"},"files":{"train.py":"cHJpbnQoMSk="},
     "image":"","results":["out/*.txt"],"version":1}

in UTF-8, keys sorted, no spaces, at most 1 MiB. `files` are the names and contents (base64) that the command finds in
its folder; `results` are the patterns of what is given back of that folder; `image` is a container's, and stays empty
where the command runs as it is.
"""

import json
import re
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from eth_utils.crypto import keccak

from ledger.errors import InputError, UnreadableText

BYTES_MAX = 2**20
"""How long a document may be."""

NOTHING = keccak(b"")
"""The job hash of a lease that runs nothing: its capacity stands ready, and is delivered by standing ready."""

_VERSION = 1
_WORDS_MAX, _FILES_MAX, _RESULTS_MAX, _NAME_MAX, _IMAGE_MAX = 1_000, 1_000, 100, 200, 300
_BRACKETS = 5
# Nothing is given back, and the end of the text ends a string: each byte is looked at once, whatever stands there.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_EXAMPLE = '{"command":["echo","hi"],"environment":{},"files":{},"image":"","results":[],"version":1}'
_KEYS = ("command", "environment", "files", "image", "results", "version")
_TOML_KEYS = {"command", "environment", "files", "image", "results"}


@dataclass(frozen=True)
class JobDocument:
    """A job: the command with its arguments, variables of its environment, files by their relative names, patterns of
    its results, and the container's image where it wants one. Raises UnreadableText for what no document may say."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    image: str = ""

    def __post_init__(self) -> None:
        _check_command(self.command)
        _check_environment(self.environment)
        _require(len(self.files) <= _FILES_MAX, "files", f"there are {len(self.files)}, at most {_FILES_MAX}")
        for name in self.files:
            _check_path(name, "files")
        for name in self.files:
            inside = [str(one) for one in PurePosixPath(name).parents]
            _require(not set(inside) & set(self.files), "files", f"{name!r} lies in another file")
        _require(len(self.results) <= _RESULTS_MAX, "results", f"there are {len(self.results)}, at most {_RESULTS_MAX}")
        for pattern in self.results:
            _check_path(pattern, "results")
        good = not self.image or (len(self.image) <= _IMAGE_MAX and _IMAGE.fullmatch(self.image))
        _require(bool(good), "image", f"{self.image[:40]!r} is no name of an image")

    def encode(self) -> bytes:
        """The canonical bytes. Raises InputError where they are more than 1 MiB."""
        said = {
            "command": list(self.command),
            "environment": dict(self.environment),
            "files": {name: b64encode(content).decode() for name, content in self.files.items()},
            "image": self.image,
            "results": list(self.results),
            "version": _VERSION,
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) > BYTES_MAX:
            raise InputError(
                f"The job document has {len(text):,} bytes, at most {BYTES_MAX:,} go into one.",
                "Let the command fetch what is large.",
            )
        return text

    @cached_property
    def hash(self) -> bytes:
        """The keccak-256 of its bytes: the lease's jobHash."""
        return keccak(self.encode())


def read_document(content: bytes) -> JobDocument:
    """The job that these bytes say. Raises UnreadableText for bytes that are no document, or not canonical."""
    _require(len(content) <= BYTES_MAX, "document", f"it has {len(content):,} bytes, at most {BYTES_MAX:,}")
    # Counted before it is read: a text that nests deep enough ends a parser's stack, and with it the process.
    bare = _STRING.sub(b"", content)
    depth = bare.count(b"{") + bare.count(b"[")
    _require(depth <= _BRACKETS, "document", "it has more lists and objects than a job")
    try:
        said = json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, ValueError) as error:
        raise _unreadable("document", f"it is no JSON ({str(error)[:80]})") from None
    _require(isinstance(said, dict), "document", "it is no JSON object")
    _require(set(said) == set(_KEYS), "document", f"its keys are not {', '.join(_KEYS)}")
    _require(said["version"] == _VERSION and type(said["version"]) is int, "version", f"it is not {_VERSION}")
    document = _document_of(said)
    _require(document.encode() == content, "document", "it is not in its canonical form")
    return document


def _document_of(said: Mapping[str, Any]) -> JobDocument:
    files = _texts_by_name(said["files"], "files")
    try:
        contents = {name: b64decode(text, validate=True) for name, text in files.items()}
    except ValueError:
        raise _unreadable("files", "a content is not base64") from None
    _require(isinstance(said["image"], str), "image", "it is no text")
    return JobDocument(
        command=tuple(_texts(said["command"], "command")),
        environment=_texts_by_name(said["environment"], "environment"),
        files=contents,
        results=tuple(_texts(said["results"], "results")),
        image=said["image"],
    )


def document_of_toml(text: str, folder: Path) -> JobDocument:
    """The job that the table `[run]` of a TOML text describes; what stands outside of it is not looked at.

        [run]
        command = ["python3", "train.py"]      # a list, or one text that the shell reads
        files = ["train.py", "data/*.csv"]     # names or patterns in `folder`
        results = ["out/*.txt"]
        environment = { SEED = "1" }

    Raises UnreadableText, also for a file that is not there.
    """
    try:
        said: Any = tomllib.loads(text).get("run")
    except tomllib.TOMLDecodeError as error:
        raise _unreadable("document", f"it is no TOML ({error})") from None
    _require(isinstance(said, dict), "document", "it has no table [run]")
    unknown = sorted(set(said) - _TOML_KEYS)
    _require(not unknown, "document", f"[run] knows no {', '.join(unknown)}")
    _require("command" in said, "command", "[run] names none")
    command = said["command"]
    patterns = _texts(said.get("files", []), "files")
    image = said.get("image", "")
    _require(isinstance(image, str), "image", "it is no text")
    document = JobDocument(
        command=("sh", "-c", command) if isinstance(command, str) else tuple(_texts(command, "command")),
        environment=_texts_by_name(said.get("environment", {}), "environment"),
        files={name: content for one in patterns for name, content in _files_of(folder, one).items()},
        results=tuple(_texts(said.get("results", []), "results")),
        image=image,
    )
    document.encode()
    return document


def _files_of(folder: Path, pattern: str) -> dict[str, bytes]:
    _check_path(pattern, "files")
    found = [one for one in sorted(folder.glob(pattern)) if one.is_file()]
    _require(bool(found), "files", f"there is no {pattern!r} in {folder}")
    size = sum(one.stat().st_size for one in found)
    _require(size <= BYTES_MAX, "files", f"{pattern!r} has {size:,} bytes, at most {BYTES_MAX:,}")
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in found}


# ---- what may be said


def _check_command(command: Sequence[str]) -> None:
    _require(0 < len(command) <= _WORDS_MAX, "command", f"it has {len(command)} words, 1 to {_WORDS_MAX}")
    _require(bool(command[0]), "command", "its first word is empty")
    _require(all("\0" not in word for word in command), "command", "a word holds a zero byte")
    _require_text("".join(command), "command")


def _check_environment(environment: Mapping[str, str]) -> None:
    _require(len(environment) <= _WORDS_MAX, "environment", f"it has {len(environment)} variables")
    for name, value in environment.items():
        good = _VARIABLE.fullmatch(name) and len(name) <= _NAME_MAX
        _require(bool(good), "environment", f"{name[:40]!r} is no name of a variable")
        _require("\0" not in value, "environment", f"{name} holds a zero byte")
        _require_text(value, "environment")


def _check_path(name: str, where: str) -> None:
    """A relative path inside of the folder, written in the one way."""
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") and "\0" not in part and "\\" not in part for part in parts)
    _require(plain and len(name) <= _NAME_MAX, where, f"{name[:40]!r} is no plain path inside of the folder")
    _require("\n" not in name and "\r" not in name, where, f"{name[:40]!r} has more than one line")
    _require_text(name, where)
    # A file system bounds each part by its bytes, at 255: a longer name would be refused only where it is laid out.
    longest = max(len(part.encode()) for part in parts)
    _require(longest <= _NAME_MAX, where, f"{name[:40]!r} has a part of {longest} bytes, at most {_NAME_MAX}")


def _require_text(text: str, where: str) -> None:
    """Lone surrogates are in JSON, and in no file name or UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _unreadable(where, "it holds half a character") from None


def _texts(value: Any, where: str) -> list[str]:
    _require(isinstance(value, list) and all(isinstance(one, str) for one in value), where, "it is no list of texts")
    return list(value)


def _texts_by_name(value: Any, where: str) -> dict[str, str]:
    good = isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    _require(good, where, "it does not give a text for each name")
    return dict(value)


def _require(good: bool, where: str, why: str) -> None:
    if not good:
        raise _unreadable(where, why)


def _unreadable(where: str, why: str) -> UnreadableText:
    return UnreadableText("a job document", where, why, _EXAMPLE)
