"""The queue of signed orders: each order once, each number once, and every order ends in one way."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from ledger.errors import OrderNumberTaken, Unavailable, UnknownIntent
from ledger.settings import Secret
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.relay import SOON_ROUNDS, NewOrder, QueuedOrder, RelayQueue, Stage

OWNER = "0x" + "a" * 40


def new_order(seed: int, round_: int = 7, index: int | None = None, owner: str = OWNER) -> NewOrder:
    """An order whose digest tells `seed`."""
    return NewOrder(
        digest=seed.to_bytes(32),
        owner=owner,
        round=round_,
        index=seed % 80 if index is None else index,
        product=2**87 + seed,
        kind=1,
        what=2**160 - 1 - seed,
        who=2**248 - 1 - seed,
        signature=bytes([seed % 256]) * 65,
    )


@pytest.fixture
def queue() -> Iterator[RelayQueue]:
    store = open_store(IN_MEMORY)
    yield RelayQueue(store)
    store.close()


def stages(queue: RelayQueue) -> dict[int, Stage]:
    return {int.from_bytes(one.order.digest): one.stage for one in queue.latest(1_000)}


def test_accept_keeps_what_it_was_given(queue: RelayQueue) -> None:
    order = new_order(3)
    [queued] = queue.accept([order], accepted_ms=1_000)
    assert queued == QueuedOrder(1, order, 1_000, Stage.QUEUED, 0, None, None, None, None)
    assert queued.words == (order.what, order.who, order.signature)
    assert queue.order(order.digest) == queued
    assert queue.of_owner(OWNER) == queue.waiting(7, 10) == queue.latest() == [queued]
    assert queue.of_owner(OWNER, after=queued.number) == queue.waiting(8, 10) == []


def test_accept_is_the_same_when_it_is_the_same_order(queue: RelayQueue) -> None:
    [first] = queue.accept([new_order(3)], 1_000)
    again, other, twice = queue.accept([new_order(3), new_order(4), new_order(3)], 2_000)
    assert (again, twice) == (first, first)
    assert other.number == 2
    assert queue.counts()[Stage.QUEUED] == 2


def test_accept_raises_when_the_number_stands_for_another_order(queue: RelayQueue) -> None:
    queue.accept([new_order(3, index=5)], 1_000)
    with pytest.raises(OrderNumberTaken, match="another order number 5 for round 7"):
        queue.accept([new_order(8), new_order(4, index=5)], 2_000)
    with pytest.raises(OrderNumberTaken):
        queue.accept([new_order(8, index=6), new_order(9, index=6)], 2_000)
    assert stages(queue) == {3: Stage.QUEUED}, "all or none"
    queue.accept([new_order(4, round_=8, index=5), new_order(5, index=5, owner="0x" + "b" * 40)], 2_000)
    assert len(stages(queue)) == 3


def test_order_raises_for_one_that_nobody_gave(queue: RelayQueue) -> None:
    with pytest.raises(UnknownIntent, match="0x0101"):
        queue.order(b"\x01" * 32)


def test_waiting_gives_the_first_first_and_no_more_than_asked(queue: RelayQueue) -> None:
    queue.accept([new_order(seed) for seed in (9, 3, 5)], 1_000)
    assert [one.order.index for one in queue.waiting(7, 2)] == [9, 3]


def test_claim_gives_an_order_to_one_batch_only(queue: RelayQueue) -> None:
    numbers = [one.number for one in queue.accept([new_order(seed) for seed in range(4)], 1_000)]
    assert queue.claim({"a": numbers[:2], "b": [numbers[3], numbers[1]]}) == {"a": numbers[:2], "b": [numbers[3]]}
    queue.note_intent("b", 12)
    assert queue.batches() == {"a": 7, "b": 7}
    assert [one.number for one in queue.batch("a")] == numbers[:2]
    assert [(one.number, one.intent) for one in queue.batch("b")] == [(numbers[3], 12)]
    assert [one.number for one in queue.waiting(7, 10)] == [numbers[2]]


def test_release_puts_a_batch_that_was_not_sent_back_as_it_was(queue: RelayQueue) -> None:
    before = queue.accept([new_order(seed) for seed in range(3)], 1_000)
    queue.claim({"a": [before[0].number, before[1].number], "b": [before[2].number]})
    queue.note(placed={before[1].number: 4})
    queue.release("a")
    assert queue.waiting(7, 10) == before[:1]
    assert queue.batches() == {"b": 7}


def test_note_ends_orders_once(queue: RelayQueue) -> None:
    a, b, c, d = (one.number for one in queue.accept([new_order(seed) for seed in range(4)], 1_000))
    queue.claim({"batch": [a, b, c]})
    queue.note(placed={a: 70, d: 71}, skipped={b: "too poor" * 100}, returned=[c])
    queue.note(placed={b: 1}, skipped={a: "late"}, returned=[a, b, c])
    first, second, third, fourth = sorted(queue.latest(), key=lambda one: one.number)
    assert (first.stage, first.slot, first.batch) == (Stage.PLACED, 70, "batch")
    assert (second.stage, second.slot) == (Stage.SKIPPED, None)
    assert second.reason is not None
    assert second.reason.startswith("too poor")
    assert (third.stage, third.attempts, third.batch) == (Stage.QUEUED, 1, None)
    assert (fourth.stage, fourth.slot) == (Stage.QUEUED, None), "nobody relayed it"
    assert queue.counts() == {
        Stage.QUEUED: 2,
        Stage.RELAYED: 0,
        Stage.PLACED: 1,
        Stage.SKIPPED: 1,
        Stage.EXPIRED: 0,
    }


def test_reject_skips_what_is_queued_and_nothing_else(queue: RelayQueue) -> None:
    a, b = (one.number for one in queue.accept([new_order(1), new_order(2)], 1_000))
    queue.claim({"batch": [a]})
    queue.reject({a: "poor", b: "poor"})
    assert stages(queue) == {1: Stage.RELAYED, 2: Stage.SKIPPED}


def test_held_orders_stand_aside_with_their_reason_until_they_are_placed(queue: RelayQueue) -> None:
    a, b, c = (one.number for one in queue.accept([new_order(seed) for seed in range(3)], 1_000))
    queue.claim({"batch": [c]})
    queue.hold({a: "poor", b: "poor" * 200, c: "poor"})
    assert queue.waiting(7, 10) == []
    assert [(one.number, one.reason) for one in queue.held(7, 0, 1)] == [(a, "poor")]
    assert [one.number for one in queue.held(7, a, 10)] == [b], "what is relayed is not held"
    queue.claim({"late": [a]})
    queue.note(placed={a: 1})
    assert queue.expire(8) == 1
    placed, expired, _ = sorted(queue.latest(), key=lambda one: one.number)
    assert (placed.stage, placed.reason) == (Stage.PLACED, None)
    assert (expired.stage, expired.reason) == (Stage.EXPIRED, ("poor" * 200)[:400])


def test_accept_raises_where_too_many_wait(queue: RelayQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.store.relay.QUEUED_MAX", 3)
    first = queue.accept([new_order(seed) for seed in range(3)], 1_000)
    with pytest.raises(Unavailable, match="3 signed orders wait already, and 1 more"):
        queue.accept([new_order(9)], 1_000)
    assert queue.accept([new_order(0)], 2_000) == first[:1], "what is here is no more"
    queue.claim({"batch": [first[0].number]})
    queue.accept([new_order(9)], 3_000)


def test_orders_for_rounds_far_ahead_leave_room_for_those_that_come(
    queue: RelayQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.store.relay.QUEUED_MAX", 8)
    now, far = 7, 7 + SOON_ROUNDS + 1
    queue.accept([new_order(seed, far) for seed in range(4)], 1_000, now)
    with pytest.raises(Unavailable, match="4 signed orders wait already, and 1 more for rounds so far ahead would be"):
        queue.accept([new_order(10, far), new_order(11, now)], 1_000, now)
    assert queue.counts()[Stage.QUEUED] == 4, "all or none"
    queue.accept([new_order(20, far - 1), *(new_order(seed, now) for seed in range(21, 24))], 1_000, now)
    with pytest.raises(Unavailable, match="8 signed orders wait already, and 1 more would be above 8"):
        queue.accept([new_order(30, now)], 1_000, now)
    # What was far ahead is not when its round comes nearer.
    queue.expire(now + 1)
    queue.accept([new_order(31, far)], 1_000, now + 1)


def test_waiting_gives_every_owner_its_turn(queue: RelayQueue) -> None:
    flood = queue.accept([new_order(seed) for seed in range(70)], 1_000)
    [other] = queue.accept([new_order(71, owner="0x" + "b" * 40)], 1_001)
    assert queue.waiting(7, 2) == [flood[0], other]
    assert queue.waiting(7, 100) == [flood[0], other, *flood[1:]]


def test_expire_ends_what_is_queued_for_rounds_that_are_over(queue: RelayQueue) -> None:
    rounds = {1: 6, 2: 7, 3: 5, 4: 8}
    queued = queue.accept([new_order(seed, round_) for seed, round_ in rounds.items()], 1_000)
    queue.claim({"batch": [queued[2].number]})
    assert (queue.expire(8), queue.expire(8)) == (2, 0)
    assert stages(queue) == {1: Stage.EXPIRED, 2: Stage.EXPIRED, 3: Stage.RELAYED, 4: Stage.QUEUED}


def test_claim_shares_orders_among_keepers_that_ask_at_once(tmp_path: Path) -> None:
    store = open_store(Secret(f"sqlite:///{tmp_path / 'ledger.db'}"))
    others = open_store(Secret(f"sqlite:///{tmp_path / 'ledger.db'}"))
    queues = (RelayQueue(store), RelayQueue(others))
    numbers = [one.number for one in queues[0].accept([new_order(seed) for seed in range(80)], 1_000)]
    taken: list[int] = []

    def take(queue: RelayQueue, name: str) -> None:
        for start in range(0, 80, 10):
            taken.extend(queue.claim({f"{name}{start}": numbers[start : start + 10]})[f"{name}{start}"])

    threads = [threading.Thread(target=take, args=(queue, name)) for queue, name in zip(queues, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    others.close()
    assert sorted(taken) == numbers


@given(
    acts=st.lists(
        st.tuples(st.sampled_from(["accept", "claim", "place", "skip", "return", "expire"]), st.integers(0, 15)),
        max_size=60,
    )
)
def test_orders_only_move_as_drawn(acts: list[tuple[str, int]]) -> None:
    """Whatever is asked in whatever order: stages move along the arrows, and an end is an end."""
    arrows = {
        Stage.QUEUED: {Stage.QUEUED, Stage.RELAYED, Stage.EXPIRED},
        Stage.RELAYED: {Stage.RELAYED, Stage.QUEUED, Stage.PLACED, Stage.SKIPPED},
    }
    store = open_store(IN_MEMORY)
    queue = RelayQueue(store)
    before: dict[int, Stage] = {}
    for step, (act, seed) in enumerate(acts):
        number = {int.from_bytes(one.order.digest): one.number for one in queue.latest()}.get(seed, 10_000)
        match act:
            case "accept":
                queue.accept([new_order(seed, round_=seed % 4)], step)
            case "claim":
                queue.claim({f"batch{step}": [number]})
            case "place":
                queue.note(placed={number: step})
            case "skip":
                queue.note(skipped={number: "why"})
            case "return":
                queue.note(returned=[number])
            case _:
                queue.expire(seed % 4)
        after = stages(queue)
        for one, stage in before.items():
            assert after[one] in arrows.get(stage, {stage}), (act, one, stage)
        before = after
    assert sum(queue.counts().values()) == len(before)
    store.close()


def test_accept_refuses_more_than_one_owner_may_have_waiting(
    queue: RelayQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all rounds together; what others have, and what has ended, does not count."""
    monkeypatch.setattr("ledger.store.relay.OWNER_QUEUED_MAX", 3)
    other = "0x" + "b" * 40
    queue.accept([new_order(1, 7), new_order(2, 8), new_order(3, 9), new_order(4, owner=other)], 5)
    with pytest.raises(Unavailable, match=f"3 signed orders of {OWNER} wait already, and 1 more"):
        queue.accept([new_order(5, 10), new_order(6, owner=other)], 5)
    assert len(queue.latest()) == 4, "all or none"
    assert queue.accept([new_order(1, 7)], 5)[0].number == 1, "what is here already is no more"
    queue.expire(8)
    queue.accept([new_order(5, 10)], 5)
    with pytest.raises(Unavailable):
        queue.accept([new_order(7, 6)], 5)


