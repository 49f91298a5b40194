"""What nodes say is read whole, or is their nonsense: never a crash of ours."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Call, NodeRefused
from ledger.rpc import bytes_of, message_of, number_of, read_block, read_log, read_receipt, tag_of

ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
BLOCK = {"number": "0x5", "hash": "0xab", "timestamp": "0x10", "gasLimit": "0x20", "baseFeePerGas": "0x7"}
LOG = {
    "address": ADDRESS.lower(),
    "topics": ["0x" + "11" * 32],
    "data": "0x0102",
    "blockNumber": "0x5",
    "transactionHash": "0xcd",
    "logIndex": "0x3",
}
RECEIPT = {
    "transactionHash": "0xcd",
    "status": "0x1",
    "blockNumber": "0x5",
    "transactionIndex": "0x0",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x9",
    "contractAddress": None,
    "logs": [LOG],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(RECEIPT | BLOCK | LOG)), inner),
    max_leaves=8,
)


@given(st.integers(0, 2**256), st.binary(max_size=40))
def test_numbers_and_bytes_are_read_as_both_kinds_of_node_write_them(number: int, data: bytes) -> None:
    assert number_of(hex(number)) == number_of(number) == number
    assert bytes_of("0x" + data.hex()) == bytes_of(data) == data
    assert tag_of(number) == hex(number)
    assert tag_of("latest") == "latest"


def test_whole_answers_are_read() -> None:
    block = read_block(BLOCK)
    assert (block.number, block.time_s, block.gas_limit, block.base_fee_wei) == (5, 16, 32, 7)
    assert read_block({**BLOCK, "baseFeePerGas": None}).base_fee_wei == 0
    log = read_log(LOG)
    assert (log.address, log.topics, log.data, log.index) == (ADDRESS, (b"\x11" * 32,), b"\x01\x02", 3)
    receipt = read_receipt(RECEIPT)
    assert (receipt.succeeded, receipt.gas_used, receipt.contract, receipt.logs) == (True, 21_000, None, (log,))
    assert not read_receipt({**RECEIPT, "status": "0x0"}).succeeded
    assert read_receipt({**RECEIPT, "contractAddress": ADDRESS.lower()}).contract == ADDRESS


@pytest.mark.parametrize(("read", "whole"), [(read_block, BLOCK), (read_log, LOG), (read_receipt, RECEIPT)])
def test_answer_that_lacks_a_part_is_nonsense(read: Any, whole: dict[str, Any]) -> None:
    for name in set(whole) - {"baseFeePerGas", "contractAddress"}:
        with pytest.raises(NodeRefused, match="belongs"):
            read({key: value for key, value in whole.items() if key != name})


@given(JSON)
def test_any_answer_is_read_or_is_nonsense(answer: Any) -> None:
    for read in (number_of, bytes_of, read_block, read_log, read_receipt):
        try:
            read(answer)
        except NodeRefused as refused:
            assert len(str(refused)) < 200


def test_message_names_only_what_the_call_has() -> None:
    assert message_of(Call("Any", None, b"\x01"), None) == {"data": "0x01"}
    assert message_of(Call("Any", ADDRESS, b""), ADDRESS) == {"data": "0x", "to": ADDRESS, "from": ADDRESS}
