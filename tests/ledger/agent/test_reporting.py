"""Reports are sent once, by a name that says which; what the agent did of it is in test_agent."""

import time
from pathlib import Path

from ledger.agent.reporting import Reporting
from ledger.store.agent import Stage
from ledger.store.intents import State
from tests.ledger.agent.stand import Hand, stand
from tests.world import World


def test_a_report_that_came_to_nothing_is_sent_under_another_name(anvil_world: World, tmp_path: Path) -> None:
    with stand(anvil_world, tmp_path, executor=Hand()) as made:
        lease, product = made.lease(made.job("true"))
        made.tick(product.start_s)
        setup = made.agent._setup
        work, reporting = made.work(lease), Reporting(made.agent._setup)
        first = reporting._report_key(work)
        call = made.world.delivery.report(lease, 1).call
        # The key's owner cancels it: its nonce is taken by nothing, for good.
        with made.world.clock.one_block():
            sent = setup.delivery.sender.submit(call, made.world.provider, first)
            assert reporting._report_key(work) == first
            setup.delivery.sender.cancel(sent.number)
        made.world.chain.request("anvil_mine", hex(100))
        until_s = time.monotonic() + 20
        while setup.delivery.sender.status(first).state is not State.CANCELLED:
            assert time.monotonic() < until_s
            setup.delivery.sender.advance()
        assert reporting._report_key(work) == f"{first} 1"
        made.tick(product.end_s)
        assert made.work(lease).stage is Stage.DONE
        assert len(made.reported(lease)) == 1