# ---- two processes, one PostgreSQL


@pytest.fixture
def two(postgres_url: Secret) -> Iterator[tuple[RelayQueue, RelayQueue]]:
    stores = [open_store(postgres_url) for _ in range(2)]
    yield RelayQueue(stores[0]), RelayQueue(stores[1])
    for store in stores:
        store.close()


def test_of_two_that_accept_one_order_at_once_both_are_given_it(two: tuple[RelayQueue, RelayQueue]) -> None:
    first, second = two
    meanwhile: list[list[QueuedOrder]] = []

    @event.listens_for(first.store.engine, "before_cursor_execute")
    def _overtaken(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT") and not meanwhile:
            meanwhile.append([])
            meanwhile[0] = second.accept([new_order(3)], 1_000)

    [mine] = first.accept([new_order(3)], 2_000)
    assert meanwhile == [[mine]]
    assert mine.accepted_ms == 1_000


def test_of_two_that_claim_the_same_orders_at_once_each_is_one_ones(two: tuple[RelayQueue, RelayQueue]) -> None:
    first, second = two
    numbers = [one.number for one in first.accept([new_order(seed) for seed in range(6)], 5)]
    said: list[dict[str, list[int]]] = []
    with second.store.write() as connection:
        connection.exec_driver_sql("UPDATE relay_orders SET stage = 'relayed', batch = 'b' WHERE number <= 3")
        late = threading.Thread(target=lambda: said.append(first.claim({"a": numbers})))
        late.start()
        deadline = time.monotonic() + 60
        while not _waits_for_a_lock(second.store):
            assert time.monotonic() < deadline, "the other never came"
            time.sleep(0.01)
    late.join(60)
    assert said == [{"a": numbers[3:]}]


def _waits_for_a_lock(store: Store) -> bool:
    with store.read() as connection:
        return bool(connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar())
