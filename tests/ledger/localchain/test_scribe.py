"""The scribe makes blocks at the pace that was asked for, brings a killed node back, and makes snapshots in time."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ledger.localchain.door import chain_terms
from ledger.localchain.journal import open_journal
from ledger.localchain.keptnode import HEAD, KeptNode, head_of, request
from ledger.localchain.pipe import open_pipe
from ledger.localchain.scribe import Pace, Scribe
from tests.ledger.localchain.test_door import transfer
from tests.world import START_S

Use = Callable[[Scribe, KeptNode], Awaitable[None]]


def with_scribe(folder: Path, pace: Pace, use: Use) -> None:
    async def run() -> None:
        journal = open_journal(folder / "journal")
        node = KeptNode(journal, chain_terms(journal, start_s=START_S))
        scribe = Scribe(journal, node, pace)
        try:
            await scribe.start()
            await use(scribe, node)
        finally:
            await scribe.stop()
            journal.close()

    asyncio.run(run())


def kill_node(folder: Path) -> None:
    """Kills the anvil that prints into the folder: other tests of this process have nodes and servers of their own."""
    grown = [anvil for leash in _children(os.getpid()) for anvil in _children(leash)]
    ours = [one for one in grown if Path(f"/proc/{one}/fd/1").resolve().is_relative_to(folder.resolve())]
    # The leash's own watcher prints there too.
    ours = [one for one in ours if Path(f"/proc/{one}/comm").read_text(encoding="ascii").strip() != "sh"]
    assert len(ours) == 1
    os.kill(ours[0], signal.SIGKILL)


def _children(pid: int) -> list[int]:
    listing = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(one) for one in listing.split()]


def test_killed_node_comes_back_with_all_that_was_granted(tmp_path: Path) -> None:
    async def use(scribe: Scribe, node: KeptNode) -> None:
        for nonce in range(5):
            assert "result" in await scribe.wish("eth_sendRawTransaction", [transfer(nonce)])
        await scribe.wish("evm_mine", [START_S + 3])
        before = await node.head()
        kill_node(tmp_path)
        assert "result" in await scribe.wish("eth_sendRawTransaction", [transfer(5)])
        assert node.generation == 2
        assert (await node.head()).hash == before.hash
        kill_node(tmp_path)
        scribe.suspect()
        await scribe.wish("evm_mine", [START_S + 4])
        after = await node.head()
        assert (after.number, len(after.transactions), after.waiting) == (2, 1, 0)

    with_scribe(tmp_path, Pace(heartbeat_s=None, manual=True), use)


def test_held_chain_makes_no_block_until_it_is_let_go(tmp_path: Path) -> None:
    async def use(scribe: Scribe, node: KeptNode) -> None:
        await scribe.wish("evm_setAutomine", [False])
        await scribe.wish("eth_sendRawTransaction", [transfer(0)])
        await asyncio.sleep(0.1)
        # A connection of our own: the scribe uses the node's at the same time.
        pipe = await open_pipe(node.url)
        assert head_of(await pipe.ask(HEAD)).number == 0
        await scribe.wish("evm_setAutomine", [True])
        async with asyncio.timeout(60):
            while head_of(await pipe.ask(HEAD)).number == 0:
                await asyncio.sleep(0.005)
        pipe.close()

    with_scribe(tmp_path, Pace(delay_s=0.005, heartbeat_s=None), use)


def test_what_could_not_be_kept_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node took it, the disk did not: nobody was promised it, and nobody sees it."""

    async def use(scribe: Scribe, node: KeptNode) -> None:
        await scribe.wish("eth_sendRawTransaction", [transfer(0)])
        with monkeypatch.context() as patch:
            patch.setattr("ledger.localchain.journal.os.fdatasync", _full)
            assert "error" in await scribe.wish("eth_sendRawTransaction", [transfer(1)])
        assert not scribe.ready.is_set()
        assert "error" in await scribe.wish("evm_mine", [None]), "nothing is appended after the disk has failed"
        assert scribe.ready.is_set()
        assert (await node.head()).waiting == 1
        assert node.generation == 2, "and nothing more is made anew"

    with_scribe(tmp_path, Pace(heartbeat_s=None, manual=True), use)


def test_wish_that_fails_unforeseen_is_refused_and_the_next_is_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(scribe: Scribe, node: KeptNode) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("ledger.localchain.scribe.head_of", lambda _: 1 // 0)
            assert "error" in await scribe.wish("evm_mine", [START_S + 1])
        assert "result" in await scribe.wish("evm_mine", [START_S + 2])
        assert (await node.head()).number == 2, "the first was in the journal"

    with_scribe(tmp_path, Pace(heartbeat_s=None, manual=True), use)


def test_what_went_past_the_journal_is_undone_at_once(tmp_path: Path) -> None:
    async def use(scribe: Scribe, node: KeptNode) -> None:
        assert "result" in await scribe.wish("eth_sendRawTransaction", [transfer(0)])
        await node.ask(request("eth_sendRawTransaction", transfer(1)))
        assert "result" in await scribe.wish("evm_mine", [START_S + 1])
        made = await node.head()
        assert (made.number, len(made.transactions), made.waiting) == (1, 1, 0)
        assert len(node.notices) == 1
        assert "past the journal" in node.notices[0]
        # What comes after is granted as ever, without another start.
        assert "result" in await scribe.wish("eth_sendRawTransaction", [transfer(1)])
        assert "result" in await scribe.wish("evm_mine", [START_S + 2])
        assert node.generation == 2
        await node.ask(request("evm_mine"))
        assert "result" in await scribe.wish("evm_mine", [START_S + 3])
        assert ((await node.head()).number, node.generation) == (3, 3)

    async def nothing(scribe: Scribe, node: KeptNode) -> None:
        assert (await node.head()).number == 3

    with_scribe(tmp_path, Pace(heartbeat_s=None, manual=True), use)
    with_scribe(tmp_path, Pace(heartbeat_s=None, manual=True), nothing)


def _full(_: int) -> None:
    raise OSError("the disk is full")


@pytest.mark.parametrize(("limit_s", "wanted"), [(0, True), (8, False)])
def test_snapshot_is_made_when_a_replay_would_take_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit_s: int, wanted: bool
) -> None:
    async def use(scribe: Scribe, node: KeptNode) -> None:
        # The snapshot is made between one wish and the next.
        for second in (1, 2):
            await scribe.wish("evm_mine", [START_S + second])
        assert (tmp_path / "snapshot").exists() == wanted

    monkeypatch.setattr("ledger.localchain.scribe.SNAPSHOT_BUSY_S", limit_s)
    with_scribe(tmp_path, Pace(heartbeat_s=None, manual=True), use)
