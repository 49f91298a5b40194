"""Rounds: what keepers do, and anyone may."""

from typing import Annotated, Any

from pydantic import Field

from api.auth import Who, Work
from api.errors import problems
from api.nouns import Noun
from api.schemas import CODE_EXAMPLE, Address, Body
from api.writes import BOTH, Prepared, add_writes, owner_of
from ledger import Action, Product

router = Noun(prefix="/rounds", tags=["rounds"], responses=problems(400, 422, 429, 502, 503))


class RoundBody(Body):
    """A round of a product."""

    product: str = Field(max_length=100, examples=[CODE_EXAMPLE])
    round: int = Field(ge=0, lt=2**40)
    owner: Address | None = None


class SettleBody(RoundBody):
    """The slots of the orders to settle."""

    slots: list[Annotated[int, Field(ge=0, lt=2**32)]] = Field(min_length=1, max_length=150)


def clear_write(body: RoundBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)

    def make() -> Action[Any]:
        return work.market.clear(Product.from_code(body.product), body.round)

    return Prepared(make, owner, BOTH, body.model_dump() | {"owner": owner})


def settle_write(body: SettleBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)

    def make() -> Action[Any]:
        return work.market.settle(Product.from_code(body.product), body.round, body.slots)

    return Prepared(make, owner, BOTH, body.model_dump() | {"owner": owner})


add_writes(router, "/clear", clear_write, "find a round's price")
add_writes(router, "/settle", settle_write, "pay out orders")
