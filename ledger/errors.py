"""Everything that can go wrong, as one tree.

LedgerError                 what went wrong, and what to do next
├── InputError              the caller's fault: ask for something else
│   ├── UnreadableText      a text does not say what was expected there ("8x H100, 24h")
│   ├── OutOfRange          a number lies outside its limits
│   ├── UnknownName         a device, class, tier, area … nobody has heard of; near matches are offered
│   ├── BadData             a data file is missing or does not have the columns or rows it must have
│   ├── BadDeployment       a deployment manifest that cannot be read, or that the chain contradicts
│   ├── BadSetting          an environment variable does not say what it must
│   ├── BadKey              a key file cannot be read or opened; says nothing of what is in it
│   ├── BadStore            a database address that is none, or a database of another program or version
│   ├── BadJournal          a local chain's journal that does not read as written, or not as it came out before
│   ├── BadJobs             cells of a file of jobs that cannot be read: all of them, each by line and column
│   ├── KeyReused           an idempotency key that named another call before
│   ├── OrderNumberTaken    an owner's number of a signed order that stands for another order of that round
│   ├── UnknownIntent       nothing was ever sent under that number or key
│   └── WrongChain          the node serves another chain than the one that was meant
├── Reverted                the chain said no: one class per custom error of a contract
└── Unavailable             nobody's fault: try again later
    ├── Unreachable         a node does not answer
    ├── NodeRefused         a node did not take a call or a transaction, for a reason of its own
    ├── StoreUnavailable    the database cannot be read or written
    ├── HistoryMoved        another process went on with the history
    ├── KeyBusy             another process sends with the same key
    ├── TakenElsewhere      somebody else does that piece of work just now
    ├── ChainBusy           another process runs the local chain of that folder
    ├── HistoryBroken       a node contradicts what was final
    ├── Cancelled           a transaction was not carried out: another took its place
    └── NotIncluded         a transaction was sent and is in no block yet

Each error is two sentences: the problem, with the values that matter, and the remedy.

The classes of the contracts' errors are made from one table and bear their Solidity names:
`except errors.Exchange_TradingClosed`. They stand below Reverted.
"""

from collections.abc import Mapping, Sequence

from ledger.remedies import REMEDIES


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


class BadDeployment(InputError):
    """The deployment in the file or on the chain `name` is not one that can be used."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"The deployment {name} cannot be used: {why}.",
            "Name another manifest in COMPUTE_LEDGER_MANIFEST, or make one with `compute-ledger deploy`.",
        )
        self.name = name
        self.why = why


class BadSetting(InputError):
    """The setting `name` (an environment variable) has a value that cannot be; the value itself is not repeated, since
    it may be secret."""

    def __init__(self, name: str, why: str, remedy: str) -> None:
        super().__init__(f"{name} cannot be used: {why}.", remedy)
        self.name = name
        self.why = why


class BadKey(InputError):
    """The key file `path` gives no key."""

    def __init__(self, path: str, why: str, remedy: str) -> None:
        super().__init__(f"There is no usable key in {path}: {why}.", remedy)
        self.path = path
        self.why = why


class BadStore(InputError):
    """The database that is named is not one that can be used."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The database cannot be used: {why}.",
            "Name another in COMPUTE_LEDGER_DATABASE: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.",
        )
        self.why = why


class BadJournal(InputError):
    """The journal at `path` of a local chain cannot be replayed; `offset` is where, in bytes (None: by its meaning)."""

    def __init__(self, path: str, why: str, offset: int | None = None) -> None:
        place = "" if offset is None else f" at byte {offset}"
        super().__init__(
            f"The journal {path} cannot be used{place}: {why}.",
            "Put a copy of it back, or begin a new chain in another folder.",
        )
        self.path = path
        self.why = why
        self.offset = offset


class BadJobs(InputError):
    """A file of jobs with `cells` that cannot be read, each as line, column, and why not."""

    def __init__(self, cells: Sequence[tuple[int, str, str]]) -> None:
        shown = "; ".join(f"line {line}, {column}: {why.rstrip('.')}" for line, column, why in cells[:20])
        more = f"; and {len(cells) - 20} more" if len(cells) > 20 else ""
        many = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        super().__init__(
            f"{many} of the jobs cannot be read: {shown}{more}.",
            "Mend them; `compute-ledger dispatch example` prints a file to start with.",
        )
        self.cells = tuple(cells)


class KeyReused(InputError):
    """An idempotency key names what was asked before, and something else is asked now."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The idempotency key {key!r} was used for another call.", "Give each call a key of its own.")
        self.key = key


class OrderNumberTaken(InputError):
    """The owner has another signed order with this number in that round."""

    def __init__(self, owner: str, round_: int, index: int) -> None:
        super().__init__(
            f"{owner} has signed another order number {index} for round {round_}.",
            "Sign it with a number from 0 to 79 that is free.",
        )
        self.owner = owner
        self.round = round_
        self.index = index


class UnknownIntent(InputError):
    """There is no intent of that number or key."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Nothing was ever sent as {name}.", "`compute-ledger outbox` lists what was.")
        self.name = name


