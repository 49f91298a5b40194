"""Reports are sent once, by a name that says which; what the agent did of it is in test_agent."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.agent.document import JobDocument
from ledger.agent.jobstore import FolderJobs
from ledger.agent.reporting import Reporting
from ledger.store.agent import Stage
from ledger.store.intents import State
from tests.ledger.agent.stand import UNITS, Hand, Stand, stand, survived
from tests.world import World

FULL = UNITS * 1_000


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


# ---- once, whoever is killed in between

POINTS = ("fetched", "noted", "started", "read", "stopped", "sealed", "uploaded", "submitted", "reported")
_MORTALS = """
import os, signal, sys
from pathlib import Path
from ledger.agent.local import LocalExecutor
from tests.provider import serve
url, folder, site = sys.argv[1:]
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        signal.alarm(300)
        die = lambda step: step == line.strip() and os.kill(os.getpid(), signal.SIGKILL)
        serve(url, Path(folder), int(site), 1, LocalExecutor(), die)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""
"""Agents, one after the other: each line names the step at which the next is to die."""


@pytest.mark.slow
def test_an_agent_killed_at_every_step_of_a_lease_runs_it_once_and_reports_it_once(real: Stand) -> None:
    """Real processes, one after the other, each with kill -9 at a later step of the same lease."""
    world, folder, count = real.world, real.folder, real.folder / "count"
    world.market.deployment.write(folder / "deployment.json")
    script = JobDocument(("sh", "-c", f"echo x >> {count}; sleep 600")).encode()
    FolderJobs(folder).put_document(script)
    lease, product = real.lease(script)
    times_s = dict.fromkeys(POINTS, product.end_s)
    times_s |= {"fetched": product.start_s - 10, "noted": product.start_s, "started": product.start_s}
    times_s["read"] = product.start_s + 900
    (folder / f"site-{real.site}").mkdir()

    words = [sys.executable, "-c", _MORTALS, world.url, str(folder), str(real.site)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as mortals:
        assert mortals.stdin is not None
        assert mortals.stdout is not None
        agent = 0
        try:
            for point in (*POINTS, ""):
                if times_s.get(point, 0) > world.chain.time_s():
                    world.clock.go_to(times_s[point])
                mortals.stdin.write(f"{point}\n")
                mortals.stdin.flush()
                agent = int(mortals.stdout.readline())
                if point:
                    assert mortals.stdout.readline() == f"{int(signal.SIGKILL)}\n", point
            until(lambda: real.work_in(folder / f"site-{real.site}", lease).stage is Stage.DONE)
            os.kill(agent, signal.SIGKILL)
        finally:
            os.killpg(mortals.pid, signal.SIGKILL)
    assert count.read_text() == "x\n"
    # The chain's clock leaps here, and the machine's does not: a run that was found after a moment may count from then.
    [(delivered_milli, _)] = real.reported(lease)
    assert delivered_milli >= FULL * 3 // 4
    real.check_result(lease, FolderJobs(folder))


@pytest.mark.parametrize("seed", range(4))
def test_an_agent_that_may_die_at_each_step_reports_each_lease_once_or_not_where_it_was_given_up(
    hand: Stand, seed: int
) -> None:
    chance = random.Random(seed)
    given_up, leases = chance.random() < 0.5, [hand.lease(hand.job(f"echo {one}")) for one in range(2)]
    hand.chance, deaths = lambda: chance.random() < 0.3, 0
    for lease, product in leases:
        for seconds in (-10, 0, 900, 1_800, 3_600, 3_610):
            if seconds == 1_800 and given_up:
                hand.world.delivery.abort(lease, FULL // 4).send(hand.world.provider)
            while not survived(hand, lambda at_s=product.start_s + seconds: hand.tick(at_s)):  # type: ignore[misc]
                deaths += 1
    assert deaths, f"seed {seed}"
    hand.chance = None
    hand.tick()
    for lease, _ in leases:
        assert hand.work(lease).stage is Stage.DONE, f"seed {seed}"
        assert [one for one, _ in hand.reported(lease)] == ([] if given_up else [FULL]), f"seed {seed}"
        if not given_up:
            hand.check_result(lease)
    assert isinstance(hand.executor, Hand)
    assert len(set(hand.executor.starts)) == 2, f"seed {seed}"


def until(done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 300
    while not done():
        assert time.monotonic() < end_s
        time.sleep(0.05)
