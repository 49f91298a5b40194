"""What the evaluation assumes, said to whoever reads its figures."""

from ledger.units import HOURS_PER_DAY
from tests.bench.dispatch.measure import SERVICE, STEPS
from tests.bench.dispatch.ours import AHEAD_HOURS, GANG_AHEAD_HOURS, GANG_HOURS
from tests.bench.dispatch.world import BOUNDS_US, SLACK_HOURS_MAX, STATED_HOURS, TRACE_GPU, World


def assumptions(world: World) -> list[str]:
    """One sentence or a few for each thing that the files do not say."""
    gpus = sum(job.units * job.hours for job in world.jobs) / world.units_per_gpu
    seconds = sum(job.unit_hours for job in world.jobs) / world.units_per_gpu
    first, last = world.jobs[0].arrival, world.jobs[-1].arrival
    largest = max(job.units * job.hours for job in world.jobs) / world.units_per_gpu / gpus
    queues = ", ".join(str(hours) for hours in STATED_HOURS)
    bounds = ", ".join(f"{tier} {bound_us / 1_000:g} ms" for tier, bound_us in BOUNDS_US.items())
    return [
        f"Demand: {len(world.jobs):,} jobs of {len(world.clusters)} clusters, which arrive "
        f"within {(last - first) / HOURS_PER_DAY:.1f} days and are all run to their end. A cluster is a provider "
        "with a site and customers of its own, in a city of its own as long as there are cities. One GPU counts as a "
        f"{TRACE_GPU}: {world.units_per_gpu} units.",
        "Hours: work starts at whole hours, since that is how capacity is sold, under every policy. Gangs hold whole "
        f"hours ({gpus:,.0f} GPU-hours in all); divisible work is as much as it was in seconds ({seconds:,.0f}). "
        "Waiting is counted from the first full hour after a job came.",
        f"What is known: a gang's submitter states one of these hours: {queues}, the first that is long enough. No "
        "policy knows how long it will run; when it ends, its GPUs are free from the next hour, and only hours that "
        "ran are counted and paid. Divisible work is bought by the unit-hour, so how much it is, is known.",
        "On time: a gang must start, and divisible work must be done, within so many hours after it could at the "
        f"earliest as it said that it would run, at most {SLACK_HOURS_MAX}. What cannot be on time any more is "
        "dropped, under every policy, and counts as rejected; of divisible work what was done in time counts.",
        "Supply: the same devices as apart. What each provider needs alone with EASY backfill (divisible: alone) for "
        f"{SERVICE:.0%} of its own customers' unit-hours on time is its capacity; pooled policies get all of these, "
        f"scaled by one factor in steps of {1 / STEPS:.1%}.",
        "Prices: the least that the nearest cloud region with prices lists per standard unit-hour, for any device that "
        "the standard rates in AI_SMALL. They do not change over the days, so nothing is saved by waiting for one.",
        f"Latency: the great circle at light's speed in fibre, times {world.detour:g} (private IP networks), between "
        f"the cities of the jobs and the sites. Bounds one way: {bounds}. A bound is held to what lies between the two "
        "cities: METRO work may run in another city within 10 ms.",
        "Ours: `Rolling` plans divisible work for the hour at hand and, where not everybody gets all that they can "
        f"use, for {AHEAD_HOURS} hours; gangs for {GANG_AHEAD_HOURS} hours, each by its first {GANG_HOURS}, in order "
        "of their latest start, each where it starts earliest. It buys what begins now and plans the rest again in the "
        "next hour. What runs is never moved; divisible work is bought by the hour, so that its next hour may be "
        "elsewhere. `compute-ledger dispatch` and the API plan with the same planner and buy as the market's rounds "
        "allow; they do not run `Rolling`.",
        "Most urgent first: whoever can wait least goes first (divisible: deadline less the hours still needed at full "
        "rate; gangs: the latest start). It knows no more than ours does. The other baselines serve by arrival.",
        f"Chance: the largest gang is {largest:.1%} of all unit-hours, so what any policy serves of gangs jumps up and "
        "down from one capacity to the next. A capacity needed is one that suffices where one step less does not; it "
        "need not be the least, and every larger one need not suffice.",
        "Equal service is of all unit-hours together in a pool, and of each provider's own when alone.",
        "The greedy policies let everybody pass who fits, and promise nothing to those who do not.",
    ]
