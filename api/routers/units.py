"""Units: issue them, take them back, cut them into hours, put them together, loosen where they may be used."""

from typing import Any

from pydantic import Field

from api.auth import Caller, Who, Work
from api.errors import problems
from api.nouns import Noun
from api.schemas import CODE_EXAMPLE, Address, Body
from api.services import Services
from api.writes import BOTH, Prepared, add_writes, owner_of
from ledger import Action, Product, tier_of

router = Noun(prefix="/units", tags=["units"], responses=problems(400, 422, 429, 502, 503))
_PROVIDER = frozenset({"provider"})


class UnitsBody(Body):
    """Units of a product at a site."""

    product: str = Field(max_length=100, examples=[CODE_EXAMPLE])
    site: int = Field(ge=1, lt=2**32)
    units: int = Field(ge=1, lt=2**32)
    owner: Address | None = None


class RelaxBody(UnitsBody):
    """Units of a tighter tier, to be sold as ones of a looser."""

    tier: str = Field(max_length=10, examples=["HUB"])


def _prepared(verb: str, body: UnitsBody, work: Services, caller: Caller, scopes: frozenset[str]) -> Prepared:
    owner = owner_of(caller, body.owner)

    def make() -> Action[Any]:
        product = Product.from_code(body.product)
        if isinstance(body, RelaxBody):
            return work.market.relax(body.site, product, body.units, tier_of(body.tier))
        action: Action[Any] = getattr(work.market, verb)(body.site, product, body.units)
        return action

    return Prepared(make, owner, scopes, body.model_dump() | {"owner": owner})


def mint_write(body: UnitsBody, work: Work, caller: Who) -> Prepared:
    return _prepared("mint", body, work, caller, _PROVIDER)


def retire_write(body: UnitsBody, work: Work, caller: Who) -> Prepared:
    return _prepared("retire", body, work, caller, _PROVIDER)


def split_write(body: UnitsBody, work: Work, caller: Who) -> Prepared:
    return _prepared("split", body, work, caller, BOTH)


def merge_write(body: UnitsBody, work: Work, caller: Who) -> Prepared:
    return _prepared("merge", body, work, caller, BOTH)


def relax_write(body: RelaxBody, work: Work, caller: Who) -> Prepared:
    return _prepared("relax", body, work, caller, BOTH)


add_writes(router, "/mint", mint_write, "issue units against a bond")
add_writes(router, "/retire", retire_write, "take units back")
add_writes(router, "/split", split_write, "a window into its hours")
add_writes(router, "/merge", merge_write, "hours into a window")
add_writes(router, "/relax", relax_write, "a looser tier")
