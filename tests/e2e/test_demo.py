"""The demo as a newcomer runs it: by its script, on a node and without one."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ledger import connect, list_prices

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 400
SIDES = (("BID",), ("ASK", "OFFER"))


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    # The package's own cut, so that every machine plays the same day.
    command = [sys.executable, "-m", "ledger.demo.main", "--data", str(ROOT / "ledger" / "data"), *options]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=ROOT, env=environment()
    )


def environment() -> dict[str, str]:
    return os.environ | {"COLUMNS": "100"}


@cache
def record(chain: str) -> dict[str, Any]:
    ran = demo("--small", "--json", "--chain", chain)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_demo_trades_and_every_check_holds() -> None:
    found = record("anvil")
    assert sum(trade["units"] for trade in found["trades"]) > 0
    assert found["checks"]
    assert all(check["findings"] == [] for check in found["checks"])


def test_demo_clears_where_supply_meets_demand() -> None:
    for trade in record("anvil")["trades"]:
        traded = {kind: sum(one["traded_units"] for one in trade["orders"] if one["kind"] in kind) for kind in SIDES}
        assert set(traded.values()) == {trade["units"]}
        for order in trade["orders"]:
            if order["traded_units"]:
                better = order["price_micro"] - trade["price_micro"]
                assert better >= 0 if order["kind"] == "BID" else better <= 0


def test_demo_money_is_neither_lost_nor_made() -> None:
    people = record("anvil")["people"]
    assert sum(one["net_micro"] for one in people.values()) == 0
    providers = {name for name, one in people.items() if one["listed_micro"]}
    assert providers & {price.provider for price in list_prices()}
    # Nobody sells under list price: what it would have cost there is at most what was earned, but for resales.
    assert all(people[name]["earned_micro"] >= people[name]["listed_micro"] for name in providers)


def test_demo_refunds_by_rule() -> None:
    ends = {lease["reason"]: lease for lease in record("anvil")["leases"]}
    assert set(ends) == {"ACCEPTED", "UNREPORTED", "RULED", "UNDISPUTED"}
    assert ends["UNREPORTED"]["to_provider_micro"] == 0 < ends["UNREPORTED"]["to_holder_micro"]
    assert ends["UNDISPUTED"]["to_holder_micro"] == 0


@pytest.mark.slow
def test_demo_is_the_same_day_on_both_chains() -> None:
    assert record("tester") == record("anvil")


def test_demo_prints_plain_tables_where_nobody_watches() -> None:
    ran = demo("--small", "--seed", "2")
    assert ran.returncode == 0, ran.stderr
    assert "\x1b" not in ran.stdout
    assert "Clearings" in ran.stdout
    assert "INV-16" in ran.stdout
    assert all(len(line) <= 100 for line in ran.stdout.splitlines())


def test_demo_says_what_is_wrong_with_its_data(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ledger.demo.main", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=ROOT,
    )
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr + ran.stdout


@pytest.fixture
def staying() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "ledger.demo.main", "--small", "--stay"]
    unbuffered = environment() | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=unbuffered) as process:
        yield process
        process.kill()


def test_demo_stays_until_interrupted(staying: subprocess.Popen[str]) -> None:
    url, lines = "", iter(staying.stdout or [])
    for line in lines:
        url = url or (re.search(r"RPC_URL=(http://127\.0\.0\.1:\d+)", line) or [line, ""])[1]
        if "use them nowhere else" in line:
            break
    assert connect(url).block().number > 0
    staying.send_signal(signal.SIGINT)
    assert staying.wait(timeout=60) == 0
    assert "Closed." in "".join(lines)
