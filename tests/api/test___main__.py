"""`python -m api` serves, says why where it cannot, and ends when it is told."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

import httpx

from tests.api.stage import Stage
from tests.ports import free_port


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("COMPUTE_LEDGER_")} | more


def test_it_serves_until_it_is_told_to_end(stage: Stage, tmp_path: Path) -> None:
    port = free_port()
    settings = environment(
        COMPUTE_LEDGER_RPC_URL=stage.world.url,
        COMPUTE_LEDGER_MANIFEST=str(stage.settings.ledger.manifest),
        COMPUTE_LEDGER_DATABASE=f"sqlite:///{tmp_path / 'own.db'}",
        COMPUTE_LEDGER_API_PORT=str(port),
        COMPUTE_LEDGER_API_SERVICES="index",
        COMPUTE_LEDGER_API_KEYSTORES=str(tmp_path / "keys"),
    )
    process = subprocess.Popen([sys.executable, "-m", "api"], env=settings, stderr=subprocess.PIPE, text=True)
    listening = ExitStack()
    try:
        deadline_s = monotonic() + 60
        while True:
            assert process.poll() is None
            assert monotonic() < deadline_s
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            sleep(0.1)
        # A page that is open must not keep it from ending.
        response = listening.enter_context(httpx.stream("GET", f"http://127.0.0.1:{port}/stream", timeout=60))
        assert response.status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        _, written = process.communicate(timeout=30)
        listening.close()
    assert process.returncode in {0, -signal.SIGTERM}
    assert '"level": "INFO"' in written


def test_it_says_why_it_cannot_start() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "api"],
        env=environment(COMPUTE_LEDGER_API_PORT="none"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("COMPUTE_LEDGER_API_PORT cannot be used")
