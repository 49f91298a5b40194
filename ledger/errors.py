"""Everything that can go wrong, as one tree.

LedgerError                 what went wrong, and what to do next
├── InputError              the caller's fault: ask for something else
│   ├── UnreadableText      a text does not say what was expected there ("8x H100, 24h")
│   ├── OutOfRange          a number lies outside its limits
│   ├── UnknownName         a device, class, tier, area … nobody has heard of; near matches are offered
│   └── BadData             a data file is missing or does not have the columns or rows it must have
├── Reverted                the chain said no: one class per custom error of a contract
└── Unavailable             nobody's fault: try again later

Each error is two sentences: the problem, with the values that matter, and the remedy.
"""

from collections.abc import Mapping, Sequence


class LedgerError(Exception):
    """Base of every failure this package raises on purpose."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


class InputError(LedgerError, ValueError):
    """The caller asked for something that cannot be: the same call will fail again."""


class UnreadableText(InputError):
    """`text` is not a `noun` (an amount, a price, a date …); `example` is one that would be."""

    def __init__(self, noun: str, text: str, why: str, example: str) -> None:
        super().__init__(f"Cannot read {text!r} as {noun}: {why}.", f"Write it like {example!r}.")
        self.noun = noun
        self.text = text
        self.why = why
        self.example = example


class OutOfRange(InputError):
    """`value` of `name` is not within `least` … `most`, both included."""

    def __init__(self, name: str, value: int, least: int, most: int) -> None:
        super().__init__(f"{name} is {value}.", f"Choose one from {least} to {most}.")
        self.name = name
        self.value = value
        self.least = least
        self.most = most


class UnknownName(InputError):
    """No `noun` (device, class, area …) is called `text`; `suggestions` come nearest, best first."""

    def __init__(self, noun: str, text: str, suggestions: Sequence[str]) -> None:
        if suggestions:
            remedy = f"Did you mean {' or '.join(repr(name) for name in suggestions)}?"
        else:
            remedy = "See what there is with `compute-ledger standard`."
        super().__init__(f"There is no {noun} called {text!r}.", remedy)
        self.noun = noun
        self.text = text
        self.suggestions = tuple(suggestions)


class BadData(InputError):
    """The data file `name` cannot be used."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The data file {name!r} cannot be used: {why}.", "Check the data folder that you named.")
        self.name = name
        self.why = why


class Reverted(LedgerError):
    """A contract refused a call.

    `contract` and `name` say which error (`Exchange`, `TickOutOfRange`), `values` its arguments by name, as decoded.
    """

    def __init__(self, contract: str, name: str, values: Mapping[str, object], remedy: str) -> None:
        shown = ", ".join(f"{key}={value}" for key, value in values.items())
        super().__init__(f"{contract} refused: {name}({shown}).", remedy)
        self.contract = contract
        self.name = name
        self.values = dict(values)


class Unavailable(LedgerError):
    """Something outside did not answer: the same call may well succeed later."""
