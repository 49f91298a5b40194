"""A program in another language, with another library and none of our code, trades on the market by what the API says
of it alone (trade.mjs), and comes to the same price and the same money."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.clients.market import HOURS, Clients

SCRIPT = Path(__file__).with_name("trade.mjs")


@pytest.mark.slow
def test_a_stranger_trades_without_our_code(clients: Clients) -> None:
    ran = subprocess.run(["node", str(SCRIPT), clients.url], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr[-4_000:]
    found, market = json.loads(ran.stdout), clients.market
    cleared, tick, _ = market.read("Exchange", "clearingOf", clients.product.id, found["round"])
    assert (found["tick"], found["product"], cleared) == (tick, clients.product.code, True)
    assert found["paid_micro"] == found["units"] * HOURS * market.price_micro(clients.product, found["tick"])
    lease = market.lease(found["lease"])
    assert (lease.holder, lease.units, lease.site) == (found["address"], found["units"], clients.site)
    assert market.cash_micro(found["address"]) == 0
    # The round was worth computing: rivals stood in it, and the scarce units were shared among them.
    assert found["orders"] >= 4
    assert 0 < found["units"] < 1_600
