"""Which steps a campaign takes next: what is held goes to its jobs, more is bid for, and what no job needs is sold."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.dispatch.desk import DispatchDesk
from ledger.dispatch.holdings import Paid, cooling, held_units
from ledger.dispatch.preview import DispatchPreview
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.progress import Progress, jobs_of
from ledger.dispatch.purse import left_micro, within
from ledger.dispatch.resale import Resale, Stall, spare_units
from ledger.dispatch.steps import at_once, bid_steps, redeem_steps
from ledger.model import Kind
from ledger.product import Product
from ledger.store.campaigns import CampaignRow, StepKind, StepRow, StepState, open_steps
from ledger.store.engine import Store
from ledger.store.standing import last_prices, recent_orders
from ledger.units import SECONDS_PER_HOUR, format_hour

STEPS_AT_ONCE = 200

_BIDS_WAIT = "its bids wait to be cleared and settled"
_SELLING = "what no job needs is for sale"


@dataclass(frozen=True, slots=True)
class Agenda:
    """The next steps; `note` says what is waited for, `is_over` that nothing is left to be done or waited for."""

    steps: tuple[StepRow, ...]
    note: str
    is_over: bool


class Drafter:
    """Drafts the next steps of campaigns on one market, which are kept in `store`."""

    def __init__(self, desk: DispatchDesk, store: Store, place: tuple[int, str]) -> None:
        self._desk, self._store, self._place = desk, store, place

    def agenda(self, row: CampaignRow, taken: Sequence[StepRow]) -> Agenda:
        """What follows from where a campaign stands, of which no step is planned and not taken. Raises Unavailable."""
        now_s = self._desk.market.chain.time_s()
        resale = Resale(taken, Paid(taken).prices_micro(), self._desk.market.deployment.terms, now_s)
        jobs, hashes = jobs_of(row)
        specs, owners = ([], []) if row.stopped else Progress(jobs, taken).specs(now_s)
        meant = self._meant(row)
        drafts: list[StepRow] = []
        plan = None
        if specs:
            plan = self._desk.plan(specs, row.owner, meant, cooling(taken, now_s), resale.limits_micro())
            drafts += redeem_steps(plan.placements, owners, hashes)
            if not _stands(taken, StepKind.BID):
                drafts += bid_steps(within(plan.purchases, left_micro(jobs, taken)), owners)
        spare, stalls = self._for_sale(row, taken, drafts, meant)
        for_sale = {number: units for number, units in spare.items() if resale.sells(number, units, stalls[number])}
        drafts += resale.asks(for_sale, stalls)
        fresh = at_once(self._fresh(drafts, taken, now_s), STEPS_AT_ONCE)
        waits = fresh or for_sale or any(step.state is StepState.STANDS for step in taken)
        selling = bool(for_sale) or _stands(taken, StepKind.ASK)
        note = "; ".join(_words(row, taken, plan, specs, selling))
        return Agenda(tuple(fresh), note, not waits and self._too_late(specs, now_s))

    def _meant(self, row: CampaignRow) -> dict[int, int]:
        """Units of the owner's that other campaigns bought and did not redeem yet."""
        by_campaign: defaultdict[int, list[StepRow]] = defaultdict(list)
        for step in open_steps(self._store, self._place, row.owner):
            by_campaign[step.campaign].append(step)
        by_campaign.pop(row.number, None)
        # Each by itself: what one of them used beyond its own takes nothing from another's.
        found: Counter[int] = Counter()
        for steps in by_campaign.values():
            found.update(+held_units(steps))
        return dict(found)

    def _for_sale(
        self, row: CampaignRow, taken: Sequence[StepRow], drafts: Sequence[StepRow], meant: dict[int, int]
    ) -> tuple[dict[int, int], dict[int, Stall]]:
        """What the campaign bought and does not need, as far as its owner has it still, and how that trades now."""
        market = self._desk.market
        wanted = spare_units(held_units(taken), drafts, taken)
        calls = [market.call("Capacity", "balanceOf", row.owner, product) for product in wanted]
        counts = market.chain.call_many(calls) if calls else []
        mine = {product: int(count) - meant.get(product, 0) for product, count in zip(wanted, counts, strict=True)}
        spare = {product: min(units, mine[product]) for product, units in wanted.items() if mine[product] > 0}
        return spare, self._stalls(row.owner, sorted(spare))

    def _stalls(self, owner: str, products: Sequence[int]) -> dict[int, Stall]:
        round_ = self._desk.market.current_round()
        books = last_prices(self._desk.history, products)
        orders = recent_orders(self._desk.history, products, round_)
        found = {}
        for product in products:
            bids = [one for one in orders.get(product, ()) if one.kind is Kind.BID and one.owner != owner]
            best_micro = max((one.price_micro for one in bids if one.round == round_), default=0)
            tick_size_micro, min_units, _ = books.get(product) or self._unopened(product)
            found[product] = Stall(tick_size_micro, min_units, best_micro)
        return found

    def _unopened(self, product: int) -> tuple[int, int, None]:
        """The terms on which a product would trade that nobody traded yet: an hour that was split off."""
        terms = self._desk.market.terms_of(Product.from_id(product).class_id)
        return terms.tick_size_micro, terms.min_order_units, None

    def _fresh(self, drafts: Iterable[StepRow], taken: Sequence[StepRow], now_s: int) -> list[StepRow]:
        """Without what the market refused, or left unfilled, in this very round: the next one may be otherwise."""
        round_s = self._desk.market.deployment.terms.round_s
        vain = {
            (step.kind, step.product, step.site)
            for step in taken
            if step.made_s // round_s == now_s // round_s
            and (step.state is StepState.REFUSED or step.kind in (StepKind.BID, StepKind.ASK))
        }
        return [step for step in drafts if (step.kind, step.product, step.site) not in vain]

    def _too_late(self, specs: Sequence[JobSpec], now_s: int) -> bool:
        """Whether nothing could be bought any more for any of them."""
        terms = self._desk.market.deployment.terms
        closed_s = (now_s // terms.round_s + 1) * terms.round_s + terms.lead_s
        return all((spec.deadline_hour - 1) * SECONDS_PER_HOUR < closed_s for spec in specs)


def _stands(taken: Iterable[StepRow], kind: StepKind) -> bool:
    return any(step.kind is kind and step.state is StepState.STANDS for step in taken)


def _words(
    row: CampaignRow,
    taken: Sequence[StepRow],
    plan: DispatchPreview | None,
    specs: Sequence[JobSpec],
    selling: bool,
) -> Iterator[str]:
    """What it waits for, and why the plan placed no more."""
    if row.stopped:
        yield "it was stopped"
    if _stands(taken, StepKind.BID):
        yield _BIDS_WAIT
    elif plan is not None and plan.left:
        yield _left_text(plan, specs)
    elif not specs and _stands(taken, StepKind.REDEEM):
        yield "its leases run"
    elif not (specs or selling or row.stopped):
        yield "all is delivered, or too late"
    if selling:
        yield _SELLING


def _left_text(plan: DispatchPreview, specs: Sequence[JobSpec]) -> str:
    first = plan.left[0]
    more = f"; and {len(plan.left) - 1} more" if len(plan.left) > 1 else ""
    by = format_hour(specs[first.job].deadline_hour)
    return f"{first.unit_hours} unit-hours of {specs[first.job].name}, wanted by {by}: {first.text}{more}"
