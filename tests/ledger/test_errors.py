"""The tree of failures: every class can be raised, says what to do, and stands in the docstring's drawing."""

import inspect

import pytest

from ledger import errors
from ledger.errors import (
    BadData,
    InputError,
    LedgerError,
    OutOfRange,
    Reverted,
    Unavailable,
    UnknownName,
    UnreadableText,
)

EXAMPLES: tuple[tuple[LedgerError, str], ...] = (
    (InputError("No.", "Ask for less."), "No. Ask for less."),
    (
        UnreadableText("a price", "much", "it is not a number", "2.10 USD"),
        "Cannot read 'much' as a price: it is not a number. Write it like '2.10 USD'.",
    ),
    (OutOfRange("tick", 0, 1, 1023), "tick is 0. Choose one from 1 to 1023."),
    (
        UnknownName("device", "H1000", ["H100 SXM5", "H100 PCIe"]),
        "There is no device called 'H1000'. Did you mean 'H100 SXM5' or 'H100 PCIe'?",
    ),
    (
        UnknownName("device", "toaster", []),
        "There is no device called 'toaster'. See what there is with `compute-ledger standard`.",
    ),
    (
        BadData("areas.csv", "it has no column 'hub'"),
        "The data file 'areas.csv' cannot be used: it has no column 'hub'. Check the data folder that you named.",
    ),
    (
        Reverted("Exchange", "TickOutOfRange", {"tick": 2000, "tickMax": 1023}, "Choose a lower tick."),
        "Exchange refused: TickOutOfRange(tick=2000, tickMax=1023). Choose a lower tick.",
    ),
    (
        Unavailable("The node does not answer.", "Try again in a minute."),
        "The node does not answer. Try again in a minute.",
    ),
)


@pytest.mark.parametrize(("error", "text"), EXAMPLES)
def test_error_reads_as_problem_then_remedy(error: LedgerError, text: str) -> None:
    assert str(error) == text
    assert error.problem
    assert error.remedy


def test_every_error_stands_in_the_drawing_below_its_base() -> None:
    drawing = [line for line in (errors.__doc__ or "").splitlines() if "  " in line.strip()]
    depth_of = {line.lstrip("│├└─ ").split()[0]: len(line) - len(line.lstrip("│├└─ ")) for line in drawing}
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, LedgerError)]
    assert {c.__name__ for c in classes} == set(depth_of)
    for error_class in classes:
        ancestors = sum(1 for base in error_class.__mro__ if issubclass(base, LedgerError)) - 1
        assert depth_of[error_class.__name__] == 4 * ancestors


def test_input_errors_are_value_errors() -> None:
    assert issubclass(InputError, ValueError)
    assert not issubclass(Reverted, ValueError)


def test_reverted_keeps_its_values_when_the_callers_mapping_changes() -> None:
    values: dict[str, object] = {"tick": 1}
    error = Reverted("Exchange", "TickOutOfRange", values, "Choose another.")
    values["tick"] = 2
    assert error.values == {"tick": 1}
