"""Several nodes of one chain behind one face: reads go to one that is well, transactions to all.

- A node that fails is left alone for a while, longer each time, and the next one is asked.
- What a node refuses (a revert, a wrong parameter) is an answer, not a failure.
- Before a node is asked first, and again whenever it was left, it must serve the same chain.
- A node whose head is too far behind the best one's is not asked: what it does not know yet looks like nothing.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from ledger.errors import LedgerError, NodeRefused, Unreachable, WrongChain
from ledger.rpc import number_of
from ledger.transactions import hash_of
from ledger.transport import Answer, Transport, Wanted

HEAD_LAG_MAX_BLOCKS = 3
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.5, 60.0
HEAD_SECONDS_MAX = 2.0
"""How old may be what we know of a node's head before it is asked again."""
HEAD_SECONDS_WAITED = 0.25
"""How long a request waits for the news of other nodes' heads."""
HEAD_SECONDS_KEPT = 60.0
"""How long the head of a node that has since fallen silent counts."""

SEND = "eth_sendRawTransaction"

_KNOWN = re.compile(r"already known|known transaction|already imported|already in (?:the )?(?:pool|mempool)", re.I)
_BUSY = re.compile(r"rate.?limit|too many requests|over capacity|exceeded.*(?:requests|compute units)", re.I)


@dataclass(frozen=True, slots=True)
class Health:
    """How one node does: its host, its requests, those that failed, the seconds of all; its head and how many blocks
    that is behind the best (None: not known); how many seconds it is left alone for; why it was last."""

    host: str
    calls: int
    errors: int
    seconds: float
    head: int | None
    lag_blocks: int | None
    paused_s: float
    trouble: str | None


@dataclass(slots=True)
class _Node:
    """One node, and what is known of it."""

    transport: Transport
    checked: bool = False
    failures: int = 0
    paused_until: float = 0.0
    trouble: str | None = None
    head: int | None = None
    head_at: float = float("-inf")
    looked_at: bool = False
    """Whether somebody is asking for its head now."""


