"""The outbox at the command line: what was sent stays known, by number and by key, and nothing is sent twice."""

from tests.ledger.conftest import Shell
from tests.world import BUYER, SELLER, STRANGER, World


def test_the_same_key_sends_once(shell: Shell, anvil_world: World) -> None:
    before_micro = anvil_world.market.wallet_micro(SELLER.address)
    words = ("faucet", "3 USD", "--idempotency-key", "salary")
    first, second = shell.sends(SELLER, *words), shell.sends(SELLER, *words)
    assert first["transaction"] == second["transaction"]
    assert anvil_world.market.wallet_micro(SELLER.address) == before_micro + 3_000_000
    other = shell("faucet", "4 USD", "--idempotency-key", "salary", who=SELLER)
    assert other.code == 2
    assert "salary" in other.err


def test_show_names_every_attempt(shell: Shell) -> None:
    sent = shell.sends(SELLER, "faucet", "1 USD", "--idempotency-key", "one")
    by_key = shell("outbox", "show", "one", "--json").json
    assert (by_key["transaction"], by_key["key"]) == (sent["transaction"], "one")
    assert [one["transaction"] for one in by_key["attempts"]] == [sent["transaction"]]
    assert shell("outbox", "show", str(by_key["number"]), "--json").json == by_key
    assert sent["transaction"][:20] in shell("outbox", "show", "one").out


def test_show_of_nothing_says_so(shell: Shell) -> None:
    unknown = shell("outbox", "show", "nothing")
    assert unknown.code == 2
    assert "nothing" in unknown.err


def test_list_holds_what_is_not_final(shell: Shell) -> None:
    assert shell("outbox", "list", "--json").json == []
    shell.sends(BUYER, "faucet", "1 USD", "--idempotency-key", "listed")
    [row] = shell("outbox", "list", "--json").json
    assert (row["key"], row["state"], row["attempts"]) == ("listed", "included", 1)
    assert shell("outbox", "list", "--json", who=SELLER).json == []
    assert shell("outbox", "list", "--all", "--json", who=SELLER).json == [row]


def test_cancel_of_what_is_in_a_block_says_what_counts(shell: Shell) -> None:
    shell.sends(STRANGER, "faucet", "1 USD", "--idempotency-key", "done")
    number = shell("outbox", "show", "done", "--json").json["number"]
    cancelled = shell.sends(STRANGER, "outbox", "cancel", number)
    assert cancelled["state"] == "included"


def test_resume_says_what_is_left(shell: Shell) -> None:
    shell.sends(STRANGER, "faucet", "1 USD")
    assert shell.sends(STRANGER, "outbox", "resume")["not_final_yet"] == 1


def test_preview_keeps_nothing(shell: Shell) -> None:
    shell("faucet", "1 USD", "--preview", who=SELLER)
    assert shell("outbox", "list", "--json").json == []
