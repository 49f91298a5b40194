"""The API's accounts: no secret kept, each request once, each nonce once, and no more spent in a day than allowed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from ledger.settings import Secret
from ledger.store.accounts import IN_FLIGHT_S, KEPT_S, Accounts, ApiKey, Begun, Turn
from ledger.store.engine import IN_MEMORY, open_store

ADDRESS = "0x" + "a" * 40
BUYER = frozenset({"buyer", "read"})


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    store = open_store(IN_MEMORY)
    yield Accounts(store)
    store.close()


def new_key(accounts: Accounts, limit_micro: int = 100) -> tuple[str, ApiKey]:
    return accounts.add_key("desk", BUYER, ADDRESS, limit_micro, frozenset({ADDRESS}), now_s=5)


def test_add_key_gives_a_secret_that_opens_it(accounts: Accounts) -> None:
    secret, key = new_key(accounts)
    assert accounts.key_of(secret) == key
    assert (key.scopes, key.address, key.withdraw_to) == (BUYER, ADDRESS, frozenset({ADDRESS}))
    assert accounts.listed() == accounts.listed(ADDRESS) == [key]
    assert accounts.listed("0x" + "b" * 40) == []


def test_key_of_knows_neither_the_id_nor_a_part_of_the_secret(accounts: Accounts) -> None:
    secret, key = new_key(accounts)
    assert [accounts.key_of(wrong) for wrong in (key.key_id, secret[:-1], secret + "x", "")] == [None] * 4


def test_secrets_are_nowhere_in_the_database(tmp_path: Path) -> None:
    store = open_store(Secret(f"sqlite:///{tmp_path / 'accounts.db'}"))
    accounts = Accounts(store)
    secrets = [new_key(accounts)[0], accounts.open_session(ADDRESS, 5, 10)]
    store.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert ADDRESS.encode() in written
    assert not any(secret[3:].encode() in written for secret in secrets)


def test_revoke_ends_a_key_once(accounts: Accounts) -> None:
    secret, key = new_key(accounts)
    assert (accounts.revoke(key.key_id, 9), accounts.revoke(key.key_id, 10), accounts.revoke("none", 9)) == (
        True,
        False,
        False,
    )
    assert accounts.key_of(secret) is None
    assert [one.revoked_s for one in accounts.listed()] == [9]


def test_the_last_key_that_signs_lives_on_where_it_is_asked(accounts: Accounts) -> None:
    _, reader = accounts.add_key("reader", frozenset({"read"}), ADDRESS, 0, frozenset(), now_s=5)
    keys = [new_key(accounts)[1].key_id for _ in range(2)]
    accounts.add_key("another's", BUYER, "0x" + "b" * 40, 0, frozenset(), now_s=5)
    assert [accounts.revoke(one, 9, unless_last=True) for one in (*keys, keys[1])] == [True, False, False]
    assert accounts.revoke(reader.key_id, 9, unless_last=True)
    assert accounts.revoke(keys[1], 9)


def test_of_the_last_two_keys_that_are_ended_at_once_one_lives_on(tmp_path: Path) -> None:
    store = open_store(Secret(f"sqlite:///{tmp_path / 'accounts.db'}"))
    accounts = Accounts(store)
    keys = [new_key(accounts)[1].key_id for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(lambda one: accounts.revoke(one, 9, unless_last=True), keys))
    assert sorted(ended) == [False] + [True] * 7
    store.close()


@given(amounts=st.lists(st.integers(0, 2**100), max_size=12), limit=st.integers(0, 2**102))
def test_spend_never_exceeds_the_limit_of_a_day(amounts: list[int], limit: int) -> None:
    store = open_store(IN_MEMORY)
    accounts = Accounts(store)
    _, key = new_key(accounts, limit)
    spent = 0
    for amount in amounts:
        left = accounts.spend(key, 1, amount)
        if left is None:
            assert spent + amount > limit
        else:
            spent += amount
            assert left == limit - spent >= 0
        assert accounts.left_micro(key, 1) == limit - spent
    assert accounts.left_micro(key, 2) == limit
    store.close()


def test_unspend_gives_back_what_was_not_done(accounts: Accounts) -> None:
    _, key = new_key(accounts)
    accounts.spend(key, 1, 80)
    accounts.unspend(key, 1, 80)
    assert accounts.spend(key, 1, 100) == 0


def test_begin_lets_one_of_many_do_it(tmp_path: Path) -> None:
    store = open_store(Secret(f"sqlite:///{tmp_path / 'accounts.db'}"))
    accounts = Accounts(store)
    with ThreadPoolExecutor(8) as pool:
        turns = [one.turn for one in pool.map(lambda _: accounts.begin("k", "one", "f", 5), range(40))]
    assert sorted(turns, key=lambda turn: turn.name) == [Turn.FIRST] + [Turn.IN_FLIGHT] * 39
    store.close()


def test_begin_gives_the_same_answer_again_and_only_to_the_same_body(accounts: Accounts) -> None:
    accounts.begin("k", "one", "f", 5)
    accounts.finish("k", "one", 202, "{}")
    again = accounts.begin("k", "one", "f", 5 + IN_FLIGHT_S)
    assert (again.turn, again.status, again.body) == (Turn.AGAIN, 202, "{}")
    assert accounts.begin("k", "one", "other", 6).turn is Turn.OTHER
    assert accounts.begin("other", "one", "f", 6).turn is Turn.FIRST


def test_begin_takes_over_from_who_is_gone_and_forgets_what_is_old(accounts: Accounts) -> None:
    accounts.begin("k", "one", "f", 5)
    assert accounts.begin("k", "one", "f", 5 + IN_FLIGHT_S).turn is Turn.FIRST
    accounts.finish("k", "one", 202, "{}")
    assert accounts.begin("k", "one", "other", 6 + IN_FLIGHT_S + KEPT_S).turn is Turn.FIRST


def test_forget_lets_a_request_be_made_again_unless_it_was_answered(accounts: Accounts) -> None:
    accounts.begin("k", "one", "f", 5)
    accounts.forget("k", "one")
    assert accounts.begin("k", "one", "other", 6).turn is Turn.FIRST
    accounts.finish("k", "one", 202, "{}")
    accounts.forget("k", "one")
    assert accounts.begin("k", "one", "other", 6).turn is Turn.AGAIN


def test_a_nonce_is_good_once_and_in_time(accounts: Accounts) -> None:
    nonce, late = accounts.new_nonce(5, 10), accounts.new_nonce(5, 10)
    assert [accounts.use_nonce(nonce, 6), accounts.use_nonce(nonce, 6), accounts.use_nonce("none", 6)] == [
        True,
        False,
        False,
    ]
    assert not accounts.use_nonce(late, 15)


def test_a_session_is_its_address_until_it_ends(accounts: Accounts) -> None:
    token = accounts.open_session(ADDRESS, 5, 10)
    assert accounts.session_of(token, 14) == ADDRESS
    assert accounts.session_of(token, 15) is None
    assert accounts.session_of(token + "x", 6) is None


# ---- two processes, one PostgreSQL


def test_of_two_that_meet_on_postgresql_none_fails_and_nothing_is_counted_wrong(postgres_url: Secret) -> None:
    """Each reads before the other wrote: the database refuses one of them, which begins anew."""
    stores = [open_store(postgres_url) for _ in range(2)]
    first, second = (Accounts(store) for store in stores)
    _, key = new_key(first, 100)
    for other, mine, expected in (
        (lambda: second.spend(key, 1, 70), lambda: first.spend(key, 1, 20), 10),
        (lambda: second.spend(key, 2, 70), lambda: first.spend(key, 2, 40), None),
        (
            lambda: second.begin(key.key_id, "invoice", "f", 10),
            lambda: first.begin(key.key_id, "invoice", "f", 10),
            Begun(Turn.IN_FLIGHT),
        ),
    ):
        turns: list[object] = []

        def overtaken(
            _connection: object, _cursor: object, statement: str, *_: object, other: Any = other, turns: Any = turns
        ) -> None:
            if statement.startswith("INSERT") and not turns:
                turns.append(None)
                turns[0] = other()

        event.listen(stores[0].engine, "before_cursor_execute", overtaken)
        assert mine() == expected
        event.remove(stores[0].engine, "before_cursor_execute", overtaken)
        assert len(turns) == 1, "they did not meet"
    for store in stores:
        store.close()
