"""How sites on the market on paper deliver, and when they will not, in the API's shapes."""

from typing import Any

from tests.web.paper import BAD_TEXT, ME, NOW_S

Json = Any
HOUR = NOW_S // 3_600


def record(site: int) -> Json:
    """Most of what was due was delivered, in two windows; nothing was leased in the last day."""
    hours = {
        "delivered_milli_hours": "998000000",
        "failed_milli_hours": "2000000",
        "disputed_milli_hours": "0",
        "pending_milli_hours": "0",
    }
    return hours | {
        "site": site,
        "attested_units": 64_000,
        "derating_bp": 9_980,
        "grade": "STANDARD",
        "weight_bp": 9_980,
        "uptimes": [
            {"days": 1, "leased_milli_hours": "0", "delivered_milli_hours": "0", "share_bp": None},
            {"days": 7, "leased_milli_hours": "500000000", "delivered_milli_hours": "499000000", "share_bp": 9_980},
            {"days": 30, "leased_milli_hours": "1000000000", "delivered_milli_hours": "998000000", "share_bp": 9_980},
        ],
        "windows": [
            hours | {"start_hour": HOUR - day * 24, "hours": 24, "leases": 1, "leased_milli_hours": "1000000000"}
            for day in (2, 5)
        ],
        "standings": [
            {"time_s": NOW_S - 86_400, "block": 9, "lease": 3, "derating_bp": 9_980, "grade": "STANDARD"}
            | {"delivered_milli_hours": "998000000", "failed_milli_hours": "2000000"}
        ],
        "attestations": [
            {"time_s": NOW_S - 900_000, "block": 2, "units": 64_000, "grade": "PREMIUM"}
            | {"valid_until_s": NOW_S + 900_000, "evidence": "0x" + "01" * 32}
        ],
    }


def maintenance(site: int) -> Json:
    """One announcement, with a stranger's text."""
    said = {"site": site, "from_hour": HOUR + 30, "to_hour": HOUR + 34, "note": BAD_TEXT, "provider": ME}
    times = {"signed_s": NOW_S, "announced_s": NOW_S, "withdrawn_s": None}
    return [said | times | {"digest": "0x" + "ab" * 32, "signature": "0x" + "cd" * 65}]
