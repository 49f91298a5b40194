"""The planner: bounded, fair to every kind of work, and never held up by what fails."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ledger.abi import Call
from ledger.keeping.tasks import (
    Burners,
    Job,
    Task,
    Troubles,
    fingerprint,
    grouped,
    halved,
    key_of,
    packed,
    plan,
    turn_s,
)

NOTHING = Call("", None, b"")


def task(job: Job, number: int, due_s: int = 0) -> Task:
    return Task(job, key_of(job, number), due_s, NOTHING)


tasks = st.lists(st.builds(task, st.sampled_from(Job), st.integers(0, 30), st.integers(0, 100)), max_size=80)


@given(candidates=tasks, limit=st.integers(1, 40), broken=st.sets(st.integers(0, 30)))
def test_plan_is_bounded_fair_and_never_held_up(candidates: list[Task], limit: int, broken: set[int]) -> None:
    def ready(one: Task) -> bool:
        return int(one.key.partition(":")[2]) not in broken

    chosen = plan(candidates, limit, ready)
    possible = {one.key for one in candidates if ready(one)}
    keys = [one.key for one in chosen]
    assert len(keys) == len(set(keys)) == min(limit, len(possible)), "as much as there is, each once"
    assert set(keys) <= possible
    assert [one.job for one in chosen] == sorted((one.job for one in chosen), key=list(Job).index)
    had, got = (Counter(key.partition(":")[0] for key in of) for of in (possible, keys))
    for job, count in had.items():
        # No kind of work gets less than another, unless it is all done.
        assert got[job] == count or got[job] >= max(got.values(), default=0) - 1


@given(dues=st.lists(st.integers(0, 1_000), unique=True, min_size=1), limit=st.integers(1, 20))
def test_plan_takes_what_has_waited_longest(dues: list[int], limit: int) -> None:
    chosen = plan([task(Job.CLEAR, due_s, due_s) for due_s in dues], limit)
    assert [one.due_s for one in chosen] == sorted(dues)[:limit]


@given(weights=st.lists(st.integers(1, 120), max_size=60), room=st.integers(1, 200), most=st.integers(1, 10))
def test_packed_loses_nothing_and_overfills_nothing(weights: list[int], room: int, most: int) -> None:
    items = list(enumerate(weights))
    parts = packed(items, lambda one: one[1], room, most)
    assert [item for part in parts for item in part] == items
    for part in parts:
        assert 0 < len(part) <= most
        assert len(part) == 1 or sum(weight for _, weight in part) <= room


@given(items=st.lists(st.integers(), min_size=1))
def test_halved_comes_down_to_single_items(items: list[int]) -> None:
    parts = halved(items)
    assert [item for part in parts for item in part] == items
    assert len(parts) == min(2, len(items))
    assert abs(len(parts[0]) - len(parts[-1])) <= 1


def test_troubles_pause_twice_as_long_each_time_up_to_a_bound() -> None:
    troubles = Troubles()
    pauses = [troubles.add("settle:1", "why", 1_000).retry_at_s - 1_000 for _ in range(12)]
    assert pauses[:4] == [5, 10, 20, 40]
    assert pauses[-1] == max(pauses) == 600
    assert troubles.waits("settle:1", 1_599)
    assert not troubles.waits("settle:1", 1_600)
    assert not troubles.waits("settle:2", 1_000)
    assert [(one.key, one.failures, one.reason) for one in troubles.all()] == [("settle:1", 12, "why")]
    troubles.forget(before_s=1_601)
    assert len(troubles) == 0


def test_troubles_are_over_when_the_work_is_done() -> None:
    troubles = Troubles()
    troubles.add("clear:1", "why", 0)
    troubles.clear("clear:1")
    troubles.clear("clear:2")
    assert not troubles.waits("clear:1", 0)
    assert troubles.failures("clear:1") == 0


@given(stagger_s=st.integers(0, 20))
def test_turns_differ_between_keepers_and_pieces(stagger_s: int) -> None:
    turns = [turn_s(f"clear:{number}", who, stagger_s) for number in range(50) for who in "ab"]
    assert set(turns) <= set(range(stagger_s + 1))
    assert stagger_s == 0 or len(set(turns)) > 1
    assert turns == [turn_s(f"clear:{number}", who, stagger_s) for number in range(50) for who in "ab"]


def test_names_are_short_and_tell_lists_apart() -> None:
    assert key_of(Job.SETTLE, "ab", 7) == "settle:ab:7"
    assert fingerprint([1, 23]) != fingerprint([12, 3])
    assert len(fingerprint(range(10_000))) == 16
    assert grouped([3, 1, 4, 5], lambda one: one % 2) == {1: [3, 1, 5], 0: [4]}


def test_contracts_that_burnt_gas_wait_and_their_likes_go_one_at_a_time() -> None:
    burners, same, other = Burners(), b"same", b"other"
    wanted = [("a", same), ("b", same), ("c", same), ("d", other), ("d", other)]
    assert burners.chosen(wanted, 0) == [True] * 5
    burners.add("a", same, 0)
    assert burners.chosen(wanted, 1) == [False, True, False, True, True]
    assert burners.chosen(wanted, 3_600) == [True] * 5
