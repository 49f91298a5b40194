"""The budget of a day: it is never exceeded, and what was reserved and not spent returns to where it was taken."""

from random import Random

from hypothesis import given
from hypothesis import strategies as some

from ledger.store.engine import IN_MEMORY, open_store
from ledger.store.intents import INTENTS
from ledger.store.spending import Budget, Spending

ALICE = "0x" + "a1" * 20


def intent_row(number: int) -> dict[str, object]:
    return {
        "number": number,
        "chain_id": 1,
        "sender": ALICE,
        "nonce": number,
        "data": b"",
        "state": "signed",
        "unfinished": True,
        "token": 1,
        "cancel": False,
    }


@given(seed=some.integers(0, 2**32))
def test_day_holds_what_is_reserved_and_what_was_paid_and_no_more(seed: int) -> None:
    """A model beside it: per intent what was reserved on which day, and what it did cost."""
    random = Random(seed)
    store = open_store(IN_MEMORY)
    spending = Spending(store, 1)
    most_wei = random.choice((100, 1_000, 2**90))
    taken = dict.fromkeys(range(3), 0)
    reserved: dict[int, list[tuple[int, int]]] = {}
    with store.write() as connection:
        for number in range(1, 8):
            connection.execute(INTENTS.insert(), intent_row(number))
            for place in range(random.randint(1, 3)):
                day, wei = random.randrange(3), random.randrange(most_wei // 2)
                fits = taken[day] + wei <= most_wei
                assert spending.spend(connection, ALICE, Budget(day, most_wei), wei) == fits
                if fits:
                    taken[day] += wei
                    reserved.setdefault(number, []).append((day, wei))
                    spending.note(connection, [(number, wei)], place, day)
        for number, rows in reserved.items():
            paid_wei = random.randrange(most_wei)
            rest_wei = max(0, sum(wei for _, wei in rows) - paid_wei)
            for day, wei in reversed(rows):
                back_wei = min(wei, rest_wei)
                taken[day] -= back_wei
                rest_wei -= back_wei
            for _ in range(2):
                spending.settle(connection, {number: (ALICE, paid_wei)})
        for day, wei in taken.items():
            assert spending.spend(connection, ALICE, Budget(day, most_wei), most_wei - wei), (seed, day)
            assert not spending.spend(connection, ALICE, Budget(day, most_wei), 1), (seed, day)
    store.close()
