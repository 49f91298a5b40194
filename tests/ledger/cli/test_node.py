"""`compute-ledger node` says when it is ready, ends cleanly when told to, and keeps its chain."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import connect

ROOT = Path(__file__).parents[3]


def started(folder: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-c", "from ledger.cli.main import main; main()", "node", "--folder", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    return process, process.stdout.readline()


@pytest.mark.slow
def test_node_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    process, line = started(tmp_path, "--manual", "--accounts", "3")
    with process:
        assert f"serves chain 31337, kept in {tmp_path}" in line
        chain = connect(line.split()[0])
        chain.request("evm_mine")
        block = chain.block()
        refused, _ = started(tmp_path)
        with refused:
            assert refused.wait() == 3
            assert refused.stderr is not None
            assert "Another process runs the chain" in refused.stderr.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    process, line = started(tmp_path, "--manual")
    with process:
        assert connect(line.split()[0]).block(block.number) == block
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    process, _ = started(tmp_path, "--accounts", "4")
    with process:
        assert process.wait(60) == 2
