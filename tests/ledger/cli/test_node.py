"""`compute-ledger node` says when it is ready, ends cleanly when told to, and keeps its chain."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import connect
from tests.ledger.conftest import Shell

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


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--start", "99999999999"),
        ("--start", "-1"),
        ("--start", "tomorrow"),
        ("--balance", str(10**30)),
        ("--accounts", "0"),
    ],
)
def test_option_that_no_chain_can_begin_with_is_named(
    bare_shell: Shell, tmp_path: Path, option: str, value: str
) -> None:
    said = bare_shell("node", "--folder", tmp_path / "chain", option, value)
    assert said.code == 2
    assert option in said.err
    assert value in said.err
    assert not (tmp_path / "chain").exists()
