"""kill -9 of the local chain's processes at random moments, under load: what was acknowledged is there, as it was."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest

from ledger import DEVELOPMENT_MNEMONIC, Secret, signer_from_mnemonic
from tests.ports import free_port

KILLS = 10
PATIENCE_S = 60
SENDERS = 3
# What a client sees of a process that was killed.
LOST = (OSError, HTTPException, ValueError)
RECIPIENT = "0x" + "77" * 20
ROOT = Path(__file__).parents[2]
SIGNERS = [signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), index) for index in range(SENDERS)]


class Node:
    """`compute-ledger node` as a process of its own, started again whenever it was killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        command = [
            sys.executable,
            "-c",
            "from ledger.cli.main import main; main()",
            "node",
            "--folder",
            str(self._folder),
        ]
        # The same port every time: clients find it again.
        self._process = subprocess.Popen(
            [*command, "--port", str(self._port), "--heartbeat", "0.3"], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the node did not start"
        self.url = line.split()[0]

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self.end()

    def kill_anvil(self) -> None:
        assert self._process is not None
        leash = children(self._process.pid)
        for anvil in (one for parent in leash for one in children(parent)):
            with suppress(ProcessLookupError):
                os.kill(anvil, signal.SIGKILL)

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self.end()

    def end(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        status = self._process.wait(timeout=PATIENCE_S)
        self._process.stdout.close()
        return status


def children(pid: int) -> list[int]:
    return [
        int(one)
        for one in subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    ]


class Sender:
    """Sends one transfer after another, each until it is acknowledged; remembers what it was told."""

    def __init__(self, node: Node, index: int) -> None:
        self._node = node
        self._signer = SIGNERS[index]
        self.acknowledged: list[str] = []
        self.seen: dict[str, tuple[str, str]] = {}
        self.stopped = False

    def run(self) -> None:
        nonce = 0
        while not self.stopped:
            signed = self._signer.sign_transaction(
                {
                    "to": RECIPIENT,
                    "value": 1,
                    "nonce": nonce,
                    "gas": 21_000,
                    "maxFeePerGas": 10**10,
                    "maxPriorityFeePerGas": 10**9,
                    "chainId": 31_337,
                }
            )
            if self._accepted(signed.raw):
                self.acknowledged.append(signed.hash)
                nonce += 1
                if nonce % 10 == 0:
                    self._look_at(self.acknowledged[-10])

    def _accepted(self, raw: bytes) -> bool:
        with suppress(*LOST):
            reply = ask(self._node.url, "eth_sendRawTransaction", "0x" + raw.hex())
            # What was taken before its acknowledgement was lost is no longer new.
            return "result" in reply or bool(re.search("already|nonce too low", reply["error"]["message"]))
        time.sleep(0.02)
        return False

    def _look_at(self, hash_: str) -> None:
        with suppress(*LOST, KeyError):
            receipt = ask(self._node.url, "eth_getTransactionReceipt", hash_)["result"]
            if receipt is not None:
                self.seen[hash_] = receipt["blockHash"], receipt["transactionIndex"]


def post(url: str, body: Any) -> Any:
    asked = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(asked, timeout=PATIENCE_S) as reply:
        return json.load(reply)


def ask(url: str, method: str, *params: Any) -> Any:
    return post(url, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})


def ask_each(url: str, method: str, params: list[list[Any]]) -> list[Any]:
    asked = [{"jsonrpc": "2.0", "id": 1, "method": method, "params": one} for one in params]
    return [reply["result"] for reply in post(url, asked)] if asked else []


def blocks(url: str) -> list[str]:
    last = int(ask(url, "eth_blockNumber")["result"], 16)
    found = ask_each(url, "eth_getBlockByNumber", [[hex(number), False] for number in range(last + 1)])
    return [block["hash"] for block in found]


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_whatever_is_killed(tmp_path: Path) -> None:
    seed = int(os.urandom(4).hex(), 16)
    random, node = Random(seed), Node(tmp_path)
    node.start()
    senders = [Sender(node, index) for index in range(SENDERS)]
    threads = [Thread(target=sender.run) for sender in senders]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    try:
        for _ in range(KILLS):
            wait_for_each(senders, [len(sender.acknowledged) + 1 for sender in senders])
            time.sleep(random.uniform(0.0, 0.6))
            with suppress(*LOST, KeyError):
                seen = blocks(node.url)
            if random.random() < 0.5:
                node.kill_anvil()
            else:
                node.kill()
                node.start()
    finally:
        for sender in senders:
            sender.stopped = True
        for thread in threads:
            thread.join()
    _verify(node, senders, seen, f"seed {seed}")


def wait_for_each(senders: list[Sender], counts: list[int]) -> None:
    """Until each sender was acknowledged so many: nothing is killed before it was under load."""
    deadline = time.monotonic() + PATIENCE_S
    while any(len(sender.acknowledged) < count for sender, count in zip(senders, counts, strict=True)):
        assert time.monotonic() < deadline, "nothing is acknowledged any more"
        time.sleep(0.02)


def _verify(node: Node, senders: list[Sender], seen: list[str], seed: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while ask(node.url, "txpool_status")["result"]["pending"] != "0x0" and time.monotonic() < deadline:
        time.sleep(0.05)
    after = blocks(node.url)
    assert after[: len(seen)] == seen, seed
    sent = 0
    for sender, signer in zip(senders, SIGNERS, strict=True):
        assert len(sender.acknowledged) >= KILLS, seed
        receipts = ask_each(node.url, "eth_getTransactionReceipt", [[hash_] for hash_ in sender.acknowledged])
        for hash_, receipt in zip(sender.acknowledged, receipts, strict=True):
            assert receipt["status"] == "0x1", seed
            assert sender.seen.get(hash_, ...) in (..., (receipt["blockHash"], receipt["transactionIndex"])), seed
        nonce = int(ask(node.url, "eth_getTransactionCount", signer.address, "latest")["result"], 16)
        # The last one may have been taken without an acknowledgement.
        assert nonce - len(sender.acknowledged) in (0, 1), seed
        sent += nonce
    assert int(ask(node.url, "eth_getBalance", RECIPIENT, "latest")["result"], 16) == sent, seed
    assert node.stop() == 0