class WrongChain(InputError):
    """The node is on chain `actual`, while chain `expected` was meant."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(
            f"The node serves chain {actual}, but chain {expected} is meant.",
            "Check COMPUTE_LEDGER_RPC_URL, COMPUTE_LEDGER_CHAIN_ID and the deployment manifest.",
        )
        self.expected = expected
        self.actual = actual


class Reverted(LedgerError):
    """A contract refused a call.

    `contract` and `name` say which error (`Exchange`, `TickOutOfRange`), `values` its arguments by name, as decoded;
    `shown` gives them in human units.
    """

    def __init__(
        self,
        contract: str,
        name: str,
        values: Mapping[str, object],
        remedy: str,
        shown: Mapping[str, str] | None = None,
    ) -> None:
        texts = {key: str(value) for key, value in values.items()} | dict(shown or {})
        named = ", ".join(f"{key}={text}" for key, text in texts.items())
        super().__init__(f"{contract} refused: {name}({named}).", remedy)
        self.contract = contract
        self.name = name
        self.values = dict(values)
        self.shown = texts


class Unavailable(LedgerError):
    """Something outside did not answer: the same call may well succeed later."""


class Unreachable(Unavailable):
    """The node at `host` does not answer."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(
            f"The node at {host} does not answer: {why}.", "Is it running? COMPUTE_LEDGER_RPC_URL names it."
        )
        self.host = host
        self.why = why


class NodeRefused(Unavailable):
    """The node did not take a call or a transaction; `why` is what it said."""

    def __init__(self, why: str, remedy: str = "Try again; if it stays so, ask whoever runs the node.") -> None:
        super().__init__(f"The node refused: {why}.", remedy)
        self.why = why


class StoreUnavailable(Unavailable):
    """The database cannot be read or written now."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The database does not answer: {why}.", "Is its disk full, its server running, its file readable?"
        )
        self.why = why


class HistoryMoved(Unavailable):
    """Another process went on with the history that this one keeps."""

    def __init__(self, block: int) -> None:
        super().__init__(
            f"Another process changed the history after block {block}.",
            "Nothing is lost: go on from where it is now, or end one of the two.",
        )
        self.block = block


class KeyBusy(Unavailable):
    """Another process sends with this key: two would use the same numbers for different transactions."""

    def __init__(self, address: str, holder: str) -> None:
        super().__init__(
            f"{holder} sends for {address} now.", "Stop it, wait until its lease ends, or use another key here."
        )
        self.address = address
        self.holder = holder


class TakenElsewhere(Unavailable):
    """Another thread or process does the work called `name` just now."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Somebody else is at {name} just now.", "Look at what came of it, or ask again in a moment.")
        self.name = name


class ChainBusy(Unavailable):
    """Another process runs the local chain in `folder`."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"Another process runs the chain in {folder}.", "Stop it, use its node, or name another folder."
        )
        self.folder = folder


class HistoryBroken(Unavailable):
    """What the node says now contradicts what it said was final: nothing can be built on it."""

    def __init__(self, block: int, why: str) -> None:
        super().__init__(
            f"The history cannot go on at block {block}: {why}.",
            "Ask another node; if all agree, rebuild with `compute-ledger index --rebuild`.",
        )
        self.block = block
        self.why = why


class Cancelled(Unavailable):
    """The intent `number` was not carried out and will not be: another transaction took its place."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(
            f"Intent {number} was not carried out: {why}.", "Send it again under another key, if still wanted."
        )
        self.number = number
        self.why = why


class NotIncluded(Unavailable):
    """The transaction `transaction` was sent and is in no block after `waited_s` seconds."""

    def __init__(self, transaction: str, waited_s: int) -> None:
        super().__init__(
            f"Transaction {transaction} is in no block after {waited_s} s.",
            "It may still come: look it up by its hash before you send it again.",
        )
        self.transaction = transaction
        self.waited_s = waited_s


# ---- what the contracts say

CONTRACT_ERRORS: Mapping[str, type[Reverted]] = {
    name: type(name, (Reverted,), {"__doc__": remedy, "__module__": __name__}) for name, remedy in REMEDIES.items()
}
"""The class of every custom error, by its Solidity name."""


def refusal(solidity_name: str, values: Mapping[str, object], shown: Mapping[str, str] | None = None) -> Reverted:
    """The contract error `Exchange_TickOutOfRange`, say, with its values by name and how they are shown."""
    contract, _, name = solidity_name.rpartition("_")
    nobodys = solidity_name in ("Error", "Panic", "Unknown")
    texts = {key: str(value) for key, value in values.items()} | dict(shown or {})
    remedy = REMEDIES[solidity_name].format_map(texts)
    return CONTRACT_ERRORS[solidity_name](
        contract or ("A contract" if nobodys else "OpenZeppelin"), name, values, remedy, texts
    )


def __getattr__(name: str) -> type[Reverted]:
    if name in CONTRACT_ERRORS:
        return CONTRACT_ERRORS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
