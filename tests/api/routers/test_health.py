"""Healthy while all of it is, and by name what is not."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.routers.health import first_gaps
from ledger import Unreachable
from ledger.keys import SignedTransaction
from ledger.sending.fees import Fees
from ledger.store.intents import Draft, Intent
from ledger.store.outbox import Outbox
from tests.api.stage import Stage, staged
from tests.world import world_on


def test_all_is_well(stage: Stage) -> None:
    for path in ("live", "startup", "ready"):
        found = stage.get(f"/health/{path}")
        assert found["ok"], found
    names = [one["name"] for one in stage.get("/health/ready")["checks"]]
    assert names == ["database", "node", "history", "gas", "nonces", "threads"]


def test_a_node_that_does_not_answer_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> int:
        raise Unreachable("here", "no")

    monkeypatch.setattr(stage.services.chain, "time_s", silent)
    response = stage.client.get("/health/ready")
    assert response.status_code == 503
    assert [one["name"] for one in response.json()["checks"] if not one["ok"]] == ["node"]
    assert stage.client.get("/health/live").status_code == 200


def test_a_thread_that_ended_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.services, "running", lambda: {"index": False, "feed": True})
    response = stage.client.get("/health/ready")
    assert response.status_code == 503
    assert "index" in response.text


@given(
    have=st.dictionaries(st.sampled_from("ab"), st.integers(0, 9), min_size=2),
    ours=st.sets(st.tuples(st.sampled_from("ab"), st.integers(0, 15))),
)
def test_a_gap_is_the_first_nonce_that_nobody_has(have: dict[str, int], ours: set[tuple[str, int]]) -> None:
    gaps = first_gaps(ours, have)
    for sender in "ab":
        tops = [nonce for who, nonce in ours if who == sender]
        free = [n for n in range(have[sender], max(tops, default=0)) if (sender, n) not in ours]
        assert gaps.get(sender) == (free[0] if free else None)


def test_a_nonce_that_nobody_has_is_named(tmp_path: Path) -> None:
    with world_on("anvil") as world, staged(world, tmp_path, services=frozenset({"index"})) as own:
        signer = world.stranger
        call = world.market.call("Token", "approve", world.market.address("Treasury"), 1)
        sent = own.services.sender.submit(call, signer)
        assert own.get("/health/ready")["ok"]
        # As after a node forgot what somebody else sent with the key: ours follows on what is there no more.
        signed = SignedTransaction(b"later", "0x" + "11" * 32)
        later = Draft(signer.address, None, b"", 21_000, Fees(10, 1), lambda _: signed, "later", sent.nonce + 4)
        outbox = Outbox(own.services.store, world.chain.chain_id, time.time)
        own.services.sender.close()
        [kept] = outbox.keep([later])
        assert isinstance(kept, Intent), kept
        response = own.client.get("/health/ready")
        assert response.status_code == 503
        [bad] = [one for one in response.json()["checks"] if not one["ok"]]
        assert (bad["name"], bad["found"]) == ("nonces", f"{signer.address} has nothing for nonce {sent.nonce + 1}")
