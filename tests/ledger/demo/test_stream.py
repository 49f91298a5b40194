"""The stream's process: one tick a round, offers and bids in the keeper's queue."""

from ledger.chain import connect
from ledger.demo.live import Live, live_plan, open_market
from ledger.demo.stream import Stream
from ledger.keeping.relays import RelayDesk
from ledger.market import Market
from ledger.model import Kind
from ledger.node import local_node
from ledger.sending.sender import Sender
from ledger.store.engine import IN_MEMORY, open_store
from ledger.store.relay import RelayQueue
from ledger.units import SECONDS_PER_HOUR
from tests.ledger.demo.test_live import START_S


def test_tick_serves_each_round_once() -> None:
    with local_node("--gas-limit", "1000000000", start_s=START_S, accounts=60) as node:
        chain = connect(node.url)
        sender = Sender(chain)
        deployment = open_market(chain, sender, live_plan(chain.time_s() // SECONDS_PER_HOUR))
        market = Market(chain, deployment, sender)
        live = Live(market)
        live.furnish()
        queue = RelayQueue(open_store(IN_MEMORY))
        stream = Stream(live, RelayDesk(market, queue))
        clock = chain.clock
        assert clock is not None
        for _ in range(2):
            clock.go_to(market.round_end_s(market.current_round()))
            assert stream.tick()
            assert not stream.tick()
        queued = queue.latest()
        assert len({order.order.round for order in queued}) == 2
        assert {order.order.kind for order in queued} == {Kind.BID, Kind.OFFER}
