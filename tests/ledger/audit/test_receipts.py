"""Receipts of a played day, read and compared; headers hash to what the chain says."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.audit.receipts import HEADER_FIELDS, header_hash, read_receipt, receipts_root
from tests.day import tiny_day
from tests.forging import flipped, tiny_entries


def header(number: int) -> dict[str, Any]:
    return dict(tiny_day().chain.request("eth_getBlockByNumber", hex(number), False))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(HEADER_FIELDS), st.integers(0, 10**3))
def test_header_hash_depends_on_every_field(place: int, name: str, at: int) -> None:
    found = header(tiny_entries()[place % len(tiny_entries())].block)
    assert "0x" + header_hash(found).hex() == found["hash"]
    if len(found[name]) > 2:
        assert "0x" + header_hash({**found, name: flipped(found[name], at)}).hex() != found["hash"]


def test_receipts_root_is_the_headers() -> None:
    for number in sorted({entry.block for entry in tiny_entries()}):
        found = tiny_day().chain.request("eth_getBlockReceipts", hex(number))
        receipts = [read_receipt(one, 0) for one in found]
        assert "0x" + receipts_root(receipts).hex() == header(number)["receiptsRoot"]


def test_differences_name_the_log() -> None:
    number = next(entry.block for entry in tiny_entries())
    (found, *_) = tiny_day().chain.request("eth_getBlockReceipts", hex(number))
    right = read_receipt(found, 7)
    logs = [dict(log) for log in found["logs"]]
    logs[0]["data"] = flipped(logs[0]["data"], 5)
    wrong = read_receipt({**found, "status": "0x0", "logs": logs}, 7)
    assert list(right.differences(right)) == []
    assert [(rule, what, log) for rule, what, _, _, log in right.differences(wrong)] == [
        ("RECEIPT", "status", None),
        ("LOG", "data", 7),
    ]
    short = read_receipt({**found, "logs": logs[1:]}, 7)
    assert [(what, log) for _, what, _, _, log in right.differences(short)] == [("a log missing", 7)]


@pytest.mark.parametrize("name", ["logs", "status", "cumulativeGasUsed", "transactionHash"])
def test_read_receipt_raises_when_a_field_is_missing(name: str) -> None:
    number = next(entry.block for entry in tiny_entries())
    (found, *_) = tiny_day().chain.request("eth_getBlockReceipts", hex(number))
    with pytest.raises(KeyError):
        read_receipt({key: value for key, value in found.items() if key != name}, 0)
