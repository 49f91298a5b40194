"""What a node says of blocks and of a market's logs in them, and whether to believe it.

A node that lacks a block answers with no logs as if there were none, so every answer comes with a header that shows
that the node has the block. An empty one is held against the header's bloom as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.chain import Chain
from ledger.errors import NodeRefused, Unreachable
from ledger.history.bloom import Bloom, bloom_of, may_hold
from ledger.history.ranges import Ranges
from ledger.rpc import bytes_of, number_of, tag_of
from ledger.store.records import BlockRow

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A range's logs as the node gave them, from block `first` up to `end`."""

    first: int
    end: BlockRow
    logs: list[Json]


@dataclass(frozen=True, slots=True)
class Fresh:
    """A block that is not final, and its header's bloom; None where the header has none that says anything."""

    row: BlockRow
    bloom: Bloom | None


class Source:
    """One node, or several as one, asked for the blocks and logs of these contracts."""

    def __init__(self, chain: Chain, addresses: Sequence[str]) -> None:
        self._chain = chain
        self._addresses = list(addresses)
        self._ours = {one.lower() for one in addresses}
        self.ranges = Ranges()

    def look(self, at: int) -> tuple[BlockRow, int, BlockRow | None]:
        """The node's latest block, the number of the last that it calls final, and what it has at a block."""
        wanted: list[tuple[str, Sequence[Any]]] = [
            ("eth_getBlockByNumber", (name, False)) for name in ("latest", "finalized", tag_of(at))
        ]
        latest, final, there = self._chain.batch(wanted)
        if latest is None:
            raise NodeRefused("it has no latest block")
        return _row(latest), _row(final).block if final else 0, _row(there) if there else None

    def headers(self, numbers: Sequence[int]) -> list[Fresh | None]:
        """The blocks of these numbers; None for one that the node does not have."""
        found = self._chain.batch([("eth_getBlockByNumber", (tag_of(number), False)) for number in numbers])
        return [Fresh(_row(one), _bloom(one)) if one else None for one in found]

    def range(self, first: int, last: int) -> Part:
        """The logs from a block on, as far as the node gives them at once."""
        while True:
            end = min(last, first + self.ranges.blocks - 1)
            wanted = {"address": self._addresses, "fromBlock": tag_of(first), "toBlock": tag_of(end)}
            try:
                # The header beside the logs: a node that lacks the last block has no say in what is in it.
                header, logs = self._chain.batch(
                    [("eth_getBlockByNumber", (tag_of(end), False)), ("eth_getLogs", (wanted,))]
                )
            except (NodeRefused, Unreachable) as error:
                if not self.ranges.refused(first, end, error.why):
                    raise
                continue
            if header is None or not isinstance(logs, list):
                raise NodeRefused(f"it has no block {end}")
            self.ranges.gave(first, end, len(logs))
            return Part(first, _row(header), logs)

    def logs_of(self, blocks: Sequence[Fresh]) -> list[list[Json]]:
        """The logs of each of these blocks, asked for by its hash. Raises NodeRefused for an answer that is not of the
        block, and for an empty one that the block's header contradicts."""
        wanted = [("eth_getLogs", ({"address": self._addresses, "blockHash": one.row.hash},)) for one in blocks]
        answers = self._chain.batch(wanted)
        return [self._believed(one, answer) for one, answer in zip(blocks, answers, strict=True)]

    def _believed(self, block: Fresh, answer: Any) -> list[Json]:
        logs = _logs(block, answer)
        if logs or block.bloom is None or not may_hold(block.bloom, map(bytes_of, self._addresses)):
            return logs
        # Blooms cry for nothing, too. All the block's logs settle it: their bloom is the header's, or some are missing.
        whole = _logs(block, self._chain.request("eth_getLogs", {"blockHash": block.row.hash}))
        if bloom_of(whole) != block.bloom:
            raise NodeRefused(f"it gave fewer logs of block {block.row.block} than the block's header stands for")
        return [one for one in whole if str(one.get("address")).lower() in self._ours]


def _logs(block: Fresh, answer: Any) -> list[Json]:
    if not isinstance(answer, list) or any(entry.get("blockHash") != block.row.hash for entry in answer):
        raise NodeRefused(f"it gave no logs of block {block.row.block}, or another's")
    return answer


def _row(header: Json) -> BlockRow:
    try:
        parent, time_s = str(header["parentHash"]), number_of(header["timestamp"])
        return BlockRow(number_of(header["number"]), str(header["hash"]), parent, time_s)
    except (KeyError, TypeError, AttributeError):
        raise NodeRefused(f"it answered {str(header)[:40]!r} where a block belongs") from None


def _bloom(header: Json) -> Bloom | None:
    said = header.get("logsBloom")
    bloom = int.from_bytes(bytes_of(said)) if said else None
    # Some rollups set every bit of every block, which says nothing.
    return None if bloom == (1 << 2_048) - 1 else bloom
