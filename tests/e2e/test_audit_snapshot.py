"""The audit of a local chain that came back from a snapshot: the states before it are gone, and what is proven is told
apart from what could not be."""

from pathlib import Path

import pytest

from ledger import connect
from ledger.artifacts import Deployment
from ledger.audit.run import run_audit
from ledger.chain import Chain
from ledger.errors import LedgerError
from ledger.localchain.door import local_chain
from ledger.localchain.scribe import Pace
from ledger.market import Market
from ledger.sending.sender import Sender
from tests.world import START_S, World, found

PACE = Pace(delay_s=0.005, heartbeat_s=None)


def test_chain_from_a_snapshot_is_audited_as_far_as_its_node_can_prove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any replay takes longer than that: so the chain keeps a snapshot as it is put away.
    monkeypatch.setattr("ledger.localchain.scribe.SNAPSHOT_IDLE_S", 0)
    with local_chain(tmp_path, pace=PACE, start_s=START_S) as chain:
        world = found(connect(chain.url), chain.url)
        deployment, product = world.market.deployment, world.product()
        world.sell(world.site(), product, 100)
        before, _ = run_audit(world.market)
        assert (before.findings, before.states_gone) == ((), 0)
    assert (tmp_path / "snapshot").exists()
    with local_chain(tmp_path, pace=PACE) as chain:
        assert chain.notices == (), "the snapshot was of use"
        again = connect(chain.url)
        assert _state_is_gone(again, deployment.block)
        market = Market(again, deployment, Sender(again))
        same, _ = run_audit(market, before.block)
        assert same.findings == ()
        assert same.root == before.root
        assert same.states_gone > 0, "of those blocks nobody can say what code stood there"
        # What comes after is proven whole.
        world = _world(again, deployment, world)
        world.sell(world.site(), world.product(), 50)
        later, _ = run_audit(world.market)
        assert later.findings == ()
        assert later.states_gone == same.states_gone
        assert later.events > same.events


def _world(chain: Chain, deployment: Deployment, old: World) -> World:
    sender = Sender(chain)
    assert chain.clock is not None
    market = Market(chain, deployment, sender)
    return World(chain, chain.clock, market, old.delivery, old.hours, "")


def _state_is_gone(chain: Chain, block: int) -> bool:
    try:
        chain.request("eth_getProof", "0x" + "11" * 20, [], hex(block))
    except LedgerError:
        return True
    return False
