"""What the API needs to know of its surroundings, beside what the ledger does: variables that begin with
COMPUTE_LEDGER_API_."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger import BadSetting, Secret, Settings, read_settings

PREFIX = "COMPUTE_LEDGER_API_"
SERVICES = frozenset({"index", "keeper", "sender", "dispatch"})
_BYTES_MAX = 2**20


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Where the API listens, what runs beside it in the same process, and what it lets strangers do."""

    ledger: Settings = field(default_factory=Settings)
    host: str = "127.0.0.1"
    port: int = 8000
    services: frozenset[str] = SERVICES
    keystores: Path = Path("run/keystores")
    admin_key: Secret | None = None
    names: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]", "testserver"})
    origins: frozenset[str] = frozenset()
    reads_per_minute: int = 12_000
    writes_per_minute: int = 1_200
    body_bytes_max: int = 256 * 1024


def _names(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


def _services(text: str) -> frozenset[str]:
    named = _names(text) - {"none"}
    if named - SERVICES:
        raise ValueError(f"it knows no {', '.join(sorted(named - SERVICES))}")
    return named


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"it is no whole number from {least} to {most}")
        return int(text)

    return parse


_FIELDS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "host": (str, "the address to listen on"),
    "port": (_number(1, 65_535), "the port to listen on"),
    "services": (_services, "what runs in this process: index, keeper, sender, dispatch, or none"),
    "keystores": (Path, "the folder of the managed accounts' keys"),
    "admin_key": (Secret, "who may make keys of managed accounts; without one, anyone on a local chain"),
    "names": (_names, "the host names under which the API is reached"),
    "origins": (_names, "other sites whose pages may call the API"),
    "reads_per_minute": (_number(0, 10**9), "how much one caller may read in a minute; 0 for no limit"),
    "writes_per_minute": (_number(0, 10**9), "how much one caller may write in a minute; 0 for no limit"),
    "body_bytes_max": (_number(1_024, _BYTES_MAX), "the longest body that is read"),
}


def explain_api_settings() -> list[tuple[str, str]]:
    """Every variable with what it says, for people."""
    return [(PREFIX + name.upper(), meaning) for name, (_, meaning) in _FIELDS.items()]


def read_api_settings(environment: Mapping[str, str]) -> ApiSettings:
    """The settings that `environment` names; empty variables count as absent. Raises BadSetting."""
    ours = {name for name in environment if name.startswith(PREFIX)}
    unknown = ours - {PREFIX + name.upper() for name in _FIELDS}
    if unknown:
        raise BadSetting(min(unknown), "there is no such setting", "Leave it out, or correct its name.")
    values: dict[str, Any] = {}
    for name, (parse, meaning) in _FIELDS.items():
        text = environment.get(PREFIX + name.upper(), "").strip()
        if text:
            try:
                values[name] = parse(text)
            except ValueError as error:
                raise BadSetting(PREFIX + name.upper(), str(error), f"It is {meaning}.") from None
    ledger = read_settings({name: text for name, text in environment.items() if name not in ours})
    return ApiSettings(ledger=ledger, **values)
