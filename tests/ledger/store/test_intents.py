"""The values of the outbox: the attempt that is on offer is the last, and any is found by its hash."""

from dataclasses import replace

from ledger.keys import SignedTransaction
from ledger.sending.fees import Fees
from ledger.store.intents import IN_A_BLOCK, NEW, UNFINISHED, Attempt, Draft, State, attempt_row, new_intent


def test_intent_knows_its_attempts() -> None:
    attempts = tuple(Attempt(f"0x{place}", bytes([place]), 21_000, Fees(place, 1)) for place in range(3))
    drafted = Draft("0xa", None, b"d", 21_000, Fees(1, 1), lambda _: SignedTransaction(b"", ""), "k", deadline_s=5)
    intent = new_intent(drafted, 7)
    assert (intent.number, intent.nonce, intent.key, intent.deadline_s, intent.state) == (NEW, 7, "k", 5, State.SIGNED)
    sent = replace(intent, attempts=attempts)
    assert sent.last is attempts[-1]
    assert [sent.attempt(one.hash) for one in attempts] == list(attempts)


def test_attempt_is_kept_whole() -> None:
    attempt = Attempt("0x1", b"raw", 21_000, Fees(3, 2), cancels=True)
    row = attempt_row(4, 1, attempt)
    assert (row["intent"], row["place"]) == (4, 1)
    assert (
        Attempt(row["hash"], row["raw"], row["gas"], Fees(row["max_fee_wei"], row["tip_wei"]), row["cancels"])
        == attempt
    )


def test_what_is_in_a_block_is_not_over() -> None:
    assert IN_A_BLOCK < UNFINISHED < set(State)
