"""The pages of the books: what counts as delivered, what is due, what a site may commit."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.books import Books, LeaseBook, SiteBook
from ledger.product import Grade, Product, Tier

UNITS = st.integers(1, 2**32 - 1)
MONEY = st.integers(0, 10**18)


def lease(units: int, bond_micro: int, delivered_milli: int, aborted: bool = False) -> LeaseBook:
    product = Product(1, Tier.WIDE, 0, Grade.STANDARD, 500_000, 24)
    return LeaseBook(
        product,
        1,
        "holder",
        units,
        bond_micro,
        reported_milli=delivered_milli,
        delivered_milli=delivered_milli,
        aborted=aborted,
    )


@given(UNITS, MONEY, st.integers(0, 10_000))
def test_due_is_all_from_the_promise_on_and_pro_rata_below(units: int, bond_micro: int, share_bp: int) -> None:
    delivered_milli = units * 1_000 * share_bp // 10_000
    due_micro = lease(units, bond_micro, delivered_milli).due_micro
    if delivered_milli * 100 >= units * 1_000 * 99:
        assert due_micro == bond_micro
    else:
        assert due_micro == bond_micro * delivered_milli // (units * 1_000) <= bond_micro


@given(UNITS, MONEY, st.integers(0, 10_000))
def test_due_of_an_aborted_lease_is_what_is_left_of_its_bond(units: int, bond_micro: int, share_bp: int) -> None:
    delivered_milli = units * 1_000 * share_bp // 10_000
    assert lease(units, bond_micro, delivered_milli, aborted=True).due_micro == (bond_micro if delivered_milli else 0)


@given(UNITS, st.integers(0, 2**80), st.integers(0, 2**80), st.integers(0, 10_000))
def test_cap_is_between_the_floor_and_what_was_attested(units: int, good: int, bad: int, floor_bp: int) -> None:
    cap_units = SiteBook("provider", units, good, bad).cap_units(floor_bp)
    assert units * floor_bp // 10_000 <= cap_units <= units
    assert bad or cap_units == units


def test_expect_notes_only_what_differs() -> None:
    books = Books()
    books.expect("INV-1", "here", 5, 5)
    books.block, books.transaction, books.log = 7, "0xabc", 2
    books.expect("INV-1", "there", 5, 6)
    said = ["INV-1, there, block 7, transaction 0xabc, log 2: 6, where 5 belongs"]
    assert [str(finding) for finding in books.findings] == said
