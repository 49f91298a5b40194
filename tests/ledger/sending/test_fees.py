"""Fees: what replaces an offer is taken by nodes and by the market, and never above the ceiling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import NodeRefused
from ledger.sending.fees import WEI_PER_GWEI, FeePolicy, Fees, tenth_more

WEI = st.integers(0, 10**13)
FEES = st.builds(lambda tip, more: Fees(tip + more, tip), WEI, WEI)
POLICIES = st.builds(FeePolicy, cap_wei=st.integers(1, 10**13), ceiling_multiple=st.integers(1, 10))


@given(POLICIES, FEES, WEI, WEI)
def test_replacement_is_a_tenth_more_and_no_less_than_the_market(
    policy: FeePolicy, old: Fees, base_fee_wei: int, tip_wei: int
) -> None:
    """DRILLS.md mode 11, 13."""
    new = policy.replace(old, base_fee_wei, tip_wei)
    if new is None:
        return
    assert 10 * new.max_fee_wei >= 11 * old.max_fee_wei
    assert 10 * new.tip_wei >= 11 * old.tip_wei
    assert new.max_fee_wei >= base_fee_wei + new.tip_wei
    assert new.tip_wei >= tip_wei
    assert new.max_fee_wei <= policy.cap_wei
    fresh_wei = 2 * base_fee_wei + tip_wei
    assert new.max_fee_wei <= max(policy.ceiling_floor_wei, policy.ceiling_multiple * fresh_wei)


@given(FEES, WEI, WEI)
def test_cancelling_is_never_held_back(old: Fees, base_fee_wei: int, tip_wei: int) -> None:
    """DRILLS.md mode 12: a self-send costs little, and may be what frees a queue."""
    new = FeePolicy().cancel(old, base_fee_wei, tip_wei)
    assert new.max_fee_wei >= max(tenth_more(old.max_fee_wei), base_fee_wei + new.tip_wei)
    assert new.tip_wei >= max(tenth_more(old.tip_wei), tip_wei)


@given(POLICIES, FEES, WEI, WEI)
def test_replacing_ends(policy: FeePolicy, fees: Fees, base_fee_wei: int, tip_wei: int) -> None:
    """DRILLS.md mode 13: each replacement costs more, and the ceiling does not move while the market stands still."""
    offered: Fees | None = fees
    for _ in range(500):
        if offered is None:
            return
        offered = policy.replace(offered, base_fee_wei, tip_wei)
    raise AssertionError(f"still replaced: {offered}")


def test_suggestion_lasts_while_the_base_fee_doubles() -> None:
    assert FeePolicy().suggest(10, 3) == Fees(23, 3)


def test_suggestion_above_the_cap_is_refused_and_at_it_is_cut() -> None:
    policy = FeePolicy(cap_wei=15)
    assert policy.suggest(12, 3) == Fees(15, 3)
    with pytest.raises(NodeRefused, match="more than the cap"):
        policy.suggest(13, 3)


def test_at_the_ceiling_nothing_replaces() -> None:
    policy = FeePolicy(ceiling_multiple=2, ceiling_floor_wei=0)
    assert policy.replace(Fees(100 * WEI_PER_GWEI, 1), 10 * WEI_PER_GWEI, 1) is None
    assert policy.replace(Fees(10 * WEI_PER_GWEI, 1), 10 * WEI_PER_GWEI, 1) is not None


@pytest.mark.parametrize(("wei", "more"), [(0, 1), (1, 2), (9, 10), (10, 11), (11, 13), (100, 110), (101, 112)])
def test_tenth_more_rounds_up(wei: int, more: int) -> None:
    assert tenth_more(wei) == more
