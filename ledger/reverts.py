"""What a contract's refusal says: revert data to the class of errors.py, with its values in human units."""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ledger.errors import LedgerError, NodeRefused, Reverted, refusal
from ledger.product import Grade, Product, Tier, class_name
from ledger.units import format_bp, format_hour, format_milli_units, format_units, format_usd

# What nodes say, in whatever case, and what to do.
_NODE_REMEDIES = (
    ("insufficient funds", "Send the account money for gas: it is paid in the chain's own coin."),
    ("cannot afford", "Send the account money for gas: it is paid in the chain's own coin."),
    ("nonce too low", "Another transaction of this account was included meanwhile: try again."),
    ("underpriced", "A transaction with this nonce waits already: wait for it, or pay at least a tenth more."),
    ("exceeds block gas limit", "Do less in one transaction."),
    ("gas limit", "Do less in one transaction."),
)

LEASE_STATES = ("unknown", "open", "reported", "disputed", "resolved")

# https://docs.soliditylang.org/en/latest/control-structures.html#panic-via-assert-and-error-via-require
_PANICS = {
    0x00: "a generic check of the compiler's",
    0x01: "an assertion",
    0x11: "an amount too large or below zero",
    0x12: "a division by zero",
    0x21: "a value that is none of its kind",
    0x22: "a badly stored byte array",
    0x31: "an empty array",
    0x32: "an index beyond an array",
    0x41: "too much memory",
    0x51: "a function that was never set",
}


@dataclass(frozen=True, slots=True)
class _Form:
    name: str
    names: tuple[str, ...]
    types: tuple[str, ...]


class Reverts:
    """Reads the revert data of calls to contracts with these ABIs."""

    def __init__(self, abis: Iterable[Iterable[Mapping[str, Any]]]) -> None:
        entries = [entry for abi in abis for entry in abi if entry["type"] == "error"]
        forms = [*(_form(entry) for entry in entries), _Form("Error", ("text",), ("string",))]
        self._forms = {_selector(form): form for form in (*forms, _Form("Panic", ("code",), ("uint256",)))}

    def of_node_error(self, error: Mapping[str, Any]) -> LedgerError:
        """What the `error` of a JSON-RPC response means: a contract's refusal where it carries revert data."""
        message = str(error.get("message", "it gave no reason"))
        data = _revert_data(error.get("data"))
        if data is not None or "revert" in message:
            return self.decode(data or b"")
        return NodeRefused(message, _remedy(message))

    def of_tester_error(self, text: str) -> LedgerError:
        """What eth-tester's failure of a call means: it writes revert data as a Python literal."""
        _, marked, literal = text.partition("execution reverted: ")
        if marked and literal[:2] in ("b'", 'b"'):
            return self.decode(ast.literal_eval(literal))
        return NodeRefused(text, _remedy(text))

    def decode(self, data: bytes) -> Reverted:
        """The error that `data` encodes; `Unknown` for what none of the contracts declares."""
        form = self._forms.get(data[:4])
        if form is None:
            return _unknown(data)
        try:
            decoded = decode(form.types, data[4:])
        except DecodingError:
            return _unknown(data)
        values = {
            name: to_checksum_address(value) if kind == "address" else value
            for name, kind, value in zip(form.names, form.types, decoded, strict=True)
        }
        return refusal(form.name, values, {name: show(form.name, name, value) for name, value in values.items()})


def show(error: str, name: str, value: Any) -> str:
    """The value `name` of the error called `error`, for people."""
    shown = _BY_NAME.get(name) if (error, name) != ("Capacity_NotRelaxed", "wanted") else _BY_NAME["tier"]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if shown is None and name in _AMOUNTS:
        shown = format_units if error.startswith(("ERC1155", "Capacity", "Exchange", "Delivery")) else format_usd
    if shown is None and name.endswith("_s"):
        shown = _time
    if shown is None:
        return str(value)
    try:
        return shown(value)
    except (LedgerError, ValueError, OverflowError, IndexError, OSError):
        # What a contract complains about may be just that this is none.
        return str(value)


def _revert_data(found: Any) -> bytes | None:
    # Nodes differ: the data itself, or an object around it, or a text before it.
    if isinstance(found, Mapping):
        return _revert_data(found.get("data"))
    if isinstance(found, str) and found.startswith(("0x", "Reverted 0x")):
        return bytes.fromhex(found.removeprefix("Reverted ").removeprefix("0x"))
    return None


def _remedy(message: str) -> str:
    lowered = message.lower()
    return next((remedy for words, remedy in _NODE_REMEDIES if words in lowered), "Try again in a moment.")


def _unknown(data: bytes) -> Reverted:
    text = f"0x{data.hex()}" if data else "nothing: out of gas, or no contract there"
    return refusal("Unknown", {"data": text})


def _form(entry: Mapping[str, Any]) -> _Form:
    inputs = entry["inputs"]
    return _Form(entry["name"], tuple(one["name"] for one in inputs), tuple(one["type"] for one in inputs))


def _selector(form: _Form) -> bytes:
    return keccak(text=f"{form.name}({','.join(form.types)})")[:4]


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


_AMOUNTS = {"available", "balance", "needed", "allowance", "cash", "added", "expected", "received", "standing", "owed"}

_BY_NAME: Mapping[str, Callable[[Any], str]] = {
    "units": format_units,
    "unitsMin": format_units,
    "unitsMax": format_units,
    "deliveredMilli": format_milli_units,
    "mostMilli": format_milli_units,
    "product": lambda value: Product.from_id(value).code,
    "tokenId": lambda value: Product.from_id(value).code,
    "class": class_name,
    "siteClass": class_name,
    "tier": lambda value: Tier(value).name,
    "wanted": lambda value: LEASE_STATES[value],
    "state": lambda value: LEASE_STATES[value],
    "grade": lambda value: Grade(value).name,
    "gradeMax": lambda value: Grade(value).name if value else "none",
    "hour_": format_hour,
    "bp": format_bp,
    "bpMax": format_bp,
    "code": lambda value: _PANICS.get(value, f"code {value:#x}"),
    "deadline": _time,
}
