"""A keeper's transactions on their way: each piece of work under its own name, spread over several keys."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from ledger.abi import Call
from ledger.errors import LedgerError, UnknownIntent
from ledger.keeping.tasks import Job, Task
from ledger.keys import Signer
from ledger.rpc import Receipt, read_receipt
from ledger.sending.drafts import Sent
from ledger.sending.sender import Sender
from ledger.store.intents import State

# How often the sender looks whether it has to offer something again, or to pay more.
_PASS_SECONDS = 1.0
_LOST = frozenset({State.CANCELLED, State.CONSUMED})


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a task's transaction: its receipt, or None where another took its place; `refusal` says why it
    failed."""

    task: Task
    receipt: Receipt | None
    refusal: LedgerError | None = None

    @property
    def succeeded(self) -> bool:
        return self.receipt is not None and self.receipt.succeeded


class Outgoing:
    """Sends tasks, several at a time, and tells which have ended. What was sent under a name is found again by it."""

    def __init__(self, sender: Sender, signers: Sequence[Signer]) -> None:
        self._sender = sender
        self._turns = cycle(signers)
        self._under_way: dict[str, tuple[Task, Sent]] = {}
        self._tries: Counter[str] = Counter()
        self._next_pass_s = 0.0

    def __contains__(self, key: str) -> bool:
        return key in self._under_way

    def __len__(self) -> int:
        return len(self._under_way)

    def turn(self) -> Signer:
        """Whose turn it is: the keys share the work."""
        return next(self._turns)

    def send(self, tasks: Sequence[tuple[Task, Signer]], deadline_s: int | None = None) -> int:
        """Sends what was simulated before, each call with its gas limit; gives how many. What is in no block at
        `deadline_s` is cancelled. Raises Unavailable: then nothing may have been sent, or all."""
        if not tasks:
            return 0
        calls = [(task.call, signer) for task, signer in tasks]
        names = [self._name(task) for task, _ in tasks]
        sents = self._sender.submit_many(calls, names, simulate=False, deadline_s=deadline_s)
        for (task, _), sent in zip(tasks, sents, strict=True):
            self._under_way[task.key] = task, sent
        return len(tasks)

    def _name(self, task: Task) -> str:
        # What failed is another transaction when it is tried again; what succeeded is the same for ever.
        tries = self._tries[task.key]
        return f"{task.key}#{tries}" if tries else task.key

    def adopt(self, key: str) -> int | None:
        """Follows what was sent under this name by whoever kept it in the same database: its intent's number, or None
        where nothing was sent."""
        try:
            intent = self._sender.status(key)
        except UnknownIntent:
            return None
        call = Call("", intent.to, intent.data, gas=intent.last.gas)
        sent = Sent(call, intent.sender, intent.last.hash, intent.nonce, intent.last.gas, intent.number)
        self._under_way[key] = Task(Job.RELAY, key, 0, call), sent
        return intent.number

    def number(self, key: str) -> int:
        """The intent of what is under way by that name."""
        return self._under_way[key][1].number

    def ended(self) -> list[Ended]:
        """Those whose end is known now; each is told once. Raises Unavailable."""
        found = self._in_blocks() | self._replaced()
        return [self._told(key, receipt) for key, receipt in found.items()]

    def _in_blocks(self) -> dict[str, Receipt | None]:
        wanted = [("eth_getTransactionReceipt", (sent.transaction,)) for _, sent in self._under_way.values()]
        said = self._sender.chain.batch(wanted) if wanted else []
        return {key: read_receipt(one) for key, one in zip(self._under_way, said, strict=True) if one is not None}

    def _replaced(self) -> dict[str, Receipt | None]:
        """Those that came into a block as another transaction than was first sent, or never will."""
        now_s = time.monotonic()
        if now_s < self._next_pass_s or not self._under_way:
            return {}
        self._next_pass_s = now_s + _PASS_SECONDS
        self._sender.advance()
        found: dict[str, Receipt | None] = {}
        for key, (_, sent) in self._under_way.items():
            intent = self._sender.status(sent.number)
            counted = intent.counted and intent.attempt(intent.counted)
            if intent.state in _LOST or (counted and counted.cancels):
                found[key] = None
            elif counted and (receipt := self._sender.chain.receipt(counted.hash)) is not None:
                found[key] = receipt
        return found

    def _told(self, key: str, receipt: Receipt | None) -> Ended:
        task, sent = self._under_way.pop(key)
        if receipt is not None and receipt.succeeded:
            self._tries.pop(key, None)
            return Ended(task, receipt)
        self._tries[key] += 1
        try:
            self._sender.wait(sent)
        except LedgerError as why:
            return Ended(task, receipt, why)
        return Ended(task, receipt)
