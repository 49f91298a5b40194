"""The chain's proofs on a played day: all fits as it is, and nothing that hashes depend on can be altered unseen."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.audit.books import Finding
from ledger.audit.headers import Headers, ProvenBlock
from ledger.audit.receipts import HEADER_FIELDS, Node, header_hash
from ledger.errors import NodeRefused
from tests.day import tiny_day
from tests.forging import Liar, flipped, tiny_entries

BLOCK_OF = ("transactionHash", "transactionIndex", "blockHash", "blockNumber")
RECEIPT_FIELDS = ("status", "cumulativeGasUsed", "gasUsed", "logsBloom", *BLOCK_OF)
LOG_FIELDS = ("address", "data", "logIndex", *BLOCK_OF)
TRANSACTION_FIELDS = ("hash", "nonce", "gas", "value", "input", "r", "s", "from", "transactionIndex")


def walked(node: Node) -> tuple[list[ProvenBlock], list[Finding]]:
    findings: list[Finding] = []
    deployment = tiny_day().market.deployment
    token, treasury = deployment.address("Token"), deployment.address("Treasury")
    headers = Headers(node, deployment.addresses.values(), token, treasury, findings.append)
    return list(headers.walk(deployment.block, last_block())), findings


@cache
def last_block() -> int:
    return tiny_day().chain.block().number


@cache
def full_blocks() -> list[int]:
    return sorted({entry.block for entry in tiny_entries()})


def test_walk_proves_a_true_chain_and_gives_all_our_logs() -> None:
    blocks, findings = walked(tiny_day().chain)
    assert findings == []
    market = tiny_day().market
    token, named = market.address("Token"), bytes(12) + bytes.fromhex(market.address("Treasury")[2:])
    ours = [entry for entry in tiny_entries() if entry.address != token or named in entry.topics]
    assert [entry for block in blocks for entry in block.entries] == ours
    assert [block.number for block in blocks] == list(range(market.deployment.block, last_block() + 1))
    senders = {act.sender for block in blocks for act in block.acts.values()}
    assert senders <= {signer.address for signer in tiny_day().people.values()} | {tiny_day().keeper.address}


def fields(method: str, result: Any) -> list[tuple[dict[str, Any], str]]:
    """Every place of an answer that something depends on."""
    if method == "eth_getBlockReceipts":
        places = [(receipt, name) for receipt in result for name in RECEIPT_FIELDS]
        logs = [log for receipt in result for log in receipt["logs"]]
        return (
            places
            + [(log, name) for log in logs for name in LOG_FIELDS]
            + [(log, "topics") for log in logs if log["topics"]]
        )
    if result["transactions"] and isinstance(result["transactions"][0], dict):
        return [(one, name) for one in result["transactions"] for name in TRANSACTION_FIELDS]
    return [(result, name) for name in ("hash", *HEADER_FIELDS) if result.get(name) is not None]


def flip_in(place: tuple[dict[str, Any], str], at: int) -> bool:
    holder, name = place
    if name == "topics":
        topic = at % len(holder["topics"])
        holder["topics"][topic] = flipped(holder["topics"][topic], at)
        return True
    if len(holder[name]) <= 2:
        return False
    holder[name] = flipped(holder[name], at)
    return True


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_walk_finds_any_flipped_digit(random: Any) -> None:
    """Anywhere in headers, transactions, receipts and logs: at least one finding, and it names the block."""
    method, full = random.choice(
        [("eth_getBlockByNumber", False), ("eth_getBlockByNumber", True), ("eth_getBlockReceipts", None)]
    )
    number = random.choice(full_blocks())
    where: list[str] = []

    def alter(asked: str, params: Sequence[Any], result: Any) -> Any:
        if asked == method and params[0] == hex(number) and (full is None or params[1] is full):
            places = fields(method, result)
            while not where:
                holder, name = random.choice(places)
                if flip_in((holder, name), random.randrange(10**6)):
                    where.append(name)
        return result

    _, findings = walked(Liar(tiny_day().chain, alter))
    assert where
    assert any(finding.block in (number, number + 1) for finding in findings), (method, number, where)


def test_walk_goes_on_after_an_answer_that_is_none() -> None:
    number = full_blocks()[3]

    def alter(asked: str, params: Sequence[Any], result: Any) -> Any:
        return {"x": 1} if asked == "eth_getBlockByNumber" and params == (hex(number), False) else result

    blocks, findings = walked(Liar(tiny_day().chain, alter))
    assert {finding.block for finding in findings} == {number}
    assert len(blocks) == last_block() - tiny_day().market.deployment.block


def test_walk_asks_for_single_receipts_where_a_node_has_no_others() -> None:
    class Old(Liar):
        def batch(self, wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
            if wanted and wanted[0][0] == "eth_getBlockReceipts":
                raise NodeRefused("the method does not exist")
            return super().batch(wanted)

    blocks, findings = walked(Old(tiny_day().chain, lambda _method, _params, result: result))
    assert findings == []
    assert sum(len(block.entries) for block in blocks) > 100


def test_walk_finds_transactions_that_are_not_the_headers() -> None:
    number = full_blocks()[3]

    def alter(asked: str, params: Sequence[Any], result: Any) -> Any:
        if asked == "eth_getBlockByNumber" and params == (hex(number), True):
            result["transactions"][0]["nonce"] = "0x7777"
        return result

    _, findings = walked(Liar(tiny_day().chain, alter))
    assert ("TRANSACTIONS", number) in {(one.rule, one.block) for one in findings}


def test_walk_finds_a_bloom_that_says_more_than_the_receipts() -> None:
    """Under a header that hashes to what it says."""
    number = full_blocks()[3]

    def alter(asked: str, params: Sequence[Any], result: Any) -> Any:
        if asked == "eth_getBlockByNumber" and params == (hex(number), False):
            bloom = int(result["logsBloom"], 16)
            result["logsBloom"] = f"0x{bloom | (bloom + 1):0512x}"
            result["hash"] = "0x" + header_hash(result).hex()
        return result

    _, findings = walked(Liar(tiny_day().chain, alter))
    assert ("BLOOM", number) in {(one.rule, one.block) for one in findings}
