"""What nearness costs: METRO ≥ HUB ≥ WIDE by class, window and grade, or what earns where that does not hold."""

from typing import Annotated, Any

from fastapi import Query

from api.auth import Work
from api.errors import problems
from api.nouns import Noun
from api.schemas import Micro, Price, Shape, micro
from ledger import TierPair, class_id_of, tier_report

router = Noun(prefix="/dispatch/tiers", tags=["dispatch"], responses=problems(422, 429, 503))


class RelaxShape(Shape):
    """Units to buy, relax and sell: `body` can be posted to /units/relax/preview and /units/relax/build."""

    text: str
    units: int
    profit_micro: Micro
    body: dict[str, Any]


class TierPairShape(Shape):
    """A product and a looser one that it may always be sold as (`relax`), with their last prices per unit-hour, the
    lowest asked and the highest bid; `holds`: nearness costs at least as much. Else `relaxes` says what earns by it."""

    tight: str
    loose: str
    tight_price: Price | None
    loose_price: Price | None
    ask: Price | None
    bid: Price | None
    holds: bool
    relaxes: list[RelaxShape]


class TiersShape(Shape):
    """Whether METRO ≥ HUB ≥ WIDE holds everywhere at a block."""

    block: int
    round: int
    holds: bool
    pairs: list[TierPairShape]


@router.get("", summary="Whether nearer costs at least as much, and what earns where it does not")
def read_tiers(
    work: Work, class_: Annotated[str | None, Query(alias="class", max_length=40, examples=["AI_LARGE"])] = None
) -> TiersShape:
    with work.view() as view:
        found = tier_report(view.store, work.market, work.areas, class_id_of(class_) if class_ else None)
    pairs = [pair_shape(one) for one in found.pairs]
    return TiersShape(block=found.block, round=found.round, holds=found.holds, pairs=pairs)


def pair_shape(pair: TierPair) -> TierPairShape:
    def price(price_micro: int | None) -> Price | None:
        return None if price_micro is None else Price.of(price_micro)

    return TierPairShape(
        tight=pair.tight.code,
        loose=pair.loose.code,
        tight_price=price(pair.tight_micro),
        loose_price=price(pair.loose_micro),
        ask=price(pair.ask_micro),
        bid=price(pair.bid_micro),
        holds=pair.holds,
        relaxes=[
            RelaxShape(
                text=one.title,
                units=one.units,
                profit_micro=micro(one.profit_micro),
                body={"product": pair.tight.code, "site": one.site, "units": one.units, "tier": one.tier.name},
            )
            for one in pair.relaxes
        ],
    )
