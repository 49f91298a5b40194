"""The fast way to read and write words is eth_abi's, or leaves the matter to it."""

from collections.abc import Sequence
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import Layout, Unusual, checksummed, word_reader, word_writer, words_of

ADDRESSES = st.binary(min_size=20, max_size=20).map(checksummed)
BITS = (8, 16, 32, 48, 64, 88, 128, 256)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "address": ADDRESSES,
    "bool": st.booleans(),
    "bytes32": st.binary(min_size=32, max_size=32),
    **{f"uint{bits}": st.integers(0, 2**bits - 1) for bits in BITS},
}
TAILS: dict[str, st.SearchStrategy[Any]] = {
    "bytes": st.binary(max_size=70),
    "string": st.text(max_size=40),
    **{f"{kind}[]": st.lists(values, max_size=4).map(tuple) for kind, values in VALUES.items()},
}
ANYTHING = st.one_of(
    st.integers(-(2**260), 2**260),
    st.text(max_size=43),
    st.binary(max_size=40),
    st.none(),
    st.floats(),
    *VALUES.values(),
)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[str], list[Any]]:
    kinds = draw(st.lists(st.sampled_from([*VALUES, *TAILS]), max_size=6))
    return kinds, [draw((VALUES | TAILS)[kind]) for kind in kinds]


def plain(kinds: Sequence[str], values: Sequence[Any]) -> list[Any]:
    """What eth_abi decoded, as the ledger shows it."""
    shown: list[Any] = []
    for kind, value in zip(kinds, values, strict=True):
        if kind == "address[]":
            shown.append(tuple(map(checksummed, value)))
        else:
            shown.append(checksummed(value) if kind == "address" else value)
    return shown


@given(layouts())
def test_values_are_read_as_they_were_written(layout: tuple[list[str], list[Any]]) -> None:
    kinds, values = layout
    assert Layout(kinds).read(encode(kinds, values)) == values


@given(layouts(), st.data())
def test_changed_data_reads_as_eth_abi_reads_it_or_is_unusual(
    layout: tuple[list[str], list[Any]], data: st.DataObject
) -> None:
    kinds, values = layout
    changed = bytearray(encode(kinds, values))
    for _ in range(data.draw(st.integers(0, 3))):
        if changed:
            changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    cut = bytes(changed[: data.draw(st.integers(0, len(changed)))] + data.draw(st.binary(max_size=33)))
    try:
        found = Layout(kinds).read(cut)
    except Unusual:
        return
    assert found == plain(kinds, decode(kinds, cut))


@given(
    st.sampled_from(sorted(VALUES)),
    st.binary(min_size=32, max_size=32) | st.integers(0, 300).map(lambda n: n.to_bytes(32)),
)
def test_word_is_read_as_eth_abi_reads_it(kind: str, word: bytes) -> None:
    reader = word_reader(kind)
    assert reader is not None
    try:
        [expected] = plain([kind], decode([kind], word))
    except DecodingError:
        with pytest.raises(Unusual):
            reader(word)
    else:
        assert reader(word) == expected


@given(st.sampled_from(sorted(VALUES)), ANYTHING)
def test_value_is_written_as_eth_abi_writes_it_or_is_unusual(kind: str, value: Any) -> None:
    writer = word_writer(kind)
    assert writer is not None
    try:
        written = writer(value)
    except (Unusual, EncodingError):
        return
    assert written == encode([kind], [value])


@given(
    st.lists(st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind])), max_size=5)
)
def test_words_stand_one_after_the_other(pairs: list[tuple[str, Any]]) -> None:
    kinds, values = [kind for kind, _ in pairs], [value for _, value in pairs]
    writers = [writer for kind in kinds if (writer := word_writer(kind)) is not None]
    assert words_of(writers, values) == encode(kinds, values)
    with pytest.raises(ValueError, match="longer"):
        words_of(writers, [*values, 0])


@pytest.mark.parametrize(
    "kind", ["string", "bytes", "bytes4", "int256", "uint8[]", "(uint8,bool)", "uint8[2]", "ufixed"]
)
def test_types_of_more_or_other_than_one_word_are_left_alone(kind: str) -> None:
    assert word_reader(kind) is None
    assert word_writer(kind) is None


@pytest.mark.parametrize("kind", ["(uint8,bool)", "uint8[2]", "bytes4", "string[]", "(uint8,bool)[]", "uint8[][]"])
def test_layouts_of_nested_types_are_left_alone(kind: str) -> None:
    with pytest.raises(Unusual):
        Layout([kind])


def test_arrays_that_promise_more_than_there_is_are_unusual_at_once() -> None:
    """A log may claim any length: none of it is made room for."""
    for kind in ("uint256[]", "bytes", "string"):
        with pytest.raises(Unusual):
            Layout([kind]).read((32).to_bytes(32) + (2**256 - 1).to_bytes(32))
