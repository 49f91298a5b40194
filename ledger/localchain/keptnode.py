"""anvil, kept equal to a journal: begun from a snapshot or from nothing, and given all that the journal says since.

anvil of one version makes the same blocks, to the last bit of their hashes, from the same first block, the same
transactions in the same order and the same times. So a journal of those is the chain; anvil is only where it runs. The
hash of each block is compared with the one that was noted when it was first made.

A snapshot is a shortcut, never the truth: one that cannot be used is passed over, and the whole journal replayed. What
it leaves out are the states of the blocks before it: the blocks, receipts and logs are there, but `eth_call` and
`eth_getProof` at them are refused.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from ledger.errors import BadJournal, Unavailable
from ledger.localchain.journal import Journal, Kind, Record, sync_folder, weight
from ledger.localchain.pipe import Pipe, open_pipe
from ledger.node import LocalNode, start_node

Progress = Callable[[int, int], None]
"""Told how much of a replay is done, of how much, in transactions and blocks."""

_REPLAY_STEP = 1_000


@dataclass(frozen=True, slots=True)
class ChainTerms:
    """How a local chain begins; `balance` is each account's, in coins, `id` sets chains of equal terms apart."""

    id: str
    start_s: int
    chain_id: int
    accounts: int
    balance: int
    gas_limit: int

    def options(self) -> list[str]:
        """anvil's, for a chain that mines only when told and takes transactions in the order in which they came."""
        named = {
            "timestamp": self.start_s,
            "chain-id": self.chain_id,
            "accounts": self.accounts,
            "balance": self.balance,
            "gas-limit": self.gas_limit,
            "order": "fifo",
        }
        numbered = [word for name, value in named.items() for word in (f"--{name}", str(value))]
        return [*numbered, "--no-mining", "--no-request-size-limit"]