class Endpoints:
    """The nodes of one chain, the first one preferred. Any number of threads may ask."""

    def __init__(
        self,
        urls: Sequence[str],
        timeout_s: float = 20,
        chain_id: int | None = None,
        head_lag_max_blocks: int = HEAD_LAG_MAX_BLOCKS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nodes = [_Node(Transport(url, timeout_s)) for url in urls]
        self._current = self._nodes[0]
        self._chain_id = chain_id
        self._head_lag_max_blocks = head_lag_max_blocks
        self._now = now
        self._lock = threading.RLock()
        self._jitter = random.Random()
        self._crew = ThreadPoolExecutor(4 * len(urls), "endpoint") if len(urls) > 1 else None
        self._scouts = ThreadPoolExecutor(len(urls), "head")

    @property
    def host(self) -> str:
        """The hosts, for people."""
        return ", ".join(node.transport.host for node in self._nodes)

    def ask(self, wanted: Wanted) -> list[Answer]:
        """One node's answers to these requests, in the same order, all from the same node; what sends a transaction
        goes to all nodes. Raises Unreachable where none answers, WrongChain where none is of our chain."""
        sent = [place for place, (method, _) in enumerate(wanted) if method == SEND]
        if not sent:
            return self._read(wanted)
        if self._crew is None:
            answers = self._read(wanted)
            return [
                _verdict(params[0], [answer]) if method == SEND else answer
                for (method, params), answer in zip(wanted, answers, strict=True)
            ]
        return self._split(wanted, sent)

    def health(self) -> list[Health]:
        """How each node does, in the order in which they were named."""
        with self._lock:
            now, best = self._now(), self._best_head()
            return [self._health(node, now, best) for node in self._nodes]

    def close(self) -> None:
        """Closes every connection."""
        if self._crew is not None:
            self._crew.shutdown()
        self._scouts.shutdown()
        for node in self._nodes:
            node.transport.close()

    # ---- reading

    def _read(self, wanted: Wanted) -> list[Answer]:
        self._look_at_heads()
        failure: LedgerError | None = None
        for node in self._candidates():
            try:
                self._admit(node)
                answers = node.transport.ask(wanted)
                self._learn_heads(node, wanted, answers)
                if len(self._nodes) > 1 and any(_is_busy(answer) for answer in answers):
                    raise Unreachable(node.transport.host, "it is asked too much")
            except (Unreachable, NodeRefused, WrongChain) as error:
                failure = error if failure is None or isinstance(error, Unreachable) else failure
                self._fail(node, error)
            else:
                self._succeed(node)
                return answers
        raise failure or Unreachable(self.host, "each is too far behind the best head that was seen")

    def _candidates(self) -> list[_Node]:
        """The nodes to ask, best first: those that are left alone come last, those behind not at all."""
        with self._lock:
            now, best = self._now(), self._best_head()
            usable = [node for node in self._nodes if self._lag(node, best) <= self._head_lag_max_blocks]
            return sorted(
                usable,
                # A pause that is over counts as none, so that the one in use stays in use.
                key=lambda node: (max(node.paused_until - now, 0.0), node is not self._current),
            )

    def _admit(self, node: _Node) -> None:
        """Asks a node that was not in use which chain it serves. Raises WrongChain."""
        with self._lock:
            if node.checked and node is self._current:
                return
        [answer] = node.transport.ask([("eth_chainId", ())])
        if "result" not in answer:
            raise Unreachable(node.transport.host, "it does not say which chain it serves")
        chain_id = number_of(answer["result"])
        with self._lock:
            self._chain_id = self._chain_id or chain_id
            if chain_id != self._chain_id:
                raise WrongChain(self._chain_id, chain_id)
            node.checked = True

    def _fail(self, node: _Node, error: LedgerError) -> None:
        with self._lock:
            pause = min(PAUSE_SECONDS_MIN * 2**node.failures, PAUSE_SECONDS_MAX)
            node.failures = min(node.failures + 1, 32)
            node.paused_until = self._now() + pause * self._jitter.uniform(0.75, 1.25)
            node.checked = False
            node.trouble = error.problem

    def _succeed(self, node: _Node) -> None:
        with self._lock:
            if node is not self._current:
                self._current.checked = False
                self._current = node
            node.failures, node.paused_until, node.trouble = 0, 0.0, None

    # ---- sending

    def _split(self, wanted: Wanted, sent: Sequence[int]) -> list[Answer]:
        told = self._tell_all([wanted[place] for place in sent])
        found = dict(zip(sent, told, strict=True))
        others = [place for place in range(len(wanted)) if place not in found]
        if others:
            found |= zip(others, self._read([wanted[place] for place in others]), strict=True)
        return [found[place] for place in range(len(wanted))]

    def _tell_all(self, wanted: Wanted) -> list[Answer]:
        """For each transaction the best that any node says: taken, else known already, else why not, which no answer
        settles while another node was told and fell silent. Raises Unreachable where no node answers."""
        now = self._now()
        with self._lock:
            awake = [node for node in self._nodes if node.paused_until <= now]
            asleep = [node for node in self._nodes if node not in awake]
        results = self._each(awake, wanted) if awake else []
        if all(isinstance(result, LedgerError) for result in results):
            results += self._each(asleep, wanted)
        told = [result for result in results if not isinstance(result, LedgerError)]
        if not told:
            raise next(result for result in results if isinstance(result, LedgerError))
        silent = any(isinstance(result, Unreachable) for result in results)
        return [
            _verdict(params[0], [answers[place] for answers in told], silent)
            for place, (_, params) in enumerate(wanted)
        ]

    def _each(self, nodes: Sequence[_Node], wanted: Wanted) -> list[list[Answer] | LedgerError]:
        """What each node says, all asked at once."""
        if self._crew is None:
            return [self._tell(node, wanted) for node in nodes]
        return list(self._crew.map(lambda node: self._tell(node, wanted), nodes))

    def _tell(self, node: _Node, wanted: Wanted) -> list[Answer] | LedgerError:
        try:
            if not node.checked:
                self._admit(node)
            return node.transport.ask(wanted)
        except (Unreachable, NodeRefused, WrongChain) as error:
            self._fail(node, error)
            return error

    # ---- heads

    def _look_at_heads(self) -> None:
        """Asks where the chain's head is, wherever that was not asked lately; one node alone has nobody to compare.

        A node that is slow to say holds nobody up for long: what it says counts when it comes."""
        if self._crew is None:
            return
        with self._lock:
            now = self._now()
            due = [
                node
                for node in self._nodes
                if not node.looked_at and now - node.head_at > HEAD_SECONDS_MAX and node.paused_until <= now
            ]
            for node in due:
                node.looked_at = True
        wait([self._scouts.submit(self._look_at_head, node) for node in due], timeout=HEAD_SECONDS_WAITED)

    def _look_at_head(self, node: _Node) -> None:
        wanted: Wanted = [("eth_blockNumber", ())]
        try:
            self._learn_heads(node, wanted, node.transport.ask(wanted))
        except (Unreachable, NodeRefused) as error:
            self._fail(node, error)
        finally:
            node.looked_at = False

    def _learn_heads(self, node: _Node, wanted: Wanted, answers: Sequence[Answer]) -> None:
        for (method, params), answer in zip(wanted, answers, strict=True):
            head = _head_in(method, params, answer.get("result"))
            if head is not None:
                with self._lock:
                    node.head, node.head_at = head, self._now()

    def _best_head(self) -> int | None:
        since = self._now() - HEAD_SECONDS_KEPT
        return max((node.head for node in self._nodes if node.head is not None and node.head_at >= since), default=None)

    def _lag(self, node: _Node, best: int | None) -> int:
        return 0 if best is None or node.head is None else max(0, best - node.head)

    def _health(self, node: _Node, now: float, best: int | None) -> Health:
        tally = node.transport.tally()
        return Health(
            host=node.transport.host,
            calls=tally.calls,
            errors=tally.errors,
            seconds=tally.seconds,
            head=node.head,
            lag_blocks=None if node.head is None else self._lag(node, best),
            paused_s=max(0.0, node.paused_until - now),
            trouble=node.trouble,
        )


def _head_in(method: str, params: Sequence[Any], result: Any) -> int | None:
    """The head that an answer tells, if it tells one."""
    if method == "eth_getBlockByNumber" and params[:1] == ["latest"] and isinstance(result, dict):
        result = result.get("number")
    elif method != "eth_blockNumber":
        return None
    return number_of(result)


def _is_busy(answer: Answer) -> bool:
    error = answer.get("error")
    return isinstance(error, dict) and (error.get("code") == 429 or bool(_BUSY.search(str(error.get("message")))))


def _verdict(raw: str, answers: Sequence[Answer], silent: bool = False) -> Answer:
    """What to make of several nodes' answers to one transaction: one that has it is enough. Where a node was told and
    did not say (`silent`), it may have it whatever the others refused."""
    for answer in answers:
        if "result" in answer:
            return answer
    if any(_KNOWN.search(str(answer.get("error"))) for answer in answers):
        return {"result": hash_of(bytes.fromhex(raw.removeprefix("0x")))}
    if silent or (len(answers) > 1 and any(map(_is_busy, answers))):
        return {"error": {"code": -32000, "message": "one node refused it, and another was told and did not answer"}}
    return answers[0]
