"""What sites owe, event by event: bonds are never thinned, shares are exact, calendars return to where they were."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.books import SiteBook
from ledger.audit.duties import Duties, product_of
from ledger.product import Grade, Product, Tier

PRODUCT = Product(1, Tier.WIDE, 0, Grade.STANDARD, 500_000, 24)
UNITS = st.integers(1, 2**31)
MONEY = st.integers(0, 10**15)


def books() -> Duties:
    made = Duties(2_000)
    made.sites[1] = SiteBook("provider", attested_units=2**32)
    return made


@given(UNITS, MONEY, st.data())
def test_discharge_of_the_right_share_thins_nobodys_claim(units: int, bond_micro: int, data: st.DataObject) -> None:
    made = books()
    made.oblige(PRODUCT.id, 1, units, bond_micro)
    made.close_bonds()
    part = data.draw(st.integers(1, units))
    made.discharge(PRODUCT.id, 1, part, bond_micro * part // units)
    made.close_bonds()
    assert made.findings == []
    assert made.owed_now_micro == made.owed_micro() == bond_micro - bond_micro * part // units


@given(UNITS, st.integers(1, 10**15))
def test_close_bonds_finds_a_thinned_claim(units: int, bond_micro: int) -> None:
    made = books()
    made.oblige(PRODUCT.id, 1, units, bond_micro)
    made.close_bonds()
    made.oblige(PRODUCT.id, 1, units, bond_micro - 1)
    made.close_bonds()
    assert [finding.rule for finding in made.findings] == ["INV-9"]


@given(st.lists(UNITS, max_size=5))
def test_release_undoes_commit(amounts: list[int]) -> None:
    made = books()
    made.sites[1].attested_units = sum(amounts)
    for units in amounts:
        made.commit(1, PRODUCT.id, units)
    for units in amounts:
        made.release(1, PRODUCT.id, units)
    assert made.findings == []
    assert not made.calendar.total()


def test_resolve_twice_is_a_finding() -> None:
    made = books()
    made.redeem(1, PRODUCT.id, "holder", 1, 100, 1_000, bytes(32))
    made.report(1, 100_000, bytes(32))
    made.resolve(1, 1, 100_000, 1_000, 0)
    assert made.findings == []
    made.resolve(1, 1, 100_000, 0, 0)
    assert [finding.rule for finding in made.findings] == ["INV-8"]


def test_product_of_reads_the_token_id() -> None:
    assert product_of(PRODUCT.id) == PRODUCT
