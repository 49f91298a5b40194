"""A market day small enough to play in this process within seconds."""

from functools import cache

from ledger.chain import in_process_chain
from ledger.day import Day, accounts_needed, start_s
from ledger.demo import BLOCK_GAS, START_HOUR
from ledger.scenario import Plan, Size, plan_day

TINY = Size(hubs=1, sites=8, bids_per_round=14, single_hours=1)


@cache
def tiny_plan() -> Plan:
    return plan_day(START_HOUR, size=TINY)


@cache
def tiny_day() -> Day:
    """A whole day, played once a process: look at it, change nothing."""
    plan = tiny_plan()
    day = Day(in_process_chain(start_s(plan), accounts_needed(plan), BLOCK_GAS), plan)
    day.run()
    return day
