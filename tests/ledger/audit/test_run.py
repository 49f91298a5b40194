"""A whole audit of a played day, from the manifest and a node: clean as it is; ten planted faults, each found where it
was planted; and any flipped digit of any answer found."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.audit.books import Finding
from ledger.audit.decode import Entry
from ledger.audit.proofs import Expected
from ledger.audit.run import Report, Root, run_audit
from ledger.errors import InputError
from tests.day import tiny_day
from tests.forging import Alter, flipped, forged, lied_to, said, tiny_entries

EVERY_METHOD = "eth_getBlockReceipts", "eth_getTransactionReceipt"


@cache
def true_report() -> Report:
    return run_audit(tiny_day().market)[0]


def audited(alter: Alter) -> Report:
    return run_audit(lied_to(tiny_day().market, alter))[0]


def test_run_audit_proves_the_day_from_the_rpc_alone() -> None:
    report = true_report()
    assert report.findings == ()
    assert report.clean
    assert report.acts_unseen == 0
    assert [check.rule for check in report.checks] == [f"INV-{number}" for number in range(1, 18)]
    assert report.events >= len(tiny_entries()) - 1_000 > 0
    assert min(report.words_proven, report.reads, report.receipts) > 100


def test_run_audit_of_any_block_is_clean_and_has_a_root_of_its_own() -> None:
    market = tiny_day().market
    blocks = sorted({entry.block for entry in tiny_entries()})
    roots = set()
    for block in blocks[:: len(blocks) // 5]:
        report, _ = run_audit(market, block)
        assert report.findings == (), block
        roots.add(report.root)
    assert len(roots) >= 5


def test_root_is_the_same_however_often_and_whatever_the_node_hides_where_nothing_depends_on_it() -> None:
    def alter(method: str, _: Sequence[Any], result: Any) -> Any:
        if method == "eth_getBlockByNumber":
            result.pop("size", None)
            result.pop("totalDifficulty", None)
        return result

    report = audited(alter)
    assert report.clean
    assert report.root == true_report().root


def test_run_audit_raises_when_the_block_is_before_the_market() -> None:
    with pytest.raises(InputError):
        run_audit(tiny_day().market, 0)


def test_run_audit_holds_the_block_against_a_hash_from_elsewhere() -> None:
    report = true_report()
    for block_hash, clean in (
        (report.block_hash.upper().replace("X", "x"), True),
        (flipped(report.block_hash, 9), False),
    ):
        again, _ = run_audit(tiny_day().market, report.block, block_hash=block_hash)
        assert again.clean is clean


def test_json_says_all() -> None:
    found = true_report().json()
    assert found["clean"]
    assert found["root"] == true_report().root
    assert len(found["checks"]) == 17


# ---- ten planted faults


def trades(event: str, values: Any) -> bool:
    if event == "Settled":
        return any(fill & 0xFFFF_FFFF for fill in values["fills"])
    return event != "Cleared" or bool(values["units"])


def first(name: str) -> Entry:
    """The first event of that name; of a round with trade, where it is one's."""
    for entry in tiny_entries():
        event, values = said(entry)
        if event == name and trades(event, values):
            return entry
    raise AssertionError(name)


def receipts_of(method: str, params: Sequence[Any], result: Any, entry: Entry) -> list[Any]:
    """The receipts in an answer that are of the entry's transaction."""
    if method == "eth_getBlockReceipts" and params[0] == hex(entry.block):
        return [one for one in result if one["transactionHash"] == entry.transaction]
    return [result] if method == "eth_getTransactionReceipt" and params[0] == entry.transaction else []


def on_log(entry: Entry, change: Callable[[Any, int], None], methods: Sequence[str] = EVERY_METHOD[:1]) -> Alter:
    def alter(method: str, params: Sequence[Any], result: Any) -> Any:
        if method in methods:
            for receipt in receipts_of(method, params, result, entry):
                place = next(n for n, log in enumerate(receipt["logs"]) if log["logIndex"] == hex(entry.log))
                change(receipt, place)
        return result

    return alter


def says(entry: Entry, forge: Any) -> Callable[[Any, int], None]:
    lie = forged(entry, forge)

    def change(receipt: Any, place: int) -> None:
        receipt["logs"][place]["data"] = "0x" + lie.data.hex()
        receipt["logs"][place]["topics"] = ["0x" + topic.hex() for topic in lie.topics]

    return change


def flip_data(receipt: Any, place: int) -> None:
    receipt["logs"][place]["data"] = flipped(receipt["logs"][place]["data"], 40)


def flip_topic(receipt: Any, place: int) -> None:
    receipt["logs"][place]["topics"][1] = flipped(receipt["logs"][place]["topics"][1], 50)


def flip_status(receipt: Any, _: int) -> None:
    receipt["status"] = "0x0"


def drop(receipt: Any, place: int) -> None:
    del receipt["logs"][place]


