"""Settings come from a mapping, are checked at once, and keep their secrets."""

import os
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import BadSetting, Secret, Settings, explain_settings, read_settings
from ledger.settings import LOCAL_NODE, host_of, urls_of, variable_of

SECRET_URL = "https://user:hunter2@node.example:8443/v3/api-key-0123"


def test_nothing_named_gives_the_local_node() -> None:
    settings = read_settings({})
    assert settings == Settings()
    assert settings.rpc_url == LOCAL_NODE
    assert settings.rpc_host == "127.0.0.1:8545"


def test_every_field_has_its_variable() -> None:
    values = {
        "RPC_URL": SECRET_URL,
        "CHAIN_ID": "31337",
        "MANIFEST": "a/b.json",
        "KEYSTORE": "key.json",
        "PASSPHRASE": "open sesame",
        "PASSPHRASE_FILE": "pass",
        "ACCOUNT": "3",
        "DATA": "data",
        "DATABASE": "postgresql://someone:hunter2@db.example/ledger",
        "RPC_TIMEOUT_S": "5",
        "HEAD_LAG_MAX_BLOCKS": "9",
        "RECEIPT_TIMEOUT_S": "60",
        "FEE_CAP_GWEI": "7",
    }
    settings = read_settings({f"COMPUTE_LEDGER_{name}": f" {value} " for name, value in values.items()})
    assert settings == Settings(
        rpc_url=Secret(SECRET_URL),
        chain_id=31337,
        manifest=Path("a/b.json"),
        keystore=Path("key.json"),
        passphrase=Secret("open sesame"),
        passphrase_file=Path("pass"),
        account=3,
        data=Path("data"),
        database=Secret("postgresql://someone:hunter2@db.example/ledger"),
        rpc_timeout_s=5,
        head_lag_max_blocks=9,
        receipt_timeout_s=60,
        fee_cap_gwei=7,
    )
    assert {row[0] for row in explain_settings()} == {variable_of(one.name) for one in fields(Settings)}


def test_secrets_stay_hidden() -> None:
    settings = read_settings({"COMPUTE_LEDGER_RPC_URL": SECRET_URL, "COMPUTE_LEDGER_PASSPHRASE": "open sesame"})
    shown = f"{settings!r} {settings} {settings.rpc_host} {explain_settings()}"
    for secret in ("hunter2", "api-key", "sesame"):
        assert secret not in shown
    assert settings.rpc_host == "node.example:8443"
    assert settings.rpc_url.reveal() == SECRET_URL


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("RPC_URL", "node.example"),
        ("RPC_URL", "ftp://node.example"),
        ("RPC_URL", "http://"),
        ("RPC_URL", "http://node.example, other.example"),
        ("RPC_URL", ","),
        ("HEAD_LAG_MAX_BLOCKS", "-1"),
        ("CHAIN_ID", "one"),
        ("CHAIN_ID", "0"),
        ("CHAIN_ID", "-1"),
        ("CHAIN_ID", "\u0661"),
        ("RPC_TIMEOUT_S", "0"),
        ("RPC_TIMEOUT_S", "1e2"),
        ("FEE_CAP_GWEI", "1.5"),
    ],
)
def test_value_that_cannot_be_is_refused_without_repeating_it(name: str, text: str) -> None:
    with pytest.raises(BadSetting) as refused:
        read_settings({f"COMPUTE_LEDGER_{name}": text})
    assert refused.value.name == f"COMPUTE_LEDGER_{name}"
    assert f" {text} " not in str(refused.value)


@pytest.mark.parametrize("between", [",", ", ", " ", "\n", " ,\t"])
def test_several_nodes_are_named_in_one_variable(between: str) -> None:
    urls = [SECRET_URL, "http://127.0.0.1:8545", "https://other.example/?key=hunter3"]
    settings = read_settings({"COMPUTE_LEDGER_RPC_URL": between.join(urls)})
    assert urls_of(settings.rpc_url.reveal()) == urls
    assert settings.rpc_host == "node.example:8443, 127.0.0.1:8545, other.example"


def test_misspelt_variable_is_refused_with_the_right_one() -> None:
    with pytest.raises(BadSetting, match=r"Did you mean COMPUTE_LEDGER_RPC_URL\?"):
        read_settings({"COMPUTE_LEDGER_RPC_ULR": "http://127.0.0.1:1"})


def test_variables_of_other_programs_are_left_alone() -> None:
    assert read_settings({"COMPUTE_LEDGER_STEPS": "x", "RPC_ULR": "y", "COMPUTE_LEDGER_CHAIN_ID": "  "}) == Settings()


def test_two_keys_are_one_too_many() -> None:
    with pytest.raises(BadSetting, match="KEYSTORE and COMPUTE_LEDGER_MNEMONIC_FILE"):
        read_settings({"COMPUTE_LEDGER_KEYSTORE": "a", "COMPUTE_LEDGER_MNEMONIC_FILE": "b"})


@given(st.dictionaries(st.sampled_from([variable_of(one.name) for one in fields(Settings)]), st.text()))
def test_any_text_is_read_or_refused(environment: dict[str, str]) -> None:
    try:
        settings = read_settings(environment)
    except BadSetting:
        return
    with pytest.raises(FrozenInstanceError):
        settings.account = 1  # type: ignore[misc]


def test_this_processs_environment_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "COMPUTE_LEDGER_CHAIN_ID", "5")
    assert read_settings({}).chain_id is None


def test_secrets_compare_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert host_of("https://node.example/x") == "node.example"
