"""Which benchmarks there are."""

from collections.abc import Mapping

from tests.bench import indexing, settle, signing
from tests.bench.figures import Suite

SUITES: Mapping[str, Mapping[str, Suite]] = {
    "ledger": {
        "build and sign": signing.figures,
        "index": indexing.figures,
        "signed orders settled": settle.figures,
    },
}
