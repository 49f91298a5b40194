"""Plays a client, its sender and a chain that misbehaves, from one seed; then makes the chain behave, and looks at what
came of every intent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import cast

from sqlalchemy import Connection, Engine, select
from sqlalchemy.pool import StaticPool

from ledger.abi import Call
from ledger.chain import Chain
from ledger.errors import Unavailable, Unreachable
from ledger.keys import Signer
from ledger.sending.fees import FeePolicy
from ledger.sending.sender import Sender
from ledger.sending.tracker import Clock
from ledger.store.chains import CHAINS
from ledger.store.engine import Store
from ledger.store.intents import ATTEMPTS, INTENTS, KEYS, State
from ledger.store.leases import LEASE_S
from ledger.store.spending import RESERVED, SPENDING
from tests.ledger.simulation.chain import REORG_MAX, FakeSigner, FakeWire

CONTRACT = "0x" + "cc" * 20
CHAIN_ID = 7
_PASSES_MAX = 80
# The share of runs in which somebody else uses the keys too.
STRANGE = 0.5


class Crash(BaseException):
    """The process is gone: nothing catches this but the runner."""


class SimulatedStore(Store):
    """The database, with a gate before each transaction, before it is kept, and after."""

    gates: "Gates"

    def __init__(self, engine: Engine, gates: "Gates") -> None:
        super().__init__(engine)
        self.gates = gates

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.gates.pass_by("write begins")
        with super().write() as connection:
            yield connection
            self.gates.pass_by("write ends")
        self.gates.pass_by("written")


@dataclass
class Gates:
    """Where a run may crash or a message be lost: at random, or at the places that `crashes` counts out (from 1)."""

    random: Random
    crash_rate: float = 0.0
    loss_rate: float = 0.0
    stale_rate: float = 0.0
    crashes: frozenset[int] = frozenset()
    passed: int = 0
    names: list[str] = field(default_factory=list)

    def pass_by(self, name: str) -> None:
        self.passed += 1
        self.names.append(name)
        if self.passed in self.crashes or (self.crash_rate and self.random.random() < self.crash_rate):
            raise Crash(name)
        network = name.startswith(("ask", "hear"))
        if network and self.loss_rate and self.random.random() < self.loss_rate:
            raise Unreachable("the simulation", name)

    def stale(self) -> bool:
        return bool(self.stale_rate) and self.random.random() < self.stale_rate

    def calm(self) -> None:
        """No faults any more."""
        self.crash_rate = self.loss_rate = self.stale_rate = 0.0


class _OnlyId:
    """As much of a Chain as the sender looks at beside its Wire."""

    chain_id = CHAIN_ID
    clock = None


@dataclass
class Run:
    """One client with some things to do, each once, on one chain."""

    seed: int
    store: Store
    gates: Gates
    intents: int
    fees: FeePolicy = field(default_factory=lambda: FeePolicy(bump_after_s=20, window=3, cap_wei=10**15))
    strange: bool = False

    def __post_init__(self) -> None:
        self.random = self.gates.random
        self.wire = FakeWire(self.random, self.gates.pass_by, self.gates.stale)
        self.now_s = 1_000.0
        self.signers = [cast("Signer", FakeSigner("0x" + f"{index + 1:02x}" * 20)) for index in range(2)]
        self.keys = [f"thing {index}" for index in range(self.intents)]
        self.done: set[str] = set()
        self.cancelled: set[str] = set()
        self.happened: set[str] = set()
        self.sender = self._started()

    def _started(self) -> Sender:
        clock = Clock(lambda: self.now_s, lambda: self.now_s, self._sleep)
        return Sender(cast("Chain", _OnlyId()), self.store, self.fees, wire=self.wire, clock=clock)

    def _sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def survive(self, step: str) -> None:
        """One step of the client's; a crash ends its process, and another begins when the lease is over."""
        try:
            getattr(self, step)()
        except Unavailable:
            # The client asks again later.
            self.happened.add("lost")
        except Crash:
            self.happened.add("crashed")
            self.now_s += LEASE_S + 1
            if not isinstance(self.store.engine.pool, StaticPool):
                # What is not on the disk is gone.
                self.store.engine.dispose()
            self.sender = self._started()

    # ---- what a client does

    def submit(self) -> None:
        """The next thing that the client does not know to be accepted: the first, or several at once."""
        open_keys = [key for key in self.keys if key not in self.done]
        some = open_keys[: self.random.randint(1, 3)]
        if some:
            self.sender.submit_many([self._call(key) for key in some], some)
            self.done.update(some)

    def _call(self, key: str) -> tuple[Call, Signer]:
        place = self.keys.index(key)
        return Call("Thing", CONTRACT, key.encode()), self.signers[place % len(self.signers)]

    def advance(self) -> None:
        self.sender.advance()

    def resume(self) -> None:
        self.sender.resume(*self.signers)

    def cancel(self) -> None:
        """Changes its mind about one of the things that were accepted."""
        if self.done and len(self.cancelled) < 1:
            key = self.random.choice(sorted(self.done))
            number = self.sender.status(key).number
            self.cancelled.add(key)
            self.sender.cancel(number)

    # ---- what the world does

    def mine(self) -> None:
        self.wire.mine(self.random.randrange(4))

    def mine_all(self) -> None:
        self.wire.mine()

    def reorganise(self) -> None:
        self.happened.add("reorganised")
        self.wire.reorganise(self.random.randint(1, REORG_MAX))

    def drop(self) -> None:
        if self.wire.waiting:
            self.happened.add("dropped")
        self.wire.drop()

    def stranger(self) -> None:
        """Somebody uses one of the keys elsewhere, which nobody should."""
        self.happened.add("strange")
        self.wire.stranger(self.random.choice(self.signers).address)

    def move_fee(self) -> None:
        factor = self.random.choice((2, 3, 8))
        up = self.random.random() < 0.6
        self.wire.base_fee_wei = max(10**8, self.wire.base_fee_wei * factor if up else self.wire.base_fee_wei // factor)

    def pass_time(self) -> None:
        self.now_s += self.random.randrange(25)

    # ---- the play

    def play(self, steps: int) -> None:
        """Steps at random, faults and all, and then the quiet until everything is over."""
        chances = _CHANCES | ({"stranger": 4, "drop": 5, "reorganise": 4} if self.strange else {})
        for step in self.random.choices(list(chances), list(chances.values()), k=steps):
            self.survive(step)
        self.finish()

    def finish(self) -> None:
        """Without faults from now on but those that were counted out: everything ends within so many passes."""
        self.gates.calm()
        self.wire.evict()
        for _ in range(_PASSES_MAX):
            if len(self.done) < len(self.keys):
                self.survive("submit")
            self.survive("resume")
            for _ in range(4):
                self.wire.mine()
            self.now_s += 13
            if len(self.done) == len(self.keys) and not self.sender.unfinished():
                return
        raise AssertionError(f"unfinished after {_PASSES_MAX} passes: {self.sender.unfinished()}")

    def check(self) -> None:
        """Each intent has one effect, or none where it was cancelled; no nonce is missing; nothing unknown was sent."""
        effects = self.wire.effects()
        assert len(effects) == len(set(effects)), f"an effect came twice: {sorted(effects)}"
        strangers = self.wire.strangers()
        nonces: dict[str, list[int]] = {}
        for key in self.keys:
            status = self.sender.status(key)
            nonces.setdefault(status.sender, []).append(status.nonce)
            allowed = {State.FINAL, State.CANCELLED} if key in self.cancelled else {State.FINAL}
            if (status.sender, status.nonce) in strangers:
                allowed = {State.CONSUMED}
            assert status.state in allowed, f"{key} is {status.state}: {status}"
            assert (key.encode() in effects) == (status.state is State.FINAL), f"{key} is {status.state}"
        known, filled = self.kept()
        assert not filled or "strange" in self.happened, f"filled where nobody else was: {filled}"
        for sender, taken in nonces.items():
            others = {nonce for one, nonce in strangers | filled if one == sender} - set(taken)
            assert len(taken) == len(set(taken)), f"nonces of {sender}: {taken}"
            every = {*taken, *others}
            assert set(range(max(taken))) <= every, f"nonces of {sender}: {taken}, and {others} of others"
        assert self.wire.heard <= known, f"sent and not kept: {self.wire.heard - known}"

    def kept(self) -> tuple[set[str], set[tuple[str, int]]]:
        """The hash of everything that was ever signed, and the slots that were filled for want of another."""
        with self.store.read() as connection:
            known = set(connection.scalars(select(ATTEMPTS.c.hash)))
            where = INTENTS.c.to == INTENTS.c.sender
            rows = connection.execute(select(INTENTS.c.sender, INTENTS.c.nonce).where(where)).all()
        return known, {(row.sender, row.nonce) for row in rows}


_CHANCES = {
    "submit": 6,
    "advance": 6,
    "mine": 5,
    "reorganise": 3,
    "drop": 2,
    "stranger": 0,
    "move_fee": 2,
    "pass_time": 3,
    "cancel": 1,
    "resume": 1,
}


def emptied(store: SimulatedStore) -> None:
    """Forgets all that was sent."""
    store.gates = Gates(Random(0))
    with store.write() as connection:
        for table in (RESERVED, ATTEMPTS, INTENTS, KEYS, SPENDING, CHAINS):
            connection.execute(table.delete())


def play_seed(seed: int, store: SimulatedStore) -> Run:
    """One run from a seed, in an emptied database. Raises AssertionError for whatever went wrong."""
    random = Random(seed)
    emptied(store)
    rates = random.choice((0, 0.03, 0.06)), random.choice((0, 0.05, 0.2)), random.choice((0, 0.3))
    store.gates = Gates(random, *rates)
    run = Run(seed, store, store.gates, random.randint(1, 4), strange=random.random() < STRANGE)
    run.play(random.randint(6, 20))
    run.check()
    return run
