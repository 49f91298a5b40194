"""What a contract's ABI says: calls and results to and from bytes, logs to events. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.crypto import keccak

from ledger.codec import Layout, Unusual, Writer, checksummed, word_reader, word_writer, words_of
from ledger.errors import InputError, NodeRefused


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded log: which contract said what, with its values by name, and where it stands in the chain.

    Numbers are integers, addresses checksummed texts, hashes bytes, structs mappings by field.
    """

    contract: str
    name: str
    values: Mapping[str, Any]
    address: str
    block: int
    transaction: str
    index: int

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@dataclass(frozen=True, slots=True)
class Log:
    """One log as the chain keeps it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    transaction: str
    index: int


@dataclass(frozen=True)
class Function:
    """One function of a contract."""

    name: str
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]

    @cached_property
    def selector(self) -> bytes:
        return keccak(text=f"{self.name}({','.join(_types(self.inputs))})")[:4]

    @cached_property
    def _input_types(self) -> list[str]:
        return _types(self.inputs)

    @cached_property
    def _output_types(self) -> list[str]:
        return _types(self.outputs)

    @cached_property
    def _writers(self) -> list[Writer] | None:
        """How to write each argument, where each is one word."""
        writers = [writer for writer in map(word_writer, self._input_types) if writer is not None]
        return writers if len(writers) == len(self.inputs) else None

    @cached_property
    def _results(self) -> Layout | None:
        return _layout(self._output_types)

    def encode(self, args: Sequence[Any]) -> bytes:
        """The calldata of a call. Raises InputError for arguments that do not fit."""
        try:
            return self.selector + self._encode(args)
        except (EncodingError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{self.name} cannot be called with {args!r}: {error}.", "Check the amounts.") from None

    def _encode(self, args: Sequence[Any]) -> bytes:
        if self._writers is not None:
            try:
                return words_of(self._writers, args)
            except Unusual:
                pass
        return encode(self._input_types, args)

    def decode(self, data: bytes) -> Any:
        """What a call returned: one value, a tuple of several, None for nothing; structs are mappings by field.

        Raises NodeRefused for data that is no such result, as from an address without a contract.
        """
        try:
            values = self._decode(data)
        except (DecodingError, OverflowError):
            what = f"{len(data)} bytes that are no result" if data else "nothing: there is no contract"
            raise NodeRefused(f"{self.name} gave {what}", "Check the deployment manifest.") from None
        if len(values) < 2:
            return values[0] if values else None
        return tuple(values)

    def _decode(self, data: bytes) -> list[Any]:
        if self._results is not None:
            try:
                return self._results.read(data)
            except Unusual:
                pass
        return [value for _, value in _named(self.outputs, decode(self._output_types, data))]


@dataclass(frozen=True, slots=True)
class Call:
    """One function of one contract with its arguments, ready to be read, simulated or sent.

    `to` is None for the creation of a contract. `gas` is a limit to use instead of an estimate, for calls that swallow
    the failure of a part and so look cheaper than they are.
    """

    contract: str
    to: str | None
    data: bytes
    function: Function | None = None
    gas: int | None = None

    def result(self, data: bytes) -> Any:
        """What `data`, returned by the call, says."""
        return self.function.decode(data) if self.function else None


class Interface:
    """The functions and events of one contract, by name. Raises InputError for a function it does not have."""

    def __init__(self, contract: str, abi: Iterable[Mapping[str, Any]]) -> None:
        self.contract = contract
        entries = tuple(abi)
        self._functions: dict[tuple[str, int], Function] = {}
        self._events: dict[bytes, Mapping[str, Any]] = {}
        self._readers: dict[bytes, Callable[[Log], Mapping[str, Any]]] = {}
        for entry in entries:
            if entry["type"] == "function":
                function = Function(entry["name"], tuple(entry["inputs"]), tuple(entry["outputs"]))
                self._functions[function.name, len(function.inputs)] = function
            elif entry["type"] == "event":
                self._events[_topic(entry)] = entry
                self._readers[_topic(entry)] = _event_reader(entry)
        self._constructor = next((tuple(one["inputs"]) for one in entries if one["type"] == "constructor"), ())

    def function(self, name: str, count: int) -> Function:
        """The function called `name` with `count` arguments: none of ours is overloaded by type alone."""
        if (name, count) not in self._functions:
            raise InputError(f"{self.contract} has no function {name} of {count} arguments.", "See its interface.")
        return self._functions[name, count]

    def call(self, address: str, function: str, *args: Any, gas: int | None = None) -> Call:
        """A call of `function` of this contract at `address`. Raises InputError for arguments that do not fit."""
        found = self.function(function, len(args))
        return Call(self.contract, address, found.encode(args), found, gas)

    def creation(self, code: bytes, *args: Any) -> Call:
        """The creation of this contract from its creation code. Raises InputError for arguments that do not fit."""
        constructor = Function("constructor", self._constructor, ())
        return Call(self.contract, None, code + constructor.encode(args)[4:])

    def topic(self, event: str) -> bytes:
        """The first topic of an event's logs."""
        for topic, entry in self._events.items():
            if entry["name"] == event:
                return topic
        raise InputError(f"{self.contract} has no event {event}.", "See its interface.")

    def event(self, log: Log) -> Event | None:
        """What a log of this contract says; None for an event it does not declare."""
        topic = log.topics[0] if log.topics else b""
        read = self._readers.get(topic)
        if read is None:
            return None
        try:
            values = read(log)
        except (DecodingError, ValueError, OverflowError):
            return None
        return Event(
            self.contract, self._events[topic]["name"], values, log.address, log.block, log.transaction, log.index
        )


