"""What a keeper could do next, and which of it to do now: pure, so that every rule of it can be tested alone.

All times are the chain's: block time is the clock.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import TypeVar

from ledger.abi import Call

Item = TypeVar("Item")

_PAUSE_S_MIN = 5
_PAUSE_S_MAX = 600
_DOUBLINGS_MAX = 10
_BURNT_S = 3_600


class Job(StrEnum):
    """The kinds of work, in the order of their hurry: a round's orders have to stand before it ends."""

    RELAY = "relay"
    CLEAR = "clear"
    SETTLE = "settle"
    RESOLVE = "resolve"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Task:
    """One transaction's worth of work: `key` is the same for the same work in every keeper, `due_s` is since when it
    can be done, `size` how many orders or leases it does. `numbers` are the places in the queue of the orders that it
    relays, in the order of its call."""

    job: Job
    key: str
    due_s: int
    call: Call
    size: int = 1
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Work that failed `failures` times, why it did the last time, and when it is tried again."""

    key: str
    failures: int
    reason: str
    retry_at_s: int


@dataclass
class Troubles:
    """What failed: it waits, twice as long each time, and so stands in nobody's way."""

    _found: dict[str, Trouble] = field(default_factory=dict)

    def add(self, key: str, reason: str, now_s: int) -> Trouble:
        """Notes a failure."""
        failures = self.failures(key) + 1
        pause_s = min(_PAUSE_S_MIN << min(failures - 1, _DOUBLINGS_MAX), _PAUSE_S_MAX)
        self._found[key] = trouble = Trouble(key, failures, reason, now_s + pause_s)
        return trouble

    def clear(self, key: str) -> None:
        """Forgets what is done."""
        self._found.pop(key, None)

    def failures(self, key: str) -> int:
        """How often it failed."""
        return self._found[key].failures if key in self._found else 0

    def waits(self, key: str, now_s: int) -> bool:
        """Whether its pause is not over."""
        return key in self._found and now_s < self._found[key].retry_at_s

    def forget(self, before_s: int) -> None:
        """Drops what was not tried for long: somebody else did it."""
        self._found = {key: one for key, one in self._found.items() if one.retry_at_s >= before_s}

    def all(self) -> tuple[Trouble, ...]:
        """Everything that failed, the most stubborn first."""
        return tuple(sorted(self._found.values(), key=lambda one: (-one.failures, one.key)))

    def __len__(self) -> int:
        return len(self._found)


@dataclass
class Burners:
    """Contracts whose orders cost gas and did not stand, by address: their orders wait for an hour; and those with the
    same code, which cost their maker little, have one order a tick together."""

    _owners: dict[str, int] = field(default_factory=dict)
    _codes: dict[bytes, int] = field(default_factory=dict)

    def add(self, owner: str, code: bytes, now_s: int) -> None:
        """Notes an order of `owner` that burnt its gas; `code` is the owner's own."""
        self._owners = {key: until for key, until in self._owners.items() if until > now_s}
        self._codes = {key: until for key, until in self._codes.items() if until > now_s}
        self._owners[owner] = self._codes[sha256(code).digest()] = now_s + _BURNT_S

    def chosen(self, wanted: Iterable[tuple[str, bytes]], now_s: int) -> list[bool]:
        """Which of these orders, each by its owner and the owner's code, may be relayed in this tick."""
        suspects: set[bytes] = set()
        found = []
        for owner, code in wanted:
            name = sha256(code).digest()
            suspect = self._codes.get(name, 0) > now_s
            found.append(self._owners.get(owner, 0) <= now_s and name not in suspects)
            if suspect and found[-1]:
                suspects.add(name)
        return found


def plan(candidates: Iterable[Task], limit: int, ready: Callable[[Task], bool] = lambda _: True) -> list[Task]:
    """At most `limit` of the tasks that are ready, each key once: of every job in turn, what has waited longest.

    So no kind of work, however much of it there is, keeps another from being done.
    """
    queues: dict[Job, list[Task]] = {job: [] for job in Job}
    seen: set[str] = set()
    for task in candidates:
        if task.key not in seen and ready(task):
            seen.add(task.key)
            queues[task.job].append(task)
    for tasks in queues.values():
        tasks.sort(key=lambda task: task.due_s, reverse=True)
    chosen: list[Task] = []
    while len(chosen) < limit and any(queues.values()):
        for tasks in queues.values():
            if tasks and len(chosen) < limit:
                chosen.append(tasks.pop())
    return sorted(chosen, key=lambda task: list(Job).index(task.job))


def turn_s(key: str, who: str, stagger_s: int) -> int:
    """How many seconds `who` leaves a piece of work to others: another number for each keeper and each piece, so that
    two keepers seldom start on the same."""
    drawn = int.from_bytes(sha256(f"{who}/{key}".encode()).digest()[:8])
    return drawn % (stagger_s + 1)


def packed(items: Sequence[Item], weight_of: Callable[[Item], int], room: int, most: int) -> list[list[Item]]:
    """The items in parts, in their order, each of at most `most` items and `room` of weight; one that is heavier than
    that stands alone."""
    parts: list[list[Item]] = []
    left = 0
    for item in items:
        weight = weight_of(item)
        if not parts or weight > left or len(parts[-1]) >= most:
            parts.append([])
            left = room
        parts[-1].append(item)
        left -= weight
    return parts


def halved(items: Sequence[Item]) -> list[list[Item]]:
    """Two halves of what failed as a whole, to find which of it did; one item stays one."""
    middle = (len(items) + 1) // 2
    return [part for part in (list(items[:middle]), list(items[middle:])) if part]


def key_of(job: Job, *parts: object) -> str:
    """A name for a piece of work, short enough for any database."""
    return f"{job}:{':'.join(map(str, parts))}"


def fingerprint(values: Iterable[object]) -> str:
    """A short name for a list."""
    return sha256(",".join(map(str, values)).encode()).hexdigest()[:16]


def grouped(items: Iterable[Item], key: Callable[[Item], int]) -> Mapping[int, list[Item]]:
    """Items by what they have in common, groups and items in the order they came."""
    groups: dict[int, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
