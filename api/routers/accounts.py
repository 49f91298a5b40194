"""Accounts: cash, units, orders, leases, sites; every line of a statement; money in and out."""

import csv
import io
from typing import Annotated, Any

from fastapi import Path as InPath
from fastapi import Response
from pydantic import Field

from api.auth import Who, Work
from api.errors import NotAllowed, problems
from api.nouns import Noun
from api.reads import CursorText, PageSize, answer, page, start_of
from api.routers.leases import LeaseShape, lease_shape
from api.routers.products import OrderShape, order_shape
from api.schemas import Address, Answer, Body, Micro, Page, ProductName, Shape, micro, product_fields
from api.writes import BOTH, Accepted, Links, Prepared, add_writes, owner_of
from ledger import Action, InputError, Line, Product, board, format_usd, parse_usd_micro, past, queries

router = Noun(prefix="/accounts", tags=["accounts"], responses=problems(400, 404, 410, 422, 429, 502, 503))

InAddress = Annotated[Address, InPath()]
FAUCET_MICRO_MAX = 100_000 * 10**6


class Holding(ProductName):
    """Units of one product; `held_units` wait for an account, a contract, that refused them."""

    units: int
    held_units: int


class AccountShape(Shape):
    """One account at one block. `wallet_micro` is money outside of the market, `allowance_micro` what of it the market
    may pull for the owner's own orders; `epoch` is what orders are signed with."""

    address: str
    cash_micro: Micro
    wallet_micro: Micro
    allowance_micro: Micro
    gas_wei: str
    epoch: int
    holdings: list[Holding]
    orders: list[OrderShape]
    leases: list[LeaseShape]
    sites: list[int]


class LineShape(Shape):
    """What one event did to the account: `asset` is cash (in micro-USD) or a product's code (in units)."""

    block: int
    time_s: int
    transaction: str
    log_index: int
    what: str = Field(examples=["escrow of a bid"])
    asset: str = Field(examples=["cash"])
    change: str
    before: str
    after: str


@router.get("/{address}", summary="What an account has, and what it waits for")
def read_account(work: Work, address: InAddress) -> Answer[AccountShape]:
    with work.view() as view:
        calls = [
            work.market.call("Token", "balanceOf", address),
            work.market.call("Token", "allowance", address, work.market.address("Treasury")),
        ]
        wallet_micro, allowance_micro = work.chain.call_many(calls, view.head.block)
        cash = queries.cash(view.store, address)
        holdings = [
            Holding.model_validate(
                product_fields(Product.from_id(one.product), work.areas)
                | {"units": one.units, "held_units": one.held_units}
            )
            for one in queries.balances(view.store, address)
        ]
        return answer(
            view,
            AccountShape(
                address=address,
                cash_micro=micro(cash.free_micro),
                wallet_micro=micro(wallet_micro),
                allowance_micro=micro(allowance_micro),
                gas_wei=str(work.chain.gas_money_wei(address)),
                epoch=cash.epoch,
                holdings=holdings,
                orders=[order_shape(one) for one in board.open_orders(view.store, address)],
                leases=[lease_shape(one, work) for one in queries.leases(view.store, address)],
                sites=[one.site for one in queries.sites(view.store, address)],
            ),
        )


@router.get("/{address}/statement", summary="Every change of its cash and units, newest first")
def list_statement(work: Work, address: InAddress, cursor: CursorText = None, limit: PageSize = 100) -> Page[LineShape]:
    with work.view() as view:
        start = start_of(view, cursor, "statement", 1)
        lines = past.statement(view.store, address, work.decode)
        end = min(start.place[0], len(lines)) if start else len(lines)
        shown = [(place, lines[place]) for place in range(end - 1, max(-1, end - limit - 2), -1)]
        return page(
            view,
            "statement",
            shown,
            limit,
            lambda one: line_shape(one[1]),
            lambda one: (one[0],),
            lambda one: one[1].block,
        )