def _event_reader(entry: Mapping[str, Any]) -> Callable[[Log], Mapping[str, Any]]:
    """Reads the values of one event, by name in the ABI's order. What it returns raises DecodingError, ValueError or
    OverflowError for a log that is none."""
    names = [one["name"] for one in entry["inputs"]]
    # Where each input stands among what is read: the indexed ones first, which are topics.
    order = sorted(range(len(names)), key=lambda place: not entry["inputs"][place]["indexed"])
    places = [order.index(place) for place in range(len(names))]
    indexed = [word_reader(_type(one)) for one in entry["inputs"] if one["indexed"]]
    layout = _layout(_types(one for one in entry["inputs"] if not one["indexed"]))
    topic_readers = [reader for reader in indexed if reader is not None]
    if layout is None or len(topic_readers) != len(indexed):
        return lambda log: _read_slowly(entry, log)
    in_order = places == sorted(places)

    def read(log: Log) -> Mapping[str, Any]:
        try:
            values = [reader(_word(topic)) for reader, topic in zip(topic_readers, log.topics[1:], strict=True)]
            values += layout.read(log.data)
        except Unusual:
            return _read_slowly(entry, log)
        return dict(zip(names, values if in_order else [values[place] for place in places], strict=True))

    return read


def _word(topic: bytes) -> bytes:
    if len(topic) != 32:
        raise Unusual
    return topic


def _read_slowly(entry: Mapping[str, Any], log: Log) -> Mapping[str, Any]:
    """The same by eth_abi, for all that the fast way leaves to it."""
    indexed = [one for one in entry["inputs"] if one["indexed"]]
    plain = [one for one in entry["inputs"] if not one["indexed"]]
    topics = [decode([_type(one)], topic)[0] for one, topic in zip(indexed, log.topics[1:], strict=True)]
    values = dict([*_named(indexed, topics), *_named(plain, decode(_types(plain), log.data))])
    return {one["name"]: values[one["name"]] for one in entry["inputs"]}


def _layout(kinds: Sequence[str]) -> Layout | None:
    try:
        return Layout(kinds)
    except Unusual:
        return None


def _topic(entry: Mapping[str, Any]) -> bytes:
    return keccak(text=f"{entry['name']}({','.join(_types(entry['inputs']))})")


def _types(parameters: Iterable[Mapping[str, Any]]) -> list[str]:
    return [_type(one) for one in parameters]


def _type(parameter: Mapping[str, Any]) -> str:
    kind = str(parameter["type"])
    if kind.startswith("tuple"):
        return f"({','.join(_types(parameter['components']))}){kind.removeprefix('tuple')}"
    return kind


def _named(parameters: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(one["name"], _plain(one, value)) for one, value in zip(parameters, values, strict=True)]


def _plain(parameter: Mapping[str, Any], value: Any) -> Any:
    kind = str(parameter["type"])
    if kind.endswith("]"):
        each = {**parameter, "type": kind[: kind.rindex("[")]}
        return tuple(_plain(each, item) for item in value)
    if kind == "tuple":
        return dict(_named(parameter["components"], value))
    return checksummed(value) if kind == "address" else value
