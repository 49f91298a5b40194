"""Which benchmarks there are."""

from collections.abc import Mapping

from tests.bench import api, auditing, indexing, intents, memory, planning, restart, settle, signing, soak
from tests.bench.dispatch import evaluate
from tests.bench.figures import Suite

SUITES: Mapping[str, Mapping[str, Suite]] = {
    "ledger": {
        "build and sign": signing.figures,
        "durable intents": intents.figures,
        "index": indexing.figures,
        "signed orders settled": settle.figures,
        "audit": auditing.figures,
        "restart of the local chain": restart.figures,
        "memory": memory.figures,
    },
    "dispatch": {"planning": planning.figures, "evaluation": evaluate.figures},
    "api": {"reads and writes": api.figures, "soak": soak.figures},
}