@dataclass(frozen=True, slots=True)
class Head:
    """The last block: its number, hash (32 bytes), time and transactions' hashes, and how many wait for the next."""

    number: int
    hash: bytes
    time_s: int
    waiting: int
    transactions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The chain as of the place `offset` of its journal: what anvil dumped, the hash of the last block, and the
    transactions that waited for an earlier one of their sender (hex)."""

    chain: str
    offset: int
    weight: int
    head: str
    queued: tuple[str, ...]
    state: bytes


class KeptNode:
    """The node of one journal. `start` it; start it again when it is gone."""

    def __init__(self, journal: Journal, terms: ChainTerms, progress: Progress | None = None) -> None:
        self.generation = 0
        """Rises with every start."""
        self.notices: list[str] = []
        """What was passed over on the way, in sentences."""
        self.url = ""
        self.owed: set[str] = set()
        """The hashes of the transactions that the journal has and, as far as is known, no block."""
        self._journal = journal
        self._terms = terms
        self._progress = progress
        self._node: LocalNode | None = None
        self._pipe: Pipe | None = None
        self.replay_s = 0.0
        """About how long it would take to replay what came since the last snapshot."""
        self.snapshot_s = 0.0
        """How long the last snapshot took."""

    # ---- start

    async def start(self) -> Head:
        """Runs anvil and brings it to the end of the journal.

        Raises BadJournal where a block comes out otherwise than it did before, Unavailable where anvil does not run.
        """
        snapshot = await asyncio.to_thread(read_snapshot, self._file, self._terms.id)
        if snapshot is not None:
            try:
                return await self._start_from(snapshot)
            except (BadJournal, Unavailable) as error:
                self.notices.append(f"The snapshot is of no use; all of the journal is replayed. {error}")
        return await self._start_from(None)

    async def _start_from(self, snapshot: Snapshot | None) -> Head:
        self.stop()
        self.owed.clear()
        self._node = await asyncio.to_thread(start_node, self._folder / "anvil.log", *self._terms.options())
        self.url = self._node.url
        self._pipe = await open_pipe(self.url)
        # What it prints would grow without end, and slows it by a tenth.
        await self.ask(request("anvil_setLoggingEnabled", False))
        if snapshot is None:
            self.replay_s = 0.0
            await self._replay(self._journal.records(), self._journal.weight)
        else:
            await self._load(snapshot)
            self.replay_s = 0.0
            await self._replay(self._journal.records(snapshot.offset), self._journal.weight - snapshot.weight)
        self.generation += 1
        return await self.head()

    async def _load(self, snapshot: Snapshot) -> None:
        await self.ask(request("anvil_loadState", "0x" + snapshot.state.hex()))
        if (await self.head()).hash.hex() != snapshot.head:
            raise BadJournal(str(self._file), "its last block came out otherwise")
        for raw in snapshot.queued:
            self.owed.add(await self.ask(request("eth_sendRawTransaction", raw)))

    async def _replay(self, records: Iterator[Record], total: int) -> None:
        pipe, done, began = self._running(), 0, time.monotonic()
        part = _some(records)
        pipe.send([replayed(record) for record in part])
        while part:
            # The next part is on its way while the answers to this one come.
            following = _some(records)
            pipe.send([replayed(record) for record in following])
            for record, answer in zip(part, await pipe.receive(len(part)), strict=True):
                self._check(record, answer)
            done += weight(part)
            if self._progress is not None:
                self._progress(done, total)
            part = following
        self.replay_s = time.monotonic() - began

    def _check(self, record: Record, answer: bytes) -> None:
        if record.kind is Kind.TRANSACTION:
            if b'"error"' in answer:
                said = f"a transaction was taken once and is refused now ({answer!r})"
                raise BadJournal(str(self._journal.path), said)
            self.owed.add(result_of(answer))
        if record.kind is Kind.SEAL:
            block = result_of(answer)
            if block["hash"] != "0x" + record.data.hex():
                number = int(block["number"], 16)
                raise BadJournal(
                    str(self._journal.path),
                    f"block {number} was 0x{record.data.hex()} and is {block['hash']} now; is this another anvil?",
                )
            self.owed.difference_update(block["transactions"])

    # ---- use

    async def ask(self, body: bytes) -> Any:
        """The result of one request, after all that was asked before. Raises Cut, and Unavailable for an error."""
        return result_of((await self.ask_many([body]))[0])

    async def ask_many(self, bodies: Sequence[bytes]) -> list[bytes]:
        """The answers to requests that the node works off in this order. Raises Cut."""
        began = time.monotonic()
        try:
            return await self._running().ask(bodies)
        finally:
            self.replay_s += time.monotonic() - began

    async def head(self) -> Head:
        """The last block, as of all that was asked before. Raises Cut."""
        return head_of(await self.ask_many(HEAD))

    def _running(self) -> Pipe:
        if self._pipe is None:
            raise Unavailable("The node is not running.", "Start it first.")
        return self._pipe

    async def keep_snapshot(self) -> None:
        """Writes a snapshot as of now; call it right after everything that was done is in the journal.

        Does nothing while transactions wait for a block: the pool is not in the dump.
        """
        head, began = await self.head(), time.monotonic()
        if head.waiting:
            return
        content = (await self.ask(request("txpool_content")))["queued"]
        hashes = [one["hash"] for numbers in content.values() for _, one in sorted(numbers.items(), key=_by_number)]
        ours = [hash_ for hash_ in hashes if hash_ in self.owed]
        queued = [await self.ask(request("eth_getRawTransactionByHash", hash_)) for hash_ in ours]
        dumped = await self.ask(request("anvil_dumpState", False))
        state = await asyncio.to_thread(bytes.fromhex, dumped[2:])
        place = self._journal.end, self._journal.weight
        snapshot = Snapshot(self._terms.id, *place, head.hash.hex(), tuple(queued), state)
        await asyncio.to_thread(write_snapshot, self._file, snapshot)
        self.snapshot_s, self.replay_s = time.monotonic() - began, 0.0

    def give_up_snapshot(self, why: str) -> None:
        """Tries the next one only after as much again as led to this one."""
        self.notices.append(f"No snapshot could be made: {why}")
        self.replay_s = 0.0

    def stop(self) -> None:
        """Ends anvil."""
        if self._pipe is not None:
            self._pipe.close()
        if self._node is not None:
            self._node.stop()
        self._pipe = self._node = None

    @property
    def _folder(self) -> Path:
        return self._journal.path.parent

    @property
    def _file(self) -> Path:
        return self._folder / "snapshot"


# ---- requests


def request(method: str, *params: Any) -> bytes:
    """A JSON-RPC request."""
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


def raw_request(raw: bytes) -> bytes:
    """The request that hands over a signed transaction."""
    return b'{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x%s"]}' % raw.hex().encode()


def result_of(answer: bytes) -> Any:
    """What a request gave. Raises Unavailable for an error."""
    said = orjson.loads(answer)
    if "error" in said:
        raise Unavailable(f"anvil refused: {said['error'].get('message')}.", "See its log in the chain's folder.")
    return said["result"]


HEAD = (request("eth_getBlockByNumber", "latest", False), request("txpool_status"))
"""What to ask for `head_of`."""


def head_of(answers: Sequence[bytes]) -> Head:
    """The answers to HEAD."""
    block, pool = map(result_of, answers)
    return Head(
        int(block["number"], 16),
        bytes.fromhex(block["hash"][2:]),
        int(block["timestamp"], 16),
        int(pool["pending"], 16),
        tuple(block["transactions"]),
    )


def replayed(record: Record) -> bytes:
    """The request that does again what a record says; for a seal, the one whose answer has the hash."""
    if record.kind is Kind.TRANSACTION:
        return raw_request(record.data)
    if record.kind is Kind.MINE:
        return request("evm_mine", int.from_bytes(record.data))
    if record.kind is Kind.CALL:
        method, params = json.loads(record.data)
        return request(method, *params)
    return HEAD[0]


def _some(records: Iterator[Record]) -> list[Record]:
    return list(islice(records, _REPLAY_STEP))


def _by_number(entry: tuple[str, Any]) -> int:
    return int(entry[0])


# ---- snapshots


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Puts a snapshot where the last one was, whole or not at all."""
    facts = {name: value for name, value in asdict(snapshot).items() if name != "state"}
    head = json.dumps(facts | {"sum": _sum(snapshot)}).encode() + b"\n"
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="snapshot-", delete=False) as file:
        file.write(head)
        file.write(snapshot.state)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    sync_folder(path.parent)


def read_snapshot(path: Path, chain: str) -> Snapshot | None:
    """The snapshot at `path`; None where there is none of that chain that reads as written."""
    try:
        head, _, state = path.read_bytes().partition(b"\n")
        facts = json.loads(head)
        wanted = facts.pop("sum")
        snapshot = Snapshot(**facts | {"queued": tuple(facts["queued"])}, state=state)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return snapshot if snapshot.chain == chain and _sum(snapshot) == wanted else None


def _sum(snapshot: Snapshot) -> str:
    facts = (snapshot.chain, snapshot.offset, snapshot.weight, snapshot.head, snapshot.queued)
    return sha256(repr(facts).encode() + snapshot.state).hexdigest()
