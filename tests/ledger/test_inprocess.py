"""The node in this process: its errors are ours, and it is loaded only by who asks for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.artifacts import load_artifacts
from ledger.errors import NodeRefused
from ledger.inprocess import InProcessNode
from ledger.reverts import Reverts
from ledger.rpc import number_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def node() -> InProcessNode:
    return InProcessNode(1_800_000_000, 2, 30_000_000)


@pytest.fixture(scope="module")
def reverts() -> Reverts:
    return Reverts(artifact.abi for artifact in load_artifacts().values())


def test_ask_answers(node: InProcessNode, reverts: Reverts) -> None:
    assert len(node.ask("eth_accounts", (), reverts)) == 2
    block = node.ask("eth_getBlockByNumber", ("latest", False), reverts)
    assert number_of(block["timestamp"]) == 1_800_000_000


REFUSED = (
    ("eth_noSuchMethod", ()),
    ("eth_getBalance", ("nobody", "latest")),
)


@pytest.mark.parametrize(("method", "params"), REFUSED)
def test_ask_gives_what_is_refused_as_an_error(
    node: InProcessNode, reverts: Reverts, method: str, params: tuple[str, ...]
) -> None:
    assert isinstance(node.ask(method, params, reverts), NodeRefused)


def test_the_command_line_starts_without_it() -> None:
    program = "import sys, ledger.cli.main; print(sys.modules.keys() & {'eth_tester', 'eth', 'web3'})"
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
