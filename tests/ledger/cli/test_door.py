"""The list of commands: each is in it once, under the head of who needs it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.cli.door import INTERRUPTED, SECTIONS
from ledger.cli.main import main
from tests.ledger.conftest import Shell


def test_every_command_stands_in_one_section() -> None:
    named = [name for names in SECTIONS.values() for name in names.split()]
    assert sorted(named) == sorted(main.commands)


def test_help_says_whole_sentences_under_the_sections(bare_shell: Shell) -> None:
    shown = bare_shell("--help").out
    assert all(f"{title}:" in shown for title in SECTIONS)
    assert "..." not in shown.partition("Look up:")[2]
    assert shown.index("Look up:") < shown.index("  products ") < shown.index("Buy and use:") < shown.index("  bid ")


HEARING = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
"""A command hears Ctrl-C, also where a shell has these tests in its background."""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("deposit", "5"), "takes its course: `compute-ledger outbox list` has it."),
        (("deposit", "5", "--preview"), "Nothing was sent."),
        (("products",), "Nothing was sent."),
    ],
)
def test_ctrl_c_says_what_it_leaves_behind(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    """At a node that takes the call and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as node:
        node.settimeout(60)
        program = [sys.executable, "-c", HEARING, str(Path(sys.executable).with_name("compute-ledger")), "--rpc-url"]
        command = [*program, f"http://127.0.0.1:{node.getsockname()[1]}", *words]
        environment = os.environ | {"COMPUTE_LEDGER_DATABASE": f"sqlite:///{tmp_path / 'ledger.db'}"}
        run = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        try:
            taken, _ = node.accept()
            with taken:
                run.send_signal(signal.SIGINT)
                _, said = run.communicate(timeout=60)
        finally:
            run.kill()
            run.wait()
    assert run.returncode == INTERRUPTED, said
    assert said.strip().endswith(told)
    assert "Traceback" not in said