def double(receipt: Any, place: int) -> None:
    receipt["logs"].insert(place, receipt["logs"][place])


def swap(receipt: Any, place: int) -> None:
    other = place - 1 if place else place + 1
    receipt["logs"][place], receipt["logs"][other] = receipt["logs"][other], receipt["logs"][place]


def traded_less(values: Any) -> Any:
    fills = list(values["fills"])
    fills[next(number for number, fill in enumerate(fills) if fill & 0xFFFF_FFFF)] -= 1
    return {**values, "fills": tuple(fills)}


def dearer(values: Any) -> Any:
    return {**values, "priceTick": values["priceTick"] + 1}


def located(report: Report, entry: Entry, *rules: str) -> list[Finding]:
    return [
        one
        for one in report.findings
        if (one.rule in rules and one.block == entry.block and one.transaction in (None, entry.transaction))
    ]


PLANTED: dict[str, tuple[str, Callable[[Any, int], None], bool]] = {
    "a byte of a log's data": ("OrderPlaced", flip_data, True),
    "a byte of a topic": ("Committed", flip_topic, True),
    "a receipt's status": ("Deposited", flip_status, False),
    "a log missing": ("Obliged", drop, True),
    "a log too many": ("Withdrawn", double, True),
    "two logs swapped": ("OrderPlaced", swap, True),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_run_audit_finds_and_names(fault: str) -> None:
    """Block, transaction and, where there is one, log; and what the node says otherwise proves the rest."""
    name, change, has_log = PLANTED[fault]
    entry = first(name)
    report = audited(on_log(entry, change))
    found = [one for one in report.findings if one.transaction == entry.transaction and one.block == entry.block]
    assert found
    assert len(found) == len(report.findings)
    if has_log:
        assert min(abs((one.log or 0) - entry.log) for one in found) <= 1
    assert report.root == true_report().root


@pytest.mark.parametrize(("name", "forge", "rule"), [("Cleared", dearer, "INV-6"), ("Settled", traded_less, "INV-5")])
def test_run_audit_finds_a_price_and_a_fill_that_every_answer_agrees_on(name: str, forge: Any, rule: str) -> None:
    """Where the node lies the same way whatever it is asked, the root says that, and the model says what."""
    entry = first(name)
    report = audited(on_log(entry, says(entry, forge), EVERY_METHOD))
    assert located(report, entry, "RECEIPTS")
    (finding, *_) = located(report, entry, rule)
    assert (finding.transaction, finding.log) == (entry.transaction, entry.log)


def test_run_audit_finds_a_header() -> None:
    block = first("Cleared").block

    def alter(method: str, params: Sequence[Any], result: Any) -> Any:
        if method == "eth_getBlockByNumber" and params == (hex(block), False):
            result["timestamp"] = flipped(result["timestamp"], 3)
        return result

    report = audited(alter)
    assert [(one.rule, one.where, one.block) for one in report.findings] == [("HEADER", "timestamp", block)]


def test_run_audit_finds_a_read_that_the_storage_does_not_bear_out() -> None:
    market = tiny_day().market
    wanted = "0x" + market.call("Delivery", "recordOf", 1).data.hex()

    def alter(method: str, params: Sequence[Any], result: Any) -> Any:
        if method == "eth_call" and params[0]["data"] == wanted:
            return flipped(result, 63)
        return result

    assert [finding.rule for finding in audited(alter).findings] == ["INV-15"]


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_run_audit_finds_any_flipped_digit_that_every_answer_agrees_on(random: Any) -> None:
    entry = random.choice(tiny_entries())
    at = random.randrange(10**6)

    def change(receipt: Any, place: int) -> None:
        log = receipt["logs"][place]
        if len(log["data"]) > 2:
            log["data"] = flipped(log["data"], at)
        else:
            log["topics"][0] = flipped(log["topics"][0], at)

    report = audited(on_log(entry, change, EVERY_METHOD))
    market = tiny_day().market
    named = bytes(12) + bytes.fromhex(market.address("Treasury")[2:])
    ours = entry.address != market.address("Token") or named in entry.topics
    beside = any(one.block == entry.block and one.address != market.address("Token") for one in tiny_entries())
    if ours or beside:
        assert entry.block in {finding.block for finding in report.findings}


def test_root_depends_on_every_byte() -> None:
    entry = tiny_entries()[-1]
    roots = set()
    for other in (entry, entry._replace(log=entry.log + 1), entry._replace(data=entry.data[:-1] + b"\x99"), None):
        root = Root()
        root.add([other] if other else [])
        roots.add(root.close([]))
    assert len(roots) == 4


def test_root_depends_on_the_books() -> None:
    roots = {Root().close([Expected("INV-1", "Treasury", "", bytes(32), word)]) for word in (0, 1, 2)}
    assert len(roots) == 3
