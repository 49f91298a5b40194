"""Jobs on the market on paper: a plan, and a dispatch that moves a step whenever it is asked to."""

from typing import Any

from tests.web.paper import BLOCK, ME, NOW_S, Paper, Problem

Json = Any
HOUR = NOW_S // 3_600 + 8
_SITES = ((1, 9_800), (4, 0), (6, 14_250))
_STATES = (("buying", "bidding"), ("redeeming", "running"), ("running", "running"), ("ended", "delivered"))


def jobs_of(body: Json) -> list[Json]:
    """The jobs of a request, exactly said; a CSV has one a line."""
    if "csv" not in body:
        return [job | {"grade": job.get("grade", "STANDARD")} for job in body["jobs"]]
    lines = [line.split(",") for line in body["csv"].strip().splitlines()[1:]]
    if any(not line[1:2] or not line[1] for line in lines):
        raise Problem(422, "Line 2, column units: nothing stands there.", "Say how many units the job wants.")
    return [{"name": line[0], "class": "AI_LARGE", "units": 800, "hours": 6} for line in lines]


def plan(paper: Paper, body: Json) -> Json:
    """Each job runs for its hours on three sites, but a fifth of the last one, which pays too little."""
    jobs, product = jobs_of(body), paper.products[1]
    placements = [
        {
            "job": place,
            "name": job["name"],
            "site": site,
            "metro": paper.site(site)["metro"],
            "hour": HOUR + hour,
            "units": int(job["units"]) * (3 - nth) // 6,
            "price_micro": 1_840 + 16 * nth,
            "latency_us": latency_us,
            "product": product.code,
            "held": False,
        }
        for place, job in enumerate(jobs)
        for nth, (site, latency_us) in enumerate(_SITES)
        for hour in range(int(job["hours"]) - (nth == 2))
    ]
    done = sum(each["units"] for each in placements)
    wanted = sum(int(job["units"]) * int(job["hours"]) for job in jobs)
    cost = sum(each["units"] * each["price_micro"] for each in placements)
    last = len(jobs) - 1
    return {
        "block": BLOCK,
        "block_hash": "0x" + "cd" * 32,
        "time_s": NOW_S,
        "placements": placements,
        "purchases": [
            {
                "product": product.code,
                "units": 8_000,
                "hours": 24,
                "used_unit_hours": done,
                "tick": 480,
                "price_micro": 1_992,
                "escrow_micro": str(cost + 90_000),
                "expected_units": 8_000,
                "expected_micro": str(cost),
                "preview": {"gas": 121_900, "fee_wei": "121900000000000", "refusal": None},
                "body": {"kind": "bid", "product": product.code, "units": 8_000, "tick": 480},
            }
        ],
        "redemptions": [],
        "left": [
            {
                "job": last,
                "name": jobs[last]["name"],
                "unit_hours": wanted - done,
                "why": "price",
                "text": "the cheapest capacity costs 0.0041 USD per unit-hour, the limit is 0.0032 USD per unit-hour",
                "our_limit": not jobs[last].get("price"),
            }
        ]
        if wanted > done
        else [],
        "prices": [
            {"site": site, "hour": HOUR + hour, "price_micro": 40 * hour, "scarce": hour == 5}
            for site, _ in _SITES
            for hour in range(6)
        ],
        "totals": {
            "unit_hours": done,
            "wanted_unit_hours": wanted,
            "cost_micro": str(cost),
            "escrow_micro": str(cost + 90_000),
            "expected_micro": str(cost),
            "most_micro": str(2 * cost),
            "gas": 121_900,
            "fee_wei": "121900000000000",
        },
        "refusals": [],
        "verified": True,
        "body": {"jobs": jobs},
    }


class Dispatches:
    """What was started: `ask(words, body)` as /dispatch answers it."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.started: list[tuple[list[Json], int]] = []

    def ask(self, words: list[str], body: Json) -> Json:
        if words == ["preview"]:
            return plan(self.paper, body)
        if not words and body is None:
            return [{"id": number + 1, "owner": ME, "ended": False} for number in range(len(self.started))]
        if not words:
            self.started.append((jobs_of(body), 0))
            return self.state(len(self.started) - 1)
        place = int(words[0]) - 1
        if words[1:] == ["advance"]:
            jobs, step = self.started[place]
            self.started[place] = (jobs, min(step + 1, len(_STATES) - 1))
        return self.state(place)

    def state(self, place: int) -> Json:
        jobs, step = self.started[place]
        phase, part = _STATES[step]
        return {
            "id": place + 1,
            "owner": ME,
            "phase": phase,
            "ended": phase == "ended",
            "jobs": [self.job(nth, job, part) for nth, job in enumerate(jobs)],
            "steps": [],
            "escrow_micro": "0" if step else "210000000",
            "spent_micro": "188160000",
            "refunded_micro": "3200000" if phase == "ended" else "0",
            "sold_micro": "1600000" if phase == "ended" else "0",
            "sold_unit_hours": 800 if phase == "ended" else 0,
            "stopped": False,
            "unused_units": 0,
            "note": "its leases run" if step else "its bids wait to be cleared and settled",
        }

    def job(self, nth: int, job: Json, part: str) -> Json:
        wanted = int(job["units"]) * int(job["hours"])
        parts = dict.fromkeys(("bidding", "running", "delivered", "failed", "remaining"), 0)
        failed = wanted // 20 if part == "delivered" else 0
        parts |= {part: wanted - failed, "failed": failed}
        money = {"cost_micro": "188160000", "refunded_micro": "0"}
        return {"job": nth, "name": job["name"], "wanted": wanted, "leases": [3]} | parts | money
