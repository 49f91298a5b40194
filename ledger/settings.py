"""What the ledger needs to know of its surroundings: one frozen value, made from a mapping that is passed in.

Nothing here reads the environment: `read_settings(os.environ)` is for the program to call.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ledger.errors import BadSetting

PREFIX = "COMPUTE_LEDGER_"


class Secret:
    """A text that does not show itself: not printed, not in a traceback, not in JSON."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text, for the one who needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


LOCAL_NODE = Secret("http://127.0.0.1:8545")
LOCAL_DATABASE = Secret("sqlite:///run/ledger.db")


def urls_of(text: str) -> list[str]:
    """The addresses in a text that names one or several, with commas or spaces between them."""
    return [url for url in re.split(r"[,\s]+", text) if url]


def _urls(text: str) -> Secret:
    for url in urls_of(text) or [""]:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it is no http or https address")
    return Secret(text)


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"it is no whole number from {least} to {most}")
        return int(text)

    return parse


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the chain is, which market on it, and whose key signs. Each field is the variable COMPUTE_LEDGER_ and its
    name in capitals; a key comes from one of `keystore`, `key_file` and `mnemonic_file`."""

    rpc_url: Secret = LOCAL_NODE
    chain_id: int | None = None
    manifest: Path = Path("run/deployment.json")
    keystore: Path | None = None
    passphrase: Secret | None = None
    passphrase_file: Path | None = None
    key_file: Path | None = None
    mnemonic_file: Path | None = None
    account: int = 0
    data: Path | None = None
    database: Secret = LOCAL_DATABASE
    rpc_timeout_s: int = 20
    head_lag_max_blocks: int = 3
    receipt_timeout_s: int = 120
    fee_cap_gwei: int = 500

    def __post_init__(self) -> None:
        named = [name for name in ("keystore", "key_file", "mnemonic_file") if getattr(self, name) is not None]
        if len(named) > 1:
            variables = " and ".join(variable_of(name) for name in named)
            raise BadSetting(variables, "more than one key is named", "Keep one of them.")

    @property
    def rpc_host(self) -> str:
        """Host and port of each node: what may be shown of an address that may hold a key."""
        return ", ".join(host_of(url) for url in urls_of(self.rpc_url.reveal()))


# How each field is read, and what it says.
_FIELDS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "rpc_url": (
        _urls,
        "the node's JSON-RPC address, or several with commas between them: the first that is well is read",
    ),
    "chain_id": (_number(1, 2**63), "the chain that is meant; else the manifest says"),
    "manifest": (Path, "the deployment manifest"),
    "keystore": (Path, "a keystore V3 file"),
    "passphrase": (Secret, "the keystore's passphrase"),
    "passphrase_file": (Path, "a file with the keystore's passphrase"),
    "key_file": (Path, "a file with a raw private key in hex"),
    "mnemonic_file": (Path, "a file with a mnemonic phrase"),
    "account": (_number(0, 2**31 - 1), "which account of the mnemonic"),
    "data": (Path, "a folder with full data files, instead of the shipped cuts"),
    "database": (Secret, "where the ledger keeps what it must not forget: sqlite:///FILE or postgresql://…"),
    "rpc_timeout_s": (_number(1, 600), "how long to wait for the node's answer"),
    "head_lag_max_blocks": (
        _number(0, 10_000),
        "how far behind the best of several nodes one may be and still be read",
    ),
    "receipt_timeout_s": (_number(1, 86_400), "how long to wait until a transaction is in a block"),
    "fee_cap_gwei": (_number(1, 10**9), "the most that a unit of gas may cost"),
}


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def host_of(url: str) -> str:
    """Host and port of an address, without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def explain_settings() -> list[tuple[str, str, str]]:
    """Every variable with what it says and its default, for people."""
    return [
        (variable_of(one.name), _FIELDS[one.name][1], "" if one.default is None else _shown(one.default))
        for one in fields(Settings)
    ]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that `environment` names; empty variables count as absent.

    Raises BadSetting for a value that cannot be, and for a variable that looks like a misspelt one of ours.
    """
    _refuse_misspelt(environment, [variable_of(name) for name in _FIELDS])
    values = {}
    for name, (parse, meaning) in _FIELDS.items():
        text = environment.get(variable_of(name), "").strip()
        if not text:
            continue
        try:
            values[name] = parse(text)
        except ValueError as error:
            raise BadSetting(variable_of(name), str(error), f"It is {meaning}.") from None
    return Settings(**values)


def _refuse_misspelt(environment: Mapping[str, str], known: list[str]) -> None:
    for variable in environment:
        if variable.startswith(PREFIX) and variable not in known:
            near = get_close_matches(variable, known, n=1, cutoff=0.9)
            if near:
                raise BadSetting(variable, "there is no such setting", f"Did you mean {near[0]}?")


def _shown(default: object) -> str:
    return default.reveal() if isinstance(default, Secret) else str(default)
