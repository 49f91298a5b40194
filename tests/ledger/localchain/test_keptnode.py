"""A node from a snapshot is the node from the whole journal; a snapshot that is of no use is passed over."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ledger.localchain.door import chain_terms
from ledger.localchain.journal import Kind, Record, open_journal
from ledger.localchain.keptnode import KeptNode, Snapshot, raw_request, read_snapshot, replayed, request, write_snapshot
from tests.ledger.localchain.test_door import transfer
from tests.world import START_S

SNAPSHOT = Snapshot("id", 100, 7, "00" * 32, ("0x12",), b"\x1f\x8b state")


def raw(nonce: int) -> Record:
    return Record(Kind.TRANSACTION, bytes.fromhex(transfer(nonce)[2:]))


def mine(time_s: int) -> Record:
    return Record(Kind.MINE, time_s.to_bytes(8))


async def facts(node: KeptNode) -> list[Any]:
    asked = [request("eth_getBlockByNumber", hex(n), True) for n in range(4)]
    asked += [request("eth_getBlockReceipts", hex(n)) for n in range(4)]
    return await node.ask_many([*asked, request("txpool_content")])


def kept(folder: Path, use: Callable[[KeptNode], Awaitable[Any]], records: list[Record]) -> tuple[Any, list[str]]:
    """Starts a node on a journal with these records more; what `use` gives, and the notices."""
    journal = open_journal(folder / "journal")
    node = KeptNode(journal, chain_terms(journal, start_s=START_S))
    journal.append(records)

    async def run() -> Any:
        try:
            await node.start()
            return await use(node)
        finally:
            node.stop()

    try:
        return asyncio.run(run()), node.notices
    finally:
        journal.close()


def test_snapshot_gives_the_chain_that_the_journal_gives(tmp_path: Path) -> None:
    """With blocks, receipts and a transaction that waits for an earlier one; what comes later has the same hashes."""

    async def keep(node: KeptNode) -> None:
        await node.keep_snapshot()

    begun = [raw(0), raw(1), mine(START_S + 1), raw(4), mine(START_S + 9)]
    later = [raw(2), raw(3), mine(START_S + 20)]
    kept(tmp_path, keep, begun)
    assert (tmp_path / "snapshot").exists()
    short, notices = kept(tmp_path, facts, later)
    assert notices == []
    (tmp_path / "snapshot").unlink()
    assert kept(tmp_path, facts, []) == (short, [])


def test_snapshot_is_not_made_while_transactions_wait_for_a_block(tmp_path: Path) -> None:
    async def keep(node: KeptNode) -> None:
        await node.keep_snapshot()

    kept(tmp_path, keep, [raw(0)])
    assert not (tmp_path / "snapshot").exists()


def test_snapshot_of_another_state_is_passed_over(tmp_path: Path) -> None:
    whole, _ = kept(tmp_path, facts, [raw(0), mine(START_S + 1)])
    journal = open_journal(tmp_path / "journal")
    chain, end = chain_terms(journal).id, journal.end
    journal.close()
    write_snapshot(tmp_path / "snapshot", Snapshot(chain, end, 2, "00" * 32, (), b"no state"))
    found, notices = kept(tmp_path, facts, [])
    assert found == whole
    assert len(notices) == 1
    assert "of no use" in notices[0]


def test_snapshot_is_read_as_written_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    assert read_snapshot(path, "id") is None
    write_snapshot(path, SNAPSHOT)
    assert read_snapshot(path, "id") == SNAPSHOT
    assert read_snapshot(path, "other") is None
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert read_snapshot(path, "id") in (None, SNAPSHOT)
        path.write_bytes(content[:place])
        assert read_snapshot(path, "id") is None


def test_record_is_replayed_as_it_was_done() -> None:
    assert replayed(Record(Kind.TRANSACTION, b"\x12")) == raw_request(b"\x12")
    assert replayed(mine(7)) == request("evm_mine", 7)
    assert replayed(Record(Kind.CALL, b'["anvil_setBalance",["0x1","0x2"]]')) == request(
        "anvil_setBalance", "0x1", "0x2"
    )