@router.get(
    "/{address}/statement.csv",
    summary="The same for a spreadsheet, oldest first",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def read_statement(work: Work, address: InAddress) -> Response:
    text = io.StringIO()
    with work.view() as view:
        rows = [line_shape(one).model_dump() for one in past.statement(view.store, address, work.decode)]
    writer = csv.DictWriter(text, list(LineShape.model_fields))
    writer.writeheader()
    writer.writerows(rows)
    named = f'attachment; filename="{address}.csv"'
    return Response(text.getvalue(), media_type="text/csv", headers={"Content-Disposition": named})


def line_shape(line: Line) -> LineShape:
    return LineShape(
        block=line.block,
        time_s=line.time_s,
        transaction=line.transaction,
        log_index=line.log_index,
        what=line.what,
        asset=line.asset,
        change=str(line.change),
        before=str(line.before),
        after=str(line.after),
    )


# ---- writes


class AmountBody(Body):
    """An amount of money in words, or in micro-USD."""

    amount: str = Field(min_length=1, max_length=40, examples=["2.10 USD"])
    owner: Address | None = None


class WithdrawBody(AmountBody):
    """`to` gets the money: of a managed account, an address that the key allows."""

    to: Address


class TransferBody(Body):
    """Units for somebody else."""

    product: str = Field(max_length=100)
    units: int = Field(ge=1, lt=2**64)
    to: Address
    owner: Address | None = None


def deposit_write(body: AmountBody, work: Work, caller: Who) -> Prepared:
    owner, amount_micro = owner_of(caller, body.owner), _micro(body.amount)

    def make() -> Action[Any]:
        if caller.key:
            return work.market.deposit_signed(amount_micro, work.vault.signer(owner))
        return work.market.deposit(amount_micro)

    return Prepared(make, owner, BOTH, body.model_dump() | {"owner": owner})


def approve_write(body: AmountBody, work: Work, caller: Who) -> Prepared:
    owner, amount_micro = owner_of(caller, body.owner), _micro(body.amount)
    return Prepared(lambda: work.market.approve(amount_micro), owner, BOTH, body.model_dump() | {"owner": owner})


def withdraw_write(body: WithdrawBody, work: Work, caller: Who) -> Prepared:
    owner, amount_micro = owner_of(caller, body.owner), _micro(body.amount)
    _allow(caller, body.to)
    said = body.model_dump() | {"owner": owner}
    return Prepared(lambda: work.market.withdraw(amount_micro, body.to), owner, BOTH, said, amount_micro)


def transfer_write(body: TransferBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)
    _allow(caller, body.to)

    def make() -> Action[Any]:
        return work.market.transfer(Product.from_code(body.product), body.units, owner, body.to)

    return Prepared(make, owner, BOTH, body.model_dump() | {"owner": owner})


def _allow(caller: Who, to: str) -> None:
    if caller.key and to not in caller.key.withdraw_to:
        raise NotAllowed(
            f"This key sends nothing to {to}.", "Name the address in `withdraw_to` when the key is made (POST /keys)."
        )


def _micro(text: str) -> int:
    amount_micro = parse_usd_micro(text)
    if amount_micro < 1:
        raise InputError("The amount is zero.", "Name an amount above zero.")
    return amount_micro


class FaucetBody(AmountBody):
    """Play money for an account, on a demo market only."""


@router.post(
    "/faucet",
    status_code=202,
    summary="Play money, and gas to use it, on a demo market",
    responses=problems(401, 403, 409),
    openapi_extra={"security": [{}]},
)
def ask_faucet(body: FaucetBody, work: Work, caller: Who) -> Accepted:
    owner, amount_micro = owner_of(caller, body.owner), _micro(body.amount)
    if not work.is_demo or work.operator is None:
        raise NotAllowed("This market's money is real.", "Buy it where it is sold.")
    if amount_micro > FAUCET_MICRO_MAX:
        raise InputError(
            f"{format_usd(amount_micro)} is more than the faucet gives at once.",
            f"Ask for at most {format_usd(FAUCET_MICRO_MAX)}.",
        )
    work.give_gas(owner)
    sent = work.sender.submit(work.market.mint_test_dollars(owner, amount_micro).call, work.operator)
    links = Links(status=f"/transactions/{sent.number}")
    return Accepted(intent=sent.number, state="broadcast", transaction=sent.transaction, links=links)


add_writes(router, "/deposit", deposit_write, "money from the wallet into the market")
add_writes(router, "/approve", approve_write, "let the market pull money for one's own orders")
add_writes(router, "/withdraw", withdraw_write, "money out of the market")
add_writes(router, "/transfer", transfer_write, "units for somebody else")
