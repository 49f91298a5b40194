"""A dispatch under way: it buys what the plan says, redeems what it got at the sites that owe it, waits for the leases,
and plans again what did not fill and what failed, for as long as a job's deadline and limit allow.

Nothing runs in the background: whoever calls `advance` moves it, from any process. Each step is kept before it is
taken, under a name that the outbox knows: after a crash between any two of them the same step is taken again, and has
one effect.

    bid (planned -> stands -> done | refused) -> redeem (planned -> stands, its lease runs -> done | refused)
    a window that serves several jobs or only some of its hours is split in between, at the site that owes it
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from eth_utils.crypto import keccak

from ledger.action import Action
from ledger.delivery import Delivery
from ledger.dispatch.desk import DispatchDesk
from ledger.dispatch.preview import DispatchPreview
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.progress import (
    CampaignState,
    Paid,
    Progress,
    at_once,
    bid_steps,
    bought_units,
    cooling,
    jobs_of,
    jobs_text,
    redeem_steps,
    state_of,
)
from ledger.dispatch.purse import left_micro, within
from ledger.errors import Cancelled, InputError, NotIncluded, Reverted, UnknownName
from ledger.keys import Signer
from ledger.model import LeaseState
from ledger.product import Product
from ledger.rpc import Receipt
from ledger.sending.drafts import Sent
from ledger.store.campaigns import (
    CampaignRow,
    StepKind,
    StepRow,
    StepState,
    campaign,
    campaigns,
    create_campaign,
    keep_plan,
    named_campaign,
    note_step,
    open_steps,
    steps,
    unended,
)
from ledger.store.engine import Store
from ledger.store.queries import clearing, lease, orders_in
from ledger.store.records import LeaseRow
from ledger.store.turns import turn
from ledger.units import SECONDS_PER_HOUR, format_hour
from ledger.view import read_order

JOBS_MAX = 10_000
"""How many jobs one campaign takes."""

NOTHING = keccak(b"")
"""The job hash of a lease for which no document is named: its capacity stands ready."""

_STEPS_AT_ONCE = 200
_BIDS_WAIT = "its bids wait to be cleared and settled"


class Campaigns:
    """All campaigns of one market: kept in `store`, which may be the desk's history as well."""

    def __init__(
        self,
        desk: DispatchDesk,
        store: Store,
        refresh: Callable[[], object] = lambda: None,
        patience_s: int | None = None,
    ) -> None:
        """`refresh` is called before the history is read: where nobody else follows the chain, it is who does.
        `patience_s` (default: one round) is how long others have to clear, settle and resolve before a campaign
        does."""
        self.desk = desk
        self.store = store
        self.refresh = refresh
        self.patience_s = desk.market.deployment.terms.round_s if patience_s is None else patience_s
        self.place = (desk.market.chain.chain_id, desk.market.address("Exchange"))

    def start(
        self,
        jobs: Sequence[JobSpec],
        owner: str,
        key: str | None = None,
        hashes: Mapping[int, bytes] | None = None,
        now_s: int | None = None,
    ) -> "Campaign":
        """Keeps a campaign; nothing is bought yet. The same `key` of the same owner again is the same campaign. `now_s`
        is the chain's time at which the jobs were read (default: its time now).

        `hashes`: the job document's keccak-256 by the job's position; a job without one holds capacity for whatever its
        owner runs there. Raises InputError for no jobs or too many, and KeyReused.
        """
        if not 0 < len(jobs) <= JOBS_MAX:
            raise InputError(f"The dispatch has {len(jobs)} jobs.", f"Give it 1 to {JOBS_MAX}; start several for more.")
        text = jobs_text(jobs, hashes or {}, NOTHING)
        started_s = self.desk.market.chain.time_s() if now_s is None else now_s
        return Campaign(self, create_campaign(self.store, self.place, owner, text, started_s, key).number)

    def named(self, owner: str, key: str) -> CampaignRow | None:
        """The campaign that `key` named before for its owner; None where there is none."""
        return named_campaign(self.store, self.place, owner, key)

    def under_way(self) -> list[CampaignRow]:
        """All that have not ended, the oldest first."""
        return unended(self.store, self.place)

    def open(self, number: int) -> "Campaign":
        """A campaign by its number. Raises UnknownCampaign."""
        found = campaign(self.store, number)
        if found is None or (found.chain_id, found.exchange) != self.place:
            raise UnknownName("dispatch", str(number), [str(one.number) for one in self.list(limit=3)])
        return Campaign(self, number)

    def list(self, owner: str | None = None, before: int | None = None, limit: int = 100) -> list[CampaignRow]:
        """The campaigns of one owner, or of all, the newest first."""
        return campaigns(self.store, self.place, owner, before, limit)


