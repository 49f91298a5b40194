"""What a unit of gas may cost (EIP-1559): the first offer, what replaces it, and where raising it stops.

The rules of replacement are those of Optimism's txmgr: a tenth more on both fields and no less than the market asks,
up to a multiple of what would be offered afresh.
"""

from dataclasses import dataclass

from ledger.errors import NodeRefused

WEI_PER_GWEI = 10**9
FEE_CAP_WEI = 500 * WEI_PER_GWEI

_BUMP_PERCENT = 10


@dataclass(frozen=True, slots=True)
class Fees:
    """The most that a unit of gas may cost, and how much of it the maker of the block gets, in wei."""

    max_fee_wei: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """What may be paid, and when more is offered. All in wei per unit of gas, but the budget.

    `cap_wei` holds always. A replacement stays below `ceiling_multiple` times a fresh offer, and is free to rise up to
    `ceiling_floor_wei` whatever the market asks. `daily_budget_wei` is what one key's transactions may cost in a day of
    the chain's time, counted at the most they may cost until they are final (None: not counted). A transaction that is
    in no block after `bump_after_s` seconds, while blocks are made, is replaced. `window` transactions of one key are
    under way at once (None: 16, which is what nodes keep for an account; 4,096 on a local chain).
    """

    cap_wei: int = FEE_CAP_WEI
    ceiling_multiple: int = 5
    ceiling_floor_wei: int = WEI_PER_GWEI
    daily_budget_wei: int | None = None
    bump_after_s: int = 30
    window: int | None = None

    def suggest(self, base_fee_wei: int, tip_wei: int) -> Fees:
        """What to offer at that base fee and tip. Raises NodeRefused where gas costs more than the cap."""
        price_wei = base_fee_wei + tip_wei
        if price_wei > self.cap_wei:
            raise NodeRefused(
                f"gas costs {price_wei / WEI_PER_GWEI:.1f} gwei, more than the cap",
                "Wait, or raise COMPUTE_LEDGER_FEE_CAP_GWEI.",
            )
        # Twice the base fee lasts for five full blocks.
        return Fees(min(base_fee_wei + price_wei, self.cap_wei), tip_wei)

    def replace(self, old: Fees, base_fee_wei: int, tip_wei: int) -> Fees | None:
        """What to offer instead of `old`, or None where that is above the ceiling: then `old` goes on being offered."""
        fresh_wei = 2 * base_fee_wei + tip_wei
        ceiling_wei = min(self.cap_wei, max(self.ceiling_floor_wei, self.ceiling_multiple * fresh_wei))
        wanted = Fees(
            max(tenth_more(old.max_fee_wei), min(fresh_wei, ceiling_wei)), max(tenth_more(old.tip_wei), tip_wei)
        )
        if wanted.max_fee_wei > ceiling_wei or wanted.max_fee_wei < base_fee_wei + wanted.tip_wei:
            return None
        return wanted

    def cancel(self, old: Fees, base_fee_wei: int, tip_wei: int) -> Fees:
        """What a self-send offers that takes the place of `old`. It burns 21,000 gas: no ceiling holds it back."""
        tip_wei = max(tenth_more(old.tip_wei), tip_wei)
        return Fees(max(tenth_more(old.max_fee_wei), 2 * base_fee_wei + tip_wei), tip_wei)


def tenth_more(wei: int) -> int:
    """The least that nodes take in place of `wei`, rounded up; always more."""
    return wei + max(1, -(-wei * _BUMP_PERCENT // 100))
