"""What the books say that the contracts store, proven at the end of a played day; and liars found out."""

from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.artifacts import load_artifacts
from ledger.audit.books import Finding, Unseen
from ledger.audit.proofs import after, expected_words, mapped, prove, prove_code, prove_contracts
from ledger.audit.receipts import Node
from ledger.audit.replay import Replay
from ledger.audit.run import run_audit
from ledger.errors import NodeRefused
from tests.day import tiny_day
from tests.forging import Liar, flipped


@cache
def day_books() -> Replay:
    return run_audit(tiny_day().market)[1]


def proved(node: Node, books: Replay | None = None) -> tuple[int, list[Finding]]:
    findings: list[Finding] = []
    head = tiny_day().chain.request("eth_getBlockByNumber", "latest", False)
    words = expected_words(books or day_books(), load_artifacts())
    root = bytes.fromhex(head["stateRoot"][2:])
    return prove(node, tiny_day().market.deployment, int(head["number"], 16), root, words, findings.append), findings


def test_prove_finds_every_word_as_the_books_have_it() -> None:
    words, findings = proved(tiny_day().chain)
    assert findings == []
    books = day_books()
    assert words == sum(1 for _ in expected_words(books, load_artifacts()))
    assert words > len(books.words) + len(books.clearings) + 3 * len(books.leases)


def test_words_are_of_every_kind_and_not_all_zero() -> None:
    words = [one for one in expected_words(day_books(), load_artifacts()) if one.word]
    assert {one.rule for one in words} >= {"INV-2", "INV-3", "INV-5", "INV-6", "INV-8", "INV-10", "INV-15"}


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_prove_finds_any_flipped_digit_of_a_proof(random: Any) -> None:
    altered: list[str] = []

    def alter(method: str, params: Sequence[Any], result: Any) -> Any:
        if method == "eth_getProof" and not altered and random.random() < 0.5:
            lists = [result["accountProof"]] if not params[1] else [one["proof"] for one in result["storageProof"]]
            nodes = random.choice([nodes for nodes in lists if nodes])
            place = random.randrange(len(nodes))
            nodes[place] = flipped(nodes[place], random.randrange(10**4))
            altered.append(params[0])
        return result

    _, findings = proved(Liar(tiny_day().chain, alter))
    assert not altered or "PROOF" in {finding.rule for finding in findings}


def test_prove_finds_a_value_that_its_proof_does_not_bear_out() -> None:
    def alter(method: str, params: Sequence[Any], result: Any) -> Any:
        if method == "eth_getProof" and params[1]:
            result["storageProof"][0]["value"] = "0x123456"
        return result

    assert {finding.rule for finding in proved(Liar(tiny_day().chain, alter))[1]} == {"PROOF"}


@pytest.mark.parametrize("rule", ["INV-1", "INV-3", "INV-5", "INV-6", "INV-8", "INV-10", "INV-15", "INV-16"])
def test_prove_says_which_page_differs(rule: str) -> None:
    books = deepcopy(day_books())
    product = next(iter(books.first_rounds))
    owner = next(iter(books.cash))
    round_ = next(key for key, one in books.clearings.items() if one.units)
    spoil = {
        "INV-1": lambda: books.cash.update({owner: 1}),
        "INV-3": lambda: books.calendar.update({next(iter(books.calendar)): 1}),
        "INV-5": lambda: books.escrow.update({product: 1}),
        "INV-6": lambda: books.clearings.update({round_: next(x for x in books.clearings.values() if not x.units)}),
        "INV-8": lambda: setattr(books.leases[1], "reported_milli", books.leases[1].reported_milli + 1),
        "INV-10": lambda: books.words.update({next(iter(books.words)): 1}),
        "INV-15": lambda: setattr(books.sites[1], "failed", books.sites[1].failed + 1),
        "INV-16": lambda: books.units.update({next(iter(books.units)): 1}),
    }
    spoil[rule]()
    assert rule in {finding.rule for finding in proved(tiny_day().chain, books)[1]}


def test_prove_finds_other_code() -> None:
    def alter(method: str, params: Sequence[Any], result: Any) -> Any:
        if method == "eth_getProof" and not params[1]:
            result["accountProof"] = result["accountProof"][:-1]
        return result

    _, findings = proved(Liar(tiny_day().chain, alter))
    assert len(findings) == len(tiny_day().market.deployment.addresses)


def test_mapped_is_soliditys_rule() -> None:
    """keccak(key . slot), the outer key first; as the Solidity documentation has it."""
    outer = keccak((7).to_bytes(32) + (3).to_bytes(32))
    assert mapped(3, 7) == outer
    owner = "0x" + "11" * 20
    assert mapped(3, 7, owner) == keccak(bytes(12) + b"\x11" * 20 + outer)
    assert int.from_bytes(after(outer, 2)) == int.from_bytes(outer) + 2


def test_prove_code_finds_an_owner_who_neither_signed_nor_has_code() -> None:
    day, findings = tiny_day(), list[Finding]()
    head = day.chain.request("eth_getBlockByNumber", "latest", False)
    owner = next(iter(day.people.values())).address
    acts = [Unseen("INV-17", owner, "0x1"), Unseen("INV-13", "0x" + "99" * 20, "0x2")]
    acts += [Unseen("INV-13", day.market.address("Exchange"), "0x3")]
    prove_code(day.chain, int(head["number"], 16), bytes.fromhex(head["stateRoot"][2:]), acts, findings.append)
    assert [(one.rule, one.transaction) for one in findings] == [("INV-17", "0x1"), ("INV-13", "0x2")]


def test_state_that_is_gone_is_told_and_accuses_nobody() -> None:
    class Forgetful:
        def batch(self, wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
            raise NodeRefused(f"BlockOutOfRangeError, {len(wanted)} times")

        def request(self, method: str, *params: Any) -> Any:
            raise NodeRefused(f"BlockOutOfRangeError: {method} {params}")

    deployment = tiny_day().market.deployment
    found: list[Finding] = []
    gone: list[int] = []
    names = list(deployment.addresses)
    assert prove_contracts(Forgetful(), deployment, 7, bytes(32), names, found.append, gone.append) == {}
    assert (found, gone) == ([], [7])
    prove_contracts(Forgetful(), deployment, 7, bytes(32), names, found.append)
    assert [finding.rule for finding in found] == ["PROOF"]
