"""Settings are read at once, and a misspelt one is told."""

from pathlib import Path

import pytest

from api.settings import PREFIX, SERVICES, ApiSettings, explain_api_settings, read_api_settings
from ledger import BadSetting, Secret


def test_nothing_said_gives_the_defaults() -> None:
    assert read_api_settings({PREFIX + "PORT": " ", "PATH": "/bin"}) == ApiSettings()
    assert ApiSettings().services == SERVICES


def test_each_variable_is_read() -> None:
    said = {"HOST": "0.0.0.0", "PORT": "81", "SERVICES": "index, sender", "KEYSTORES": "k", "ADMIN_KEY": "secret"}
    said |= {"NAMES": "a.example,b.example", "ORIGINS": "https://c.example", "READS_PER_MINUTE": "0"}
    said |= {"WRITES_PER_MINUTE": "7", "BODY_BYTES_MAX": "2048"}
    found = read_api_settings({PREFIX + name: value for name, value in said.items()})
    assert (found.host, found.port, found.services) == ("0.0.0.0", 81, frozenset({"index", "sender"}))
    assert (found.keystores, found.admin_key, found.body_bytes_max) == (Path("k"), Secret("secret"), 2048)
    assert (found.names, found.origins) == (frozenset({"a.example", "b.example"}), frozenset({"https://c.example"}))
    assert (found.reads_per_minute, found.writes_per_minute) == (0, 7)
    assert {name for name, _ in explain_api_settings()} == {PREFIX + name for name in said}
    assert "secret" not in repr(found)


def test_none_runs_nothing_beside() -> None:
    assert read_api_settings({PREFIX + "SERVICES": "none"}).services == frozenset()


def test_the_ledgers_own_settings_are_read_too() -> None:
    found = read_api_settings({"COMPUTE_LEDGER_CHAIN_ID": "5", PREFIX + "PORT": "81"})
    assert (found.ledger.chain_id, found.port) == (5, 81)


@pytest.mark.parametrize(("name", "value"), [("PORT", "x"), ("SERVICES", "indx"), ("PROT", "81"), ("PORT", "0")])
def test_what_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadSetting) as refusal:
        read_api_settings({PREFIX + name: value})
    assert PREFIX + name in refusal.value.problem
