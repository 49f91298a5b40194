"""anvil: up on a free port, gone with its context, and gone when its owner is killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from ledger import Unavailable, connect, local_node

OWNER = """
import sys, time
from ledger.node import local_node
with local_node() as node:
    print(node.url, flush=True)
    time.sleep(60)
"""


def listens(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((str(parts.hostname), parts.port or 0)) == 0


def test_node_listens_on_loopback_while_its_context_lasts() -> None:
    with local_node(start_s=1_767_225_600) as node:
        assert urlsplit(node.url).hostname == "127.0.0.1"
        assert listens(node.url)
        assert connect(node.url).block(0).time_s == 1_767_225_600
        log = node.log
        assert log.exists()
    assert not listens(node.url)
    assert not log.exists()


def test_page_of_the_web_is_not_let_in() -> None:
    """No header says that a page may ask, so that no browser sends what it asks."""
    with local_node() as node:
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        for reply in (httpx.options(node.url, headers=asked), httpx.post(node.url, json={}, headers=asked)):
            assert "access-control-allow-origin" not in reply.headers


def test_nodes_do_not_get_in_each_others_way() -> None:
    with local_node() as one, local_node() as other:
        assert one.url != other.url


def test_node_goes_even_when_its_context_fails() -> None:
    with pytest.raises(KeyError), local_node() as node:
        raise KeyError
    assert not listens(node.url)


def test_node_dies_with_its_owner() -> None:
    """A killed owner runs no cleanup: the node must notice by itself."""
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, cwd=root) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        assert listens(url)
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while listens(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens(url)


def test_node_that_does_not_start_says_why() -> None:
    with pytest.raises(Unavailable, match=r"anvil did not start.*no-such-option"), local_node("--no-such-option"):
        pass
