"""`compute-ledger audit` on a played day: says that all is well, exports, and fails aloud where something is not."""

import csv
import sqlite3
from pathlib import Path

import pytest

from ledger.cli.audit import FAULTY
from ledger.cli.console import MISTAKEN
from tests.day import tiny_day, tiny_url
from tests.faults import faulty
from tests.ledger.conftest import Shell


@pytest.fixture
def day_shell(bare_shell: Shell, tmp_path: Path) -> Shell:
    """In the market of the played day."""
    day = tiny_day()
    manifest = tmp_path / "day.json"
    day.market.deployment.write(manifest)
    named = {
        "COMPUTE_LEDGER_MANIFEST": str(manifest),
        "COMPUTE_LEDGER_RPC_URL": tiny_url(),
        "COMPUTE_LEDGER_DATABASE": f"sqlite:///{tmp_path / 'history.db'}",
    }
    return Shell({**bare_shell.environment, **named})


def test_audit_proves_the_day(day_shell: Shell) -> None:
    said = day_shell("audit")
    assert said.code == 0, said.err + said.out
    assert "INV-17" in said.out
    assert "Nothing is wrong" in said.out
    report = day_shell("audit", "--json").json
    assert report["clean"]
    assert report["root"] in said.out
    assert report["findings"] == []


def test_audit_to_a_block_has_another_root(day_shell: Shell) -> None:
    block = tiny_day().chain.block().number - 5
    early = day_shell("audit", "--json", "--block", block).json
    assert (early["clean"], early["block"]) == (True, block)
    assert early["root"] != day_shell("audit", "--json").json["root"]


def test_audit_exports_lines_and_balances(day_shell: Shell, tmp_path: Path) -> None:
    said = day_shell("audit", "--export", tmp_path / "out")
    assert said.code == 0
    with (tmp_path / "out" / "lines.csv").open(newline="") as text:
        assert len(list(csv.reader(text))) > 100
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"lines.csv", "lines.parquet", "balances.csv"}


def test_audit_holds_the_database_too(day_shell: Shell, tmp_path: Path) -> None:
    assert day_shell("audit", "--database").code == MISTAKEN
    assert day_shell("index").code == 0
    assert day_shell("audit", "--database").code == 0
    with sqlite3.connect(tmp_path / "history.db") as database:
        database.execute("UPDATE cash SET deposited_micro = '17' WHERE owner = (SELECT min(owner) FROM cash)")
    said = day_shell("audit", "--database", "--json")
    assert said.code == FAULTY
    (finding,) = said.json["findings"]
    assert (finding["where"], finding["actual"]) == ("cash: deposited_micro", "17")
    assert finding["block"] > 0


def test_audit_of_a_node_that_drops_logs_names_them(day_shell: Shell) -> None:
    with faulty(tiny_url(), seed=5) as proxy:
        proxy.drop_logs = 0.01
        said = day_shell("audit", "--json", "--from-rpc", proxy.url)
    assert said.code == FAULTY
    assert {finding["rule"] for finding in said.json["findings"]} >= {"RECEIPTS"}
    assert all(finding["block"] for finding in said.json["findings"] if not finding["rule"].startswith("INV"))


def test_audit_holds_the_block_against_a_hash_from_elsewhere(day_shell: Shell) -> None:
    report = day_shell("audit", "--json").json
    assert day_shell("audit", "--block-hash", report["block_hash"]).code == 0
    said = day_shell("audit", "--json", "--block-hash", "0x" + "12" * 32)
    assert said.code == FAULTY
    assert [one["where"] for one in said.json["findings"]] == ["hash of the audited block"]
