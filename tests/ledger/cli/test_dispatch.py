"""One command with a file of jobs: they are shown, bought, redeemed and waited for, and Ctrl-C loses nothing."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import DEVELOPMENT_MNEMONIC
from ledger.agent.jobstore import FolderJobs, result_of
from ledger.agent.readings import MeterReading, reading_domain, sign_reading, usage_root
from ledger.cli import dispatch as module
from ledger.delivery import Delivery
from ledger.model import LeaseState
from ledger.product import Product
from ledger.units import MILLI_PER_UNIT, format_hour
from tests.bazaar import FRANKFURT, TOKYO, Bazaar, bazaar, metro, wide
from tests.ledger.conftest import Shell
from tests.world import BUYER, PROVIDER


@pytest.fixture(scope="module")
def fair() -> Iterator[Bazaar]:
    with bazaar() as found:
        for place in (FRANKFURT, TOKYO):
            found.site(place)
        yield found


@pytest.fixture
def shop(bare_shell: Shell, fair: Bazaar, tmp_path: Path) -> Shell:
    """The command line at that market, whose offers begin in three hours."""
    manifest, phrase = tmp_path / "deployment.json", tmp_path / "phrase"
    fair.market.deployment.write(manifest)
    phrase.write_text(DEVELOPMENT_MNEMONIC)
    phrase.chmod(0o600)
    fair.go_to(fair.chain.time_s() + 24 * 3_600)
    fair.new_round()
    hour = fair.now_hour + 3
    fair.offer(fair.sites[FRANKFURT][0], [metro(hour, FRANKFURT)], 1_000, tick=420)
    fair.offer(fair.sites[TOKYO][0], [wide(hour)], 1_000, tick=400)
    named = {"COMPUTE_LEDGER_RPC_URL": fair.url, "COMPUTE_LEDGER_MNEMONIC_FILE": str(phrase)}
    return Shell({**bare_shell.environment, **named})


def jobs_file(fair: Bazaar, folder: Path, more: str = "") -> Path:
    path = folder / "jobs.csv"
    first = format_hour(fair.now_hour + 1)
    path.write_text(
        "name,units,hours,earliest,deadline,metro,latency_ms,price,job\n"
        f"near,500 units,1h,{first},+8h,Frankfurt,15,4.00 USD/H100-hour,\n"
        f"far,1xH100 SXM,1h,{first},+8h,,,4.00 USD/H100-hour,{more}\n"
    )
    return path


def test_preview_shows_where_jobs_would_run_and_sends_nothing(shop: Shell, fair: Bazaar, tmp_path: Path) -> None:
    path, cash_micro = jobs_file(fair, tmp_path), fair.market.cash_micro(BUYER.address)
    said = shop.sends(BUYER, "dispatch", path, "--preview")
    assert {(one["job"], one["site"], one["units"]) for one in said["placements"]} == {
        ("near", 1, 500),
        ("far", 2, 1_000),
    }
    assert said["verified"]
    assert (said["totals"]["unit_hours"], said["left"], said["refusals"]) == (1_500, [], [])
    shown = shop("dispatch", "--preview", path, who=BUYER)
    assert shown.code == 0
    for text in ("Frankfurt", "Tokyo", "unit-hours placed", "1,500 of 1,500", "USD/H100h"):
        assert text in shown.out
    # Anyone may look, without a key.
    assert shop("dispatch", path, "--preview").code == 0
    assert fair.market.cash_micro(BUYER.address) == cash_micro


def test_jobs_are_bought_and_redeemed_over_several_commands(shop: Shell, fair: Bazaar, tmp_path: Path) -> None:
    path = jobs_file(fair, tmp_path)
    first = shop.sends(BUYER, "dispatch", path, "--once", "--idempotency-key", "mine")
    assert (first["phase"], [job["bidding"] for job in first["jobs"]]) == ("buying", [500, 1_000])
    number = first["number"]
    # The same command again is the same dispatch.
    assert shop.sends(BUYER, "dispatch", path, "--once", "--idempotency-key", "mine")["number"] == number
    fair.go_to(fair.market.round_end_s(fair.market.current_round()) + 61)
    state = shop.sends(BUYER, "dispatch", "--resume", number, "--once")
    assert (state["phase"], [job["running"] for job in state["jobs"]]) == ("running", [500, 1_000])
    assert shop.sends(BUYER, "dispatch", "show", number) == state
    [row] = shop.sends(BUYER, "dispatch", "list")
    assert (row["number"], row["unit_hours"], row["owner"]) == (number, 1_500, BUYER.address)
    assert "1,000" in shop("dispatch", "show", number, who=BUYER).out
    stopped = shop.sends(BUYER, "dispatch", "stop", number)
    # What runs takes its course.
    assert (stopped["phase"], stopped["stopped"], stopped["note"]) == (
        "running",
        True,
        "it was stopped; its leases run",
    )


def test_what_is_left_when_it_is_stopped_is_offered_and_sold(shop: Shell, fair: Bazaar, tmp_path: Path) -> None:
    number = shop.sends(BUYER, "dispatch", jobs_file(fair, tmp_path), "--once")["number"]
    fair.go_to(fair.market.round_end_s(fair.market.current_round()) + 61)
    said = shop("dispatch", "stop", number, "--json", who=BUYER)
    stopped = json.loads(said.out)
    assert (stopped["phase"], stopped["unused_units"], stopped["selling_unit_hours"]) == ("selling", 1_500, 1_500)
    assert f"dispatch --resume {number}" in said.err
    fair.market.bid(wide(fair.now_hour + 3), 400, tick=900).send(PROVIDER)
    fair.go_to(fair.market.round_end_s(fair.market.current_round()) + 61)
    state = shop.sends(BUYER, "dispatch", "--resume", number, "--once")
    assert (state["sold_unit_hours"], state["unused_units"]) == (400, 1_100)
    assert state["balance_micro"] == state["sold_micro"] - state["spent_micro"] < 0 < state["sold_micro"]
    shown = shop("dispatch", "show", number, who=BUYER)
    assert "sold 400 again for" in shown.err


def test_ctrl_c_says_how_to_go_on(shop: Shell, fair: Bazaar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    monkeypatch.setattr(module, "_CATCH_UP_S", 0)
    said = shop("dispatch", jobs_file(fair, tmp_path), who=BUYER)
    assert said.code == 130
    assert "dispatch --resume" in said.err


def test_what_cannot_be_done_is_said_before_anything_is_sent(shop: Shell, fair: Bazaar, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("units,price,gang\nmany,4,perhaps\n")
    said = shop("dispatch", bad, "--json", who=BUYER)
    assert (said.code, said.error["type"]) == (2, "BadJobs")
    assert all(text in said.error["problem"] for text in ("line 2, units", "line 2, gang"))
    assert shop("dispatch", who=BUYER).code in (0, 2)
    assert shop("dispatch", "--resume", 99, "--once", who=BUYER).code == 2
    bad.write_text("units,price,job\nmany,4,none.toml\n10,free,\n10,1,2,3\n")
    said = shop("dispatch", bad, "--json", who=BUYER)
    assert (said.code, said.error["type"]) == (2, "BadJobs")
    places = ("line 2, units", "line 2, job", "line 3, price", "line 4, job")
    assert [place in said.error["problem"] for place in places] == [True] * 4, said.error["problem"]
    assert shop("dispatch", jobs_file(fair, tmp_path, "none.toml"), who=BUYER).code == 2
    (tmp_path / "job.toml").write_text('[run]\ncommand = "true"\n')
    nowhere = shop("dispatch", jobs_file(fair, tmp_path, "job.toml"), who=BUYER)
    assert (nowhere.code, "--jobs" in nowhere.err) == (2, True)
    assert shop.sends(BUYER, "dispatch", "list") == []


def test_slips_are_told_the_command_that_was_meant(shop: Shell, tmp_path: Path) -> None:
    said = shop("dispatch", "resume", "1", who=BUYER)
    assert (said.code, "`compute-ledger dispatch --resume 1`" in said.err) == (2, True)
    (tmp_path / "bad.toml").write_text('units = "8xH100"\n')
    bad = shop("submit", tmp_path / "bad.toml", who=BUYER)
    assert (bad.code, "bad.toml" in bad.err, "[run]\n" in bad.err) == (2, True, True)
    assert "[run]\n" in shop("submit", "--help").out


def test_example_is_a_file_that_dispatch_reads(shop: Shell, tmp_path: Path) -> None:
    for words in ((), ("--trace", "5")):
        path = tmp_path / "example.csv"
        path.write_text(shop("dispatch", "example", *words).out)
        assert shop("dispatch", path, "--preview", "--json", who=BUYER).code == 0


def test_tiers_are_shown_with_what_to_relax(shop: Shell, fair: Bazaar) -> None:
    said = shop.sends(BUYER, "dispatch", "tiers", "--class", "AI_LARGE")
    assert set(said) == {"block", "holds", "pairs", "relaxes"}
    assert shop("dispatch", "tiers").code == 0
    hour = fair.now_hour + 3
    fair.market.bid(wide(hour), 50, tick=500).send(BUYER)
    broken = shop.sends(BUYER, "dispatch", "tiers")
    assert not broken["holds"]
    assert (broken["relaxes"][0]["site"], broken["relaxes"][0]["units"]) == (fair.sites[FRANKFURT][0], 50)
    assert "Relax 50 units" in shop("dispatch", "tiers").out


def test_submitted_job_runs_where_its_document_is_found_and_its_results_come_back(
    shop: Shell, fair: Bazaar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderJobs(tmp_path / "store")
    path = tmp_path / "train.toml"
    path.write_text(
        'units = "100 units"\nhours = 1\ndeadline = "+8h"\nprice = "0.004"\n[run]\ncommand = ["echo", "hi"]\n'
    )
    assert shop("submit", path, "--preview", who=BUYER).code == 0
    done: list[int] = []
    looks: list[int] = []
    brought: list[bytes] = []
    waited: list[int] = []

    def meanwhile(_: float) -> None:
        """Between two looks a round ends; once there is a lease, its site finds the document, runs it and reports."""
        looks.append(1)
        assert len(looks) < 20
        if brought and fair.market.lease(done[0]).state is LeaseState.REPORTED:
            waited.append(1)
            if len(waited) > 2:
                store.put_result(done[0], brought[0])
            return
        fair.go_to(fair.market.round_end_s(fair.market.current_round()) + 61)
        count = fair.market.lease_count()
        lease = fair.market.lease(count) if count else None
        if lease is None or lease.holder != BUYER.address or lease.units != 100 or done:
            return
        done.append(count)
        product, domain = Product.from_id(lease.product), reading_domain(fair.market.deployment)
        reading = MeterReading(count, 0, product.start_s, product.end_s, 100 * MILLI_PER_UNIT)
        marks = [sign_reading(reading, domain, PROVIDER)]
        fair.go_to(product.end_s + 1)
        delivery = Delivery(fair.chain, fair.market.deployment, fair.market.sender)
        delivery.report(count, 100 * MILLI_PER_UNIT, usage_root([reading])).send(PROVIDER)
        # Until the readings are there, nothing is agreed with.
        store.put_result(count, result_of(0, "", {}, [reading.json()], [sign_reading(reading, domain, BUYER)]))
        brought.append(result_of(0, "hi\n", {"out.txt": b"done"}, [reading.json()], marks))

    monkeypatch.setattr(time, "sleep", meanwhile)
    monkeypatch.setattr(module, "_CATCH_UP_S", 0)
    words = ("submit", path, "--yes", "--accept", "--jobs", tmp_path / "store", "--results", tmp_path / "results")
    said = shop(*words, "--json", who=BUYER)
    assert said.code == 0, said.err
    [documents] = (tmp_path / "store" / "jobs").iterdir()
    assert json.loads(documents.read_bytes())["command"] == ["echo", "hi"]
    assert "hi" in said.out
    assert (said.err.count("is not signed by"), len(waited)) == (1, 3)
    assert (tmp_path / "results" / f"lease-{done[0]}" / "files" / "out.txt").read_bytes() == b"done"
