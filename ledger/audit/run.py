"""The whole audit of a market, from its manifest and a node that nobody has to trust.

Blocks are proven (`headers`), what they hold is replayed by an independent model (`replay`), the result is held against
storage proofs (`proofs`) and reads (`checks`) at the last block. A contract's code is proven in each block in which it
speaks, and at the last: that takes a node that keeps old states. Every step notes all that is wrong and goes on. Blocks
are forgotten as soon as they are replayed: what is kept is the market's state, not its history.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ledger.artifacts import load_artifacts
from ledger.audit.books import Check, Finding, Line, differences
from ledger.audit.checks import check_market, new_replay, reads_of
from ledger.audit.decode import Entry
from ledger.audit.headers import Headers, ProvenBlock
from ledger.audit.proofs import Expected, expected_words, prove, prove_code, prove_contracts
from ledger.audit.replay import Replay
from ledger.audit.stored import Stored
from ledger.errors import InputError
from ledger.view import View

Watch = Callable[[str, int, int], None]
"""Is told the step, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit came to. `root` stands for the whole history and the books at `block`: whoever audits the same
    chain to the same block gets the same, on any machine and from any node."""

    chain_id: int
    first_block: int
    block: int
    block_hash: str
    root: str
    receipts: int
    transactions: int
    events: int
    words_proven: int
    reads: int
    states_gone: int
    """Blocks with events whose state the node keeps no longer: what code stood there is not proven."""
    acts_unseen: int
    """Orders and payments that neither their owner's key signed nor their owner sent: code at the owner's did."""
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        return not self.findings

    def json(self) -> dict[str, Any]:
        """For machines: integers stay integers, everything else is text."""
        rules = Counter(finding.rule for finding in self.findings)
        checks = [
            {"invariant": one.rule, "says": one.sentence, "reads": one.compared, "findings": rules[one.rule]}
            for one in self.checks
        ]
        findings = [
            {name: value if isinstance(value, int | None) else str(value) for name, value in asdict(finding).items()}
            for finding in self.findings
        ]
        whole = {name: getattr(self, name) for name in self.__slots__ if name not in ("checks", "findings")}
        return {"clean": self.clean, **whole, "checks": checks, "findings": findings}


class Root:
    """The hash of all history: every log of ours in its order, then the books."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, entries: Iterable[Entry]) -> None:
        """Logs, in the order of the chain."""
        for entry in entries:
            head = (
                f"{entry.block} {entry.log} {entry.transaction} {entry.address} {len(entry.topics)} {len(entry.data)}"
            )
            self._digest.update(b"".join((head.encode(), b"\n", *entry.topics, entry.data)))

    def close(self, words: Iterable[Expected]) -> str:
        """The root, with what the books say that the contracts store, in whatever order."""
        total = 0
        for one in words:
            if one.word:
                said = one.contract.encode() + one.key + (one.word % (1 << 256)).to_bytes(32)
                total += int.from_bytes(hashlib.sha256(said).digest())
        self._digest.update((total % (1 << 256)).to_bytes(32))
        return "0x" + self._digest.hexdigest()


def run_audit(
    view: View,
    block: int | None = None,
    watch: Watch = lambda _step, _done, _of: None,
    sink: Callable[[Line], None] | None = None,
    stored: Stored | None = None,
    block_hash: str | None = None,
) -> tuple[Report, Replay]:
    """Audits a market up to `block` (default: the latest); `sink` takes every line of every account, `stored` is a
    database to hold against what is proven, `block_hash` what the last block's must be by a source that is trusted:
    without one a node may tell of a chain of its own making.

    Gives what was found, and the books. Raises InputError for a block before the market's, Unavailable when the node
    does not answer.
    """
    first, last = view.deployment.block, view.chain.block().number if block is None else block
    if last < first:
        raise InputError(f"Block {last} is before the market's first, {first}.", "Name a later one with --block.")
    findings: list[Finding] = []
    gone: set[int] = set()
    replay, root = new_replay(view.deployment), Root()
    replay.sink = sink
    if stored is not None:
        stored.begin(findings.append)
    proven, receipts = _replayed(view, (first, last), (replay, root, stored), (findings, gone), watch)
    said = "0x" + proven.hash.hex() if proven else ""
    if block_hash is not None and said != block_hash.lower():
        findings.append(Finding("HEADER", "hash of the audited block", block_hash.lower(), said, last))
    words = 0
    artifacts = load_artifacts()
    if proven is not None:
        # Each word is made twice, so that not all of them need to be held at once.
        expected, of = expected_words(replay, artifacts), sum(1 for _ in expected_words(replay, artifacts))
        node, note = view.chain, findings.append
        state_root = proven.state_root
        words = prove(node, view.deployment, last, state_root, expected, note, lambda n: watch("Prove storage", n, of))
    if stored is not None:
        stored.close(replay)
    watch("Check invariants", 0, 1)
    checks = check_market(view, replay, last)
    watch("Check invariants", 1, 1)
    findings += (finding for finding in replay.findings if not finding.rule.startswith("INV-"))
    findings += differences(checks)
    report = Report(
        chain_id=view.deployment.chain_id,
        first_block=first,
        block=last,
        block_hash=said,
        root=root.close(expected_words(replay, artifacts)),
        receipts=receipts,
        transactions=replay.transactions,
        events=replay.events,
        words_proven=words,
        reads=reads_of(checks),
        states_gone=len(gone),
        acts_unseen=replay.unseen,
        checks=tuple(checks),
        findings=tuple(dict.fromkeys(findings)),
    )
    return report, replay


def _replayed(
    view: View,
    span: tuple[int, int],
    takers: tuple[Replay, Root, Stored | None],
    faults: tuple[list[Finding], set[int]],
    watch: Watch,
) -> tuple[ProvenBlock | None, int]:
    """Walks and replays the blocks of a span; gives the last one if it was proven, and how many receipts were. `faults`
    takes what was found, and the blocks whose state is gone."""
    findings, gone = faults
    (first, last), (replay, root, stored) = span, takers
    deployment = view.deployment
    token, treasury = deployment.address("Token"), deployment.address("Treasury")
    headers = Headers(view.chain, deployment.addresses.values(), token, treasury, findings.append)
    names = {address: name for name, address in deployment.addresses.items()}
    proven, receipts = None, 0
    for proven in headers.walk(first, last):
        receipts += proven.receipts
        root.add(proven.entries)
        replay.run(proven.entries, proven.acts.get, proven.time_s)
        # A contract that speaks must be ours in that block, and not only when the audit ends.
        at = (proven.number, proven.state_root)
        speak = sorted({names[entry.address] for entry in proven.entries})
        if speak:
            prove_contracts(view.chain, deployment, *at, speak, findings.append, gone.add)
        if replay.by_code:
            prove_code(view.chain, *at, replay.by_code, findings.append, gone.add)
        if stored is not None:
            stored.take(proven)
        watch("Replay blocks", proven.number - first + 1, last - first + 1)
    if proven is None or proven.number != last:
        findings.append(Finding("HEADER", "the last block", "proven", "not proven", last))
        return None, receipts
    return proven, receipts
