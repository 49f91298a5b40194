"""What the description says is what the API does: schemathesis, with all of its checks, against the running app."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.stage import Stage, new_key

EXAMPLES = int(os.environ.get("COMPUTE_LEDGER_CONTRACT_EXAMPLES", "2"))
"""Requests at most of each kind for each operation; a night may have hundreds."""

SEED = 20_261_122

# What fits the description may still be refused for what it says: a product that nobody trades, an amount in words that
# no device has, a cursor that was never given. A stream does not end: its tests are its own (routers/test_stream.py).
_CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "410", "422", "429"]

[[operations]]
include-path = "/stream"
enabled = false
"""


@pytest.mark.slow
def test_every_answer_is_as_it_is_described(stage: Stage, folder: Path) -> None:
    key = new_key(stage, "buyer", "provider", "read", cash="100")["key"]
    config = folder / "schemathesis.toml"
    config.write_text(_CONFIG, encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run",
        f"{stage.client.base_url}/openapi.json", "--checks", "all", "--max-examples", str(EXAMPLES),
        "--seed", str(SEED), "--generation-database", "none", "-H", f"Authorization: Bearer {key}",
        "--request-timeout", "20", "--no-color", "--continue-on-failure",
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=3_000, check=False, cwd=folder)
    assert ran.returncode == 0, f"seed {SEED}\n{ran.stdout[-20_000:]}\n{ran.stderr[-2_000:]}"
