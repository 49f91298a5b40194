"""The tree of failures: every class can be raised, says what to do, and stands in the docstring's drawing."""

import inspect

import pytest

from ledger import errors
from ledger.errors import (
    BadData,
    BadDeployment,
    BadKey,
    BadSetting,
    InputError,
    LedgerError,
    NodeRefused,
    NotIncluded,
    OutOfRange,
    Reverted,
    Unavailable,
    UnknownName,
    Unreachable,
    UnreadableText,
    WrongChain,
    refusal,
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
    (
        BadSetting("COMPUTE_LEDGER_CHAIN_ID", "it is no number", "Name a number."),
        "COMPUTE_LEDGER_CHAIN_ID cannot be used: it is no number. Name a number.",
    ),
    (
        BadKey("key.json", "the passphrase does not open it", "Check the passphrase."),
        "There is no usable key in key.json: the passphrase does not open it. Check the passphrase.",
    ),
    (
        BadDeployment("run/deployment.json", "it is no manifest"),
        "The deployment run/deployment.json cannot be used: it is no manifest. "
        "Name another manifest in COMPUTE_LEDGER_MANIFEST, or make one with `compute-ledger deploy`.",
    ),
    (
        WrongChain(1, 31_337),
        "The node serves chain 31337, but chain 1 is meant. "
        "Check COMPUTE_LEDGER_RPC_URL, COMPUTE_LEDGER_CHAIN_ID and the deployment manifest.",
    ),
    (
        Unreachable("127.0.0.1:8545", "ConnectionError"),
        "The node at 127.0.0.1:8545 does not answer: ConnectionError. Is it running? COMPUTE_LEDGER_RPC_URL names it.",
    ),
    (
        NodeRefused("nonce too low", "Try again."),
        "The node refused: nonce too low. Try again.",
    ),
    (
        NotIncluded("0xab", 120),
        "Transaction 0xab is in no block after 120 s. "
        "It may still come: look it up by its hash before you send it again.",
    ),
    (
        refusal("Exchange_TickOutOfRange", {"tick": 2000, "tickMax": 1023}),
        "Exchange refused: TickOutOfRange(tick=2000, tickMax=1023). Choose a tick from 1 to 1023, or another price.",
    ),
    (
        refusal("ERC20InsufficientBalance", {"sender": "A", "balance": 1, "needed": 2}, {"needed": "2 USD"}),
        "OpenZeppelin refused: ERC20InsufficientBalance(sender=A, balance=1, needed=2 USD). "
        "A holds 1; 2 USD is needed (`faucet` makes test dollars).",
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


def test_contract_error_is_caught_by_its_solidity_name_and_by_its_branch() -> None:
    error = refusal("Exchange_OrdersPaused", {})
    with pytest.raises(errors.Exchange_OrdersPaused):
        raise error
    with pytest.raises(Reverted):
        raise error
    assert not isinstance(error, errors.Capacity_IssuePaused)
    assert (error.contract, error.name) == ("Exchange", "OrdersPaused")
