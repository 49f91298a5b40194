"""The same facts for people and for machines, and an exit code for each kind of failure."""

import json
from dataclasses import replace

import pytest

from ledger import InputError, LedgerError, NodeRefused, Preview, WrongChain
from ledger.action import Costs
from ledger.cli.console import MISTAKEN, REFUSED, UNAVAILABLE, Console, exit_code
from ledger.errors import refusal
from ledger.model import LeaseState

ROWS = [("AI_LARGE", 12_345, None), ("HPC", 7, b"\x01\x02")]


def test_table_is_a_list_of_objects_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    Console(as_json=True).table(("class", "unit-hours", "last price"), ROWS, "Prices")
    assert json.loads(capsys.readouterr().out) == [
        {"class": "AI_LARGE", "unit_hours": 12_345, "last_price": None},
        {"class": "HPC", "unit_hours": 7, "last_price": "0x0102"},
    ]


def test_table_is_for_people_too(capsys: pytest.CaptureFixture[str]) -> None:
    Console(as_json=False).table(("class", "units", "price"), ROWS, "Prices")
    shown = capsys.readouterr().out
    for text in ("Prices", "class", "AI_LARGE", "12,345", "0x0102"):
        assert text in shown
    Console(as_json=False).table(("class",), [], "Prices")
    assert "Nothing yet." in capsys.readouterr().out


def test_numbers_stay_whole_where_text_wraps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    row = ("train", 123_456_789, "1,234,567.89 USD", "words " * 20, "12.5 ms", "more " * 20)
    Console(as_json=False).table(("job", "unit-hours", "price", "why", "away", "note"), [row], "Left")
    Console(as_json=False).lines("Why", ["words " * 20 + "end"])
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("123,456,789", "1,234,567.89 USD", "12.5 ms", "words " * 20 + "end"))
    assert max(len(line) for line in shown.split("Why")[0].splitlines()) <= 80
    Console(as_json=True).lines("Why", ["a"])
    assert json.loads(capsys.readouterr().out) == ["a"]


def test_no_digit_is_lost_where_there_is_no_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    header = ("job", *(f"amount {place}" for place in range(8)))
    Console(as_json=False).table(header, [("training-run", *(123_456_789 for _ in range(8)))], "Left")
    assert sum(letter.isdigit() for letter in capsys.readouterr().out) == 8 * 9 + 8


def test_hash_is_never_cut_and_a_sentence_goes_on_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    reason = "Deposit or approve more: 460.80 USD is needed, 0.00 USD is in reach of this account now."
    Console(as_json=False).record("Bid", {"transaction": "0x" + "ab" * 32, "what to do": reason})
    shown = capsys.readouterr().out
    assert "0x" + "ab" * 32 in shown
    told = shown.splitlines()[2:]
    assert (len(told) > 1, all(len(line) <= 60 for line in told)) == (True, True)
    assert " ".join(shown.split()).endswith(f"what to do {reason}")


def test_what_goes_to_a_file_stays_one_line_a_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Whoever runs tests side by side may say how wide its own terminal is.
    monkeypatch.delenv("COLUMNS", raising=False)
    Console(as_json=False).table(("name", "why"), [("a", "words " * 60), ("b", "more " * 60)], "Rows")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if "words" in line or "more" in line] == [
        "a",
        "b",
    ]


def test_numbers_of_things_have_no_thousands(capsys: pytest.CaptureFixture[str]) -> None:
    Console(as_json=False).record("Round", {"round": 29_922_816, "units": 29_922_816})
    assert capsys.readouterr().out.split()[1:] == ["round", "29922816", "units", "29,922,816"]


def test_text_of_strangers_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets are markup to the terminal's library; what others wrote on chain must not be."""
    Console(as_json=False).record("[bold]x[/bold]", {"uri": "[red]free money[/red]", "state": LeaseState.ACTIVE})
    shown = capsys.readouterr().out
    assert "[red]free money[/red]" in shown
    assert "[bold]x[/bold]" in shown
    assert "ACTIVE" in shown


def test_preview_names_costs_or_the_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    good = Preview("Bid", Costs(escrow_micro=1_500_000), None, result=3, gas=21_000, fee_wei=10**12)
    Console(as_json=True).preview(good)
    assert json.loads(capsys.readouterr().out) == {
        "action": "Bid",
        "escrow_micro": 1_500_000,
        "result": 3,
        "gas_at_most": 21_000,
        "fee_at_most": 10**12,
    }
    Console(as_json=False).preview(good)
    shown = capsys.readouterr().out
    assert "1.50 USD" in shown
    assert "0.000001000 of the chain's coin" in shown
    noted = replace(good, notes=("Think of this.",))
    Console(as_json=True).preview(noted)
    assert json.loads(capsys.readouterr().out)["notes"] == ["Think of this."]
    Console(as_json=False).preview(noted)
    assert "Think of this." in capsys.readouterr().out
    Console(as_json=False).preview(Preview("Bid", Costs(), refusal("Exchange_OrdersPaused", {})))
    assert "OrdersPaused" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refusal("Exchange_TickOutOfRange", {"tick": 2_000, "tickMax": 1_023}), REFUSED),
        (InputError("No.", "Ask for less."), MISTAKEN),
        (WrongChain(1, 2), MISTAKEN),
        (NodeRefused("busy"), UNAVAILABLE),
    ],
)
def test_error_is_told_on_standard_error_with_its_code(
    capsys: pytest.CaptureFixture[str], error: LedgerError, code: int
) -> None:
    assert Console(as_json=False).error(error) == exit_code(error) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert error.remedy in captured.err.replace("\n", " ")
    assert Console(as_json=True).error(error) == code
    told = json.loads(capsys.readouterr().err)["error"]
    assert (told["type"], told["problem"], told["remedy"]) == (type(error).__name__, error.problem, error.remedy)


def test_error_of_a_contract_gives_its_values_to_machines(capsys: pytest.CaptureFixture[str]) -> None:
    error = refusal("Exchange_BadSignature", {"owner": "0xab", "digest": b"\x01" * 32})
    Console(as_json=True).error(error)
    told = json.loads(capsys.readouterr().err)["error"]
    assert told["values"] == {"owner": "0xab", "digest": "0x" + "01" * 32}
