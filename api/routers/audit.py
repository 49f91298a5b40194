"""The audit: run it, see what it found; and everything that it takes to recompute one clearing anywhere else."""

from typing import Annotated, Any

from fastapi import Path as InPath

from api.audits import Audit
from api.auth import Work
from api.errors import NotThere, plain, problems
from api.nouns import Noun
from api.reads import answer
from api.routers.products import ClearedAt, Named, OrderShape, cleared_at, order_shape
from api.schemas import Answer, Shape
from ledger import past, queries

router = Noun(prefix="/audit", tags=["audit"], responses=problems(404, 422, 429, 503))

_CODE = "compute-ledger audit --block {block}"


class CheckShape(Shape):
    """One rule that was checked (tests/INVARIANTS.md), over how many reads, and how many faults it found."""

    id: str
    what: str
    reads: int
    findings: int


class Progress(Shape):
    """How far a running audit is: `done` of `whole` of its present step."""

    step: str
    done: int
    whole: int


class AuditShape(Shape):
    """The last audit. `root` stands for the whole history and the books at `block`; `proof` is the command that makes
    the same root from a node alone. The report is of that block and no other, whatever the chain's head is by now; both
    are null before the first audit."""

    state: str
    block: int | None
    block_hash: str | None
    root: str | None
    events: int
    transactions: int
    words_proven: int
    checks: list[CheckShape]
    findings: list[dict[str, Any]]
    started_s: int | None
    took_ms: int | None
    progress: Progress | None
    why: str | None
    proof: str | None


class ClearingProof(Shape):
    """A round as it was claimed and all that it follows from: price(t) = (128 + (t & 127)) << (t >> 7) times the tick
    size; the price is the middle of the ticks that trade most and leave least over (see DECISIONS.md)."""

    product: str
    round: int
    hours: int
    tick_size_micro: int
    orders: list[OrderShape]
    cleared: bool
    clearing: ClearedAt | None
    transactions: list[str]


@router.get("", summary="What the last audit found")
def read_audit(work: Work) -> AuditShape:
    return audit_shape(work.audits.last)


@router.post("", status_code=202, summary="Start an audit, unless one runs or ended a moment ago")
def start_audit(work: Work) -> AuditShape:
    work.audits.start()
    return audit_shape(work.audits.last)


@router.get("/clearings/{code}/{round}", summary="All that one clearing follows from")
def read_proof(
    work: Work, product: Named, round_: Annotated[int, InPath(alias="round", ge=0, lt=2**40)]
) -> Answer[ClearingProof]:
    with work.view() as view:
        orders = queries.orders_in(view.store, product.id, round_)
        row, book = queries.clearing(view.store, product.id, round_), queries.book(view.store, product.id)
        if book is None or (row is None and not orders):
            raise NotThere(f"Round {round_} of {product.code} has no orders.", "GET /products/{code}/clearings.")
        sent = past.transactions(view.store, [(row.block, row.log_index)]) if row else {}
        return answer(
            view,
            ClearingProof(
                product=product.code,
                round=round_,
                hours=product.hours,
                tick_size_micro=book.tick_size_micro,
                orders=[order_shape(one) for one in orders],
                cleared=row is not None,
                clearing=cleared_at(row) if row else None,
                transactions=[*sent.values(), *dict.fromkeys(one.transaction for one in orders)],
            ),
        )


def audit_shape(audit: Audit) -> AuditShape:
    """An audit as it is told; while one runs, the last report stands beside its progress."""
    report = audit.report
    facts = report.json() if report else {}
    running = audit.state == "running"
    return AuditShape(
        state=audit.state,
        block=facts.get("block"),
        block_hash=facts.get("block_hash"),
        root=facts.get("root"),
        events=facts.get("events", 0),
        transactions=facts.get("transactions", 0),
        words_proven=facts.get("words_proven", 0),
        checks=[
            CheckShape(id=one["invariant"], what=one["says"], reads=one["reads"], findings=one["findings"])
            for one in facts.get("checks", ())
        ],
        findings=plain(facts.get("findings", [])),
        started_s=audit.started_s,
        took_ms=audit.took_ms,
        progress=Progress(step=audit.step, done=audit.done, whole=audit.whole) if running else None,
        why=audit.why,
        proof=_CODE.format(block=facts["block"]) if facts else None,
    )
