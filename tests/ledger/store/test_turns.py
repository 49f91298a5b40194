"""One at a time has a turn, whoever dies lets go of it, and one that lasts is not taken away."""

import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from threading import Barrier, Thread

import pytest
from sqlalchemy import insert

from ledger.errors import TakenElsewhere
from ledger.store import turns
from ledger.store.engine import Store
from ledger.store.turns import turn

CALLERS = 6


def held(store: Store, name: str) -> bool:
    try:
        with turn(store, name):
            return False
    except TakenElsewhere:
        return True


def test_of_many_at_once_one_has_the_turn(store: Store) -> None:
    start, end, had = Barrier(CALLERS), Barrier(CALLERS), list[bool]()

    def ask() -> None:
        start.wait(30)
        with ExitStack() as stack:
            try:
                stack.enter_context(turn(store, "work"))
                had.append(True)
            except TakenElsewhere:
                had.append(False)
            end.wait(30)

    threads = [Thread(target=ask) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(had) == [False] * (CALLERS - 1) + [True]
    assert not held(store, "work")


def test_turns_at_other_work_are_free_and_a_failure_gives_its_own_back(store: Store) -> None:
    def fail() -> None:
        with turn(store, "work"):
            assert held(store, "work")
            assert not held(store, "other")
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fail()
    assert not held(store, "work")


def test_a_turn_that_lasts_is_renewed(store: Store) -> None:
    with turn(store, "work", 1):
        until_s = time.monotonic() + 2.5
        while time.monotonic() < until_s:
            assert held(store, "work")
            time.sleep(0.1)


def test_the_dead_hold_nothing(store: Store) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    later_ms = time.time_ns() // 1_000_000 + 3_600_000
    here, there = f"{socket.gethostname()}:{int(gone.stdout)}:a", "elsewhere:1:a"
    with store.write() as connection:
        row = {"until_ms": later_ms}
        connection.execute(insert(turns._turns), {"name": "dead", "holder": here} | row)
        connection.execute(insert(turns._turns), {"name": "far", "holder": there} | row)
        connection.execute(insert(turns._turns), {"name": "late", "holder": there, "until_ms": 1})
    assert [held(store, name) for name in ("dead", "far", "late")] == [False, True, False]
