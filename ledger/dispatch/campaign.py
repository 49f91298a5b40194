"""A dispatch under way: it buys what the plan says, redeems what it got at the sites that owe it, waits for the leases,
plans again what did not fill and what failed, for as long as a job's deadline and limit allow, and sells what none of
its jobs needs.

Nothing runs in the background: whoever calls `advance` moves it, from any process. Each step is kept before it is
taken, under a name that the outbox knows: after a crash between any two of them the same step is taken again, and has
one effect. One advance is three motions, each of a module of its own:

    taking     takes what was planned (ledger/dispatch/taking.py)
    observing  notes what came of it (ledger/dispatch/outcomes.py)
    planning   says what is next (ledger/dispatch/agenda.py), which is kept and taken
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from eth_utils.crypto import keccak

from ledger.delivery import Delivery
from ledger.dispatch.agenda import Drafter
from ledger.dispatch.desk import DispatchDesk
from ledger.dispatch.holdings import held_units
from ledger.dispatch.outcomes import Observer, tried
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.progress import jobs_of, jobs_text
from ledger.dispatch.state import CampaignState, state_of
from ledger.dispatch.taking import Taker
from ledger.errors import InputError, UnknownName
from ledger.keys import Signer
from ledger.model import LeaseState
from ledger.store.campaigns import (
    CampaignRow,
    StepRow,
    StepState,
    campaign,
    campaigns,
    create_campaign,
    keep_plan,
    named_campaign,
    steps,
    stop_campaign,
    unended,
)
from ledger.store.engine import Store
from ledger.store.queries import lease
from ledger.store.records import LeaseRow
from ledger.store.turns import turn

JOBS_MAX = 10_000
"""How many jobs one campaign takes."""

NOTHING = keccak(b"")
"""The job hash of a lease for which no document is named: its capacity stands ready."""


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
        self._market = kept.desk.market
        self._taker = Taker(self._market, kept.store)
        self._observer = Observer(kept.desk, kept.store, kept.refresh, kept.patience_s)
        self._drafter = Drafter(kept.desk, kept.store, kept.place)

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
        if self._has_planned():
            # Left by who died or waited in vain: the outbox knows what of it was sent.
            self._market.sender.resume(signer)
            self._take(signer)
        self._observe(signer)
        if self._plan():
            self._take(signer)
            self._observe(signer)

    def _take(self, signer: Signer) -> None:
        self._taker.take(self.row, self._steps(), signer)

    def _observe(self, signer: Signer) -> None:
        self._kept.refresh()
        self._observer.observe(self._steps(), signer)

    def _plan(self) -> bool:
        """Keeps the next steps, if there are any; False where there are none, or somebody else planned meanwhile."""
        if self._has_planned():
            return False
        row, taken = self.row, self._steps()
        next_ = self._drafter.agenda(row, taken)
        now_s = self._market.chain.time_s()
        numbered = [
            replace(step, campaign=self.number, number=len(taken) + place, made_s=now_s)
            for place, step in enumerate(next_.steps)
        ]
        return keep_plan(self._kept.store, row, numbered, next_.note, next_.is_over) and bool(numbered)

    def _has_planned(self) -> bool:
        return any(step.state is StepState.PLANNED for step in self._steps())

    def _steps(self) -> list[StepRow]:
        return steps(self._kept.store, self.number)

    # ---- what else its owner does

    def accept(self, signer: Signer, doubted: Callable[[LeaseRow], bool] = lambda _: False) -> int:
        """Agrees with what the sites reported of its leases, which pays them at once and brings back what they fell
        short; gives how many. What is `doubted` is left to a dispute; who says nothing agrees when the time is up."""
        delivery = Delivery(self._market.chain, self._market.deployment, self._market.sender)
        numbers = [step.lease for step in self._steps() if step.state is StepState.STANDS and step.lease]
        found = [row for row in map(partial(lease, self._kept.desk.history), numbers) if row is not None]
        return sum(
            tried(delivery.accept(row.lease), signer)
            for row in found
            if row.state is LeaseState.REPORTED and not doubted(row)
        )

    def stop(self) -> CampaignState:
        """Lets it buy and redeem no more. Bids that stand and leases that run take their course; `advance` goes on to
        sell what it holds, and it has ended when all of that has."""
        stop_campaign(self._kept.store, self.number)
        while not (row := self.row).ended:
            taken = self._steps()
            rest = any(step.state.is_open for step in taken) or any(units > 0 for units in held_units(taken).values())
            if keep_plan(self._kept.store, row, [], "it was stopped", ended=not rest):
                break
        return self.state()