class Campaign:
    """One dispatch under way. Open it with `Campaigns`."""

    def __init__(self, kept: Campaigns, number: int) -> None:
        self.number = number
        self._kept = kept
        self._desk = kept.desk
        self._market = kept.desk.market
        self._history = kept.desk.history
        self._delivery = Delivery(self._market.chain, self._market.deployment, self._market.sender)

    # ---- where it stands

    @property
    def row(self) -> CampaignRow:
        found = campaign(self._kept.store, self.number)
        assert found is not None
        return found

    @property
    def jobs(self) -> list[JobSpec]:
        """Its jobs, as they were given."""
        return jobs_of(self.row)[0]

    def state(self) -> CampaignState:
        """Where it stands, by what was kept: nothing is asked of the chain."""
        return state_of(self.row, steps(self._kept.store, self.number))

    # ---- moving it

    def advance(self, signer: Signer) -> CampaignState:
        """Does all that can be done now, and says where it stands then. Call it again, from anywhere, until it ended.

        One caller at a time moves the campaigns of an owner. Raises InputError for a signer who is not the owner,
        TakenElsewhere while somebody else moves them, and Unavailable, after which it is called again.
        """
        row = self.row
        if signer.address != row.owner:
            raise InputError(
                f"Dispatch {self.number} is of {row.owner}, the key of {signer.address}.", "Name the owner's key."
            )
        if row.ended:
            return self.state()
        # Two at once would each find what the other has just sent refused: the units are spent by then.
        with turn(self._kept.store, f"dispatch of {row.owner} on {self._kept.place[0]}"):
            self._advance(signer)
        return self.state()

    def _advance(self, signer: Signer) -> None:
        if any(step.state is StepState.PLANNED for step in self._steps()):
            # Left by who died or waited in vain: the outbox knows what of it was sent.
            self._market.sender.resume(signer)
            self._carry_out(signer)
        self._kept.refresh()
        self._observe(signer)
        if self._plan():
            self._carry_out(signer)
            self._kept.refresh()
            self._observe(signer)

    def accept(self, signer: Signer, doubted: Callable[[LeaseRow], bool] = lambda _: False) -> int:
        """Agrees with what the sites reported of its leases, which pays them at once and brings back what they fell
        short; gives how many. What is `doubted` is left to a dispute; who says nothing agrees when the time is up."""
        numbers = [step.lease or 0 for step in self._steps() if step.state is StepState.STANDS and step.lease]
        found = [row for row in map(partial(lease, self._history), numbers) if row is not None]
        return sum(
            _tried(self._delivery.accept(row.lease), signer)
            for row in found
            if row.state is LeaseState.REPORTED and not doubted(row)
        )

    def stop(self) -> CampaignState:
        """Buys and redeems no more: bids that stand and leases that run take their course by themselves."""
        while not keep_plan(self._kept.store, self.row, [], "it was stopped", ended=True):
            """Somebody planned meanwhile."""
        return self.state()

    def _steps(self) -> list[StepRow]:
        return steps(self._kept.store, self.number)

    # ---- taking steps

    def _carry_out(self, signer: Signer) -> None:
        """Takes each planned step under its own name. What the market refuses by now ends as refused."""
        under_way: list[tuple[StepRow, Sent]] = []
        name = self.row.name
        sender = self._market.sender
        for step in self._steps():
            if step.state is StepState.PLANNED:
                try:
                    call = self._action(step).call
                    key = f"dispatch {name} step {step.number}"
                    under_way.append((step, sender.submit(call, signer, key, deadline_s=self._deadline_s(step))))
                except (Reverted, InputError) as reason:
                    self._note(step, StepState.REFUSED, text=str(reason))
        for step, sent in under_way:
            try:
                receipt = sender.wait(sent)
            except (Reverted, Cancelled) as reason:
                self._note(step, StepState.REFUSED, text=str(reason))
            except NotIncluded:
                # It is kept, and asked for again.
                continue
            else:
                self._took(step, receipt)

    def _action(self, step: StepRow) -> Action[Any]:
        product = Product.from_id(step.product)
        if step.kind is StepKind.BID:
            return self._market.bid(product, step.units, tick=step.tick)
        if step.kind is StepKind.SPLIT:
            return self._market.split(step.site, product, step.units)
        return self._delivery.redeem(product, step.site, step.units, job_hash=bytes.fromhex(step.hash))

    def _deadline_s(self, step: StepRow) -> int:
        """After this it would be refused: what is in no block by then is cancelled."""
        start_s = Product.from_id(step.product).start_s
        return start_s - self._market.deployment.terms.lead_s if step.kind is StepKind.BID else start_s

    def _took(self, step: StepRow, receipt: Receipt) -> None:
        if step.kind is StepKind.SPLIT:
            self._note(step, StepState.DONE)
        elif step.kind is StepKind.REDEEM:
            self._note(step, StepState.STANDS, lease=self._market.event(receipt, "Redeemed")["lease"])
        else:
            product = Product.from_id(step.product)
            placed = self._market.event(receipt, "OrderPlaced")
            first_round = self._market.book(product).first_round
            order = read_order(placed["order"], product, first_round, placed["index"])
            self._note(step, StepState.STANDS, round=order.round, slot=order.index)

    def _note(self, step: StepRow, state: StepState, **came: object) -> None:
        note_step(self._kept.store, step, state, **came)

    # ---- seeing what came of them

    def _observe(self, signer: Signer) -> None:
        """Notes fills and ends of leases; clears, settles and resolves what nobody else did in time."""
        standing = [step for step in self._steps() if step.state is StepState.STANDS]
        waiting = [step for step in standing if step.kind is StepKind.BID and not self._filled(step)]
        running = [step for step in standing if step.kind is StepKind.REDEEM and not self._ended(step)]
        if self._help(signer, waiting, running):
            self._kept.refresh()
            for step in waiting:
                self._filled(step)
            for step in running:
                self._ended(step)

    def _filled(self, step: StepRow) -> bool:
        found = [row for row in orders_in(self._history, step.product, step.round or 0) if row.slot == step.slot]
        if not found or not found[0].settled:
            return False
        filled, cost_micro = found[0].filled, 0
        if filled:
            price = clearing(self._history, step.product, step.round or 0)
            if price is None or price.price_micro is None:
                return False
            cost_micro = filled * Product.from_id(step.product).hours * price.price_micro
        self._note(step, StepState.DONE, filled=filled, cost_micro=cost_micro)
        return True

    def _ended(self, step: StepRow) -> bool:
        found = lease(self._history, step.lease or 0)
        if found is None or found.resolved_s is None:
            return False
        delivered_milli = found.delivered_milli or 0
        self._note(step, StepState.DONE, delivered_milli=delivered_milli, refund_micro=found.to_holder_micro)
        return True

    def _help(self, signer: Signer, waiting: Sequence[StepRow], running: Sequence[StepRow]) -> bool:
        """Anyone may clear, settle and resolve: a market without a keeper does not hold a campaign up."""
        now_s, done = self._market.chain.time_s(), False
        for product_id, round_ in sorted({(step.product, step.round or 0) for step in waiting}):
            if now_s >= self._market.round_end_s(round_) + self.patience_s:
                done |= self._settle(signer, Product.from_id(product_id), round_)
        for step in running:
            found = lease(self._history, step.lease or 0)
            if found is not None and found.due_s is not None and now_s > found.due_s + self.patience_s:
                done |= _tried(self._delivery.resolve(found.lease), signer)
        return done

    @property
    def patience_s(self) -> int:
        return self._kept.patience_s

    def _settle(self, signer: Signer, product: Product, round_: int) -> bool:
        done = False
        if self._market.price(product, round_) is None and self._market.chain.time_s() < product.start_s:
            done |= _tried(self._market.clear(product, round_), signer)
        for part in self._market.settlements(product, round_):
            done |= _tried(part, signer)
        return done

    # ---- planning

    def _plan(self) -> bool:
        """Keeps the next steps, if there are any; False where there are none, or somebody else planned meanwhile."""
        row, taken = self.row, self._steps()
        if any(step.state is StepState.PLANNED for step in taken):
            return False
        jobs, hashes = jobs_of(row)
        now_s = self._market.chain.time_s()
        specs, owners = Progress(jobs, taken).specs(now_s)
        bids_stand = any(step.kind is StepKind.BID and step.state is StepState.STANDS for step in taken)
        if not specs:
            leases_run = any(step.kind is StepKind.REDEEM and step.state is StepState.STANDS for step in taken)
            note = _BIDS_WAIT if bids_stand else "its leases run" if leases_run else "all is delivered, or too late"
            keep_plan(self._kept.store, row, [], note, ended=not (bids_stand or leases_run))
            return False
        paid = Paid(taken).prices_micro()
        plan = self._desk.plan(specs, row.owner, self._meant(row), cooling(taken, now_s), paid)
        drafts = list(redeem_steps(plan.placements, owners, hashes))
        if not bids_stand:
            drafts += bid_steps(within(plan.purchases, left_micro(jobs, taken)), owners)
        fresh = at_once(self._fresh(drafts, taken, now_s), _STEPS_AT_ONCE)
        numbered = [
            replace(step, campaign=self.number, number=len(taken) + place, made_s=now_s)
            for place, step in enumerate(fresh)
        ]
        over = not fresh and not any(step.state is StepState.STANDS for step in taken) and self._too_late(specs, now_s)
        return keep_plan(self._kept.store, row, numbered, _note_of(plan, specs, bids_stand), over) and bool(numbered)

    def _meant(self, row: CampaignRow) -> dict[int, int]:
        """Units of the owner's that other campaigns bought and did not redeem yet."""
        others = open_steps(self._kept.store, self._kept.place, row.owner)
        found = bought_units(step for step in others if step.campaign != self.number)
        return {product: units for product, units in found.items() if units > 0}

    def _fresh(self, drafts: Sequence[StepRow], taken: Sequence[StepRow], now_s: int) -> list[StepRow]:
        """Without what the market refused, or left unfilled, in this very round: the next one may be otherwise."""
        round_s = self._market.deployment.terms.round_s
        vain = {
            (step.kind, step.product, step.site)
            for step in taken
            if step.made_s // round_s == now_s // round_s
            and (step.state is StepState.REFUSED or step.kind is StepKind.BID)
        }
        return [step for step in drafts if (step.kind, step.product, step.site) not in vain]

    def _too_late(self, specs: Sequence[JobSpec], now_s: int) -> bool:
        """Whether nothing could be bought any more for any of them."""
        terms = self._market.deployment.terms
        closed_s = (now_s // terms.round_s + 1) * terms.round_s + terms.lead_s
        return all((spec.deadline_hour - 1) * SECONDS_PER_HOUR < closed_s for spec in specs)


def _tried(action: Action[Any], signer: Signer) -> bool:
    """Whether it was done here: somebody else may have been first."""
    with suppress(Reverted, Cancelled, NotIncluded):
        action.send(signer)
        return True
    return False


def _note_of(plan: DispatchPreview, specs: Sequence[JobSpec], bids_stand: bool) -> str:
    """What it waits for, and why the plan placed no more."""
    if bids_stand:
        return _BIDS_WAIT
    if not plan.left:
        return ""
    first = plan.left[0]
    more = f"; and {len(plan.left) - 1} more" if len(plan.left) > 1 else ""
    by = format_hour(specs[first.job].deadline_hour)
    return f"{first.unit_hours} unit-hours of {specs[first.job].name}, wanted by {by}: {first.text}{more}"
