"""A group's flow handed out: nothing lost, no job over its units in an hour, and jobs whole one after the other."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.split import shares_of


@st.composite
def flows(draw: st.DrawFn) -> tuple[list[int], int, int, int]:
    """Any flow that a group of so many jobs × units × hours may have."""
    jobs, units, hours = draw(st.integers(1, 9)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    rest, taken = jobs * units * hours, []
    for _ in range(draw(st.integers(1, 6))):
        taken.append(draw(st.integers(0, min(rest, jobs * units))))
        rest -= taken[-1]
    return taken, jobs, units, hours


@given(flows())
def test_shares_lose_nothing_and_fit_each_job(flow: tuple[list[int], int, int, int]) -> None:
    taken, jobs, units, hours = flow
    of_job = [[0] * len(taken) for _ in range(jobs)]
    following = 0
    for job, count, shares in shares_of(taken, jobs, units, hours):
        assert job == following
        following += count
        for one in range(job, job + count):
            for place, each in shares:
                assert each > 0
                of_job[one][place] += each
    assert [sum(column) for column in zip(*of_job, strict=True)] == taken
    assert max(max(row) for row in of_job) <= units
    totals = [sum(row) for row in of_job]
    assert max(totals) <= units * hours
    assert totals == sorted(totals, reverse=True)


@given(flows())
def test_shares_make_the_first_job_as_whole_as_it_can_be(flow: tuple[list[int], int, int, int]) -> None:
    taken, jobs, units, hours = flow
    for _, _, shares in shares_of(taken, jobs, units, hours):
        most = sum(min(units, amount) for amount in taken)
        assert sum(each for _, each in shares) == min(units * hours, most)
        break


def test_shares_of_many_alike_are_few() -> None:
    (found,) = shares_of([10**6, 10**6], 10**6, 1, 2)
    assert found == (0, 10**6, [(0, 1), (1, 1)])


def test_shares_spread_a_job_that_the_others_cannot_make_room_for() -> None:
    # Three hours of two units for two jobs of one unit and three hours: each must take one in each hour.
    assert list(shares_of([2, 2, 2], 2, 1, 3)) == [(0, 2, [(0, 1), (1, 1), (2, 1)])]


def test_shares_take_first_what_the_others_could_not() -> None:
    # Two jobs of four units and two hours, and five units in each of three hours: the second can take four of each.
    shares = list(shares_of([5, 5, 5], 2, 4, 2))
    assert [(job, count, sum(each for _, each in share)) for job, count, share in shares] == [(0, 1, 8), (1, 1, 7)]
    assert [sum(dict(share).get(hour, 0) for _, _, share in shares) for hour in range(3)] == [5, 5, 5]
    assert max(each for _, _, share in shares for _, each in share) <= 4
