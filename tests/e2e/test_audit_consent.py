"""Whose act it was where code acts: an invented theft is found, and nobody is accused of what their code did."""

from collections.abc import Iterator

import pytest
from eth_utils.crypto import keccak

from ledger import Kind, OrderTerms
from ledger.abi import Call
from ledger.artifacts import load_artifacts
from ledger.audit.proofs import mapped
from ledger.audit.run import run_audit
from ledger.orders import SignedOrder
from tests.world import World, world_on

# Logs what it is sent: three topics, and a word of data.
EMITTER = "0x60206060600037604035602035600035602060" + "00a300"
# Says to any signature that it is right (ERC-1271).
YES = "0x631626ba7e60e01b5f5260205ff3"


@pytest.fixture
def world() -> Iterator[World]:
    with world_on("anvil") as found:
        yield found


def set_code(world: World, address: str, code: str) -> str:
    """Puts code at an address; gives what was there. anvil counts it to the block before: that must be an empty one."""
    world.chain.request("evm_mine")
    before: str = world.chain.request("eth_getCode", address, "latest")
    world.chain.request("anvil_setCode", address, code)
    return before


def change(world: World, address: str, key: bytes, by: int) -> None:
    place = "0x" + key.hex()
    word = int(world.chain.request("eth_getStorageAt", address, place, "latest"), 16)
    world.chain.request("anvil_setStorageAt", address, place, f"0x{word + by:064x}")


def router(*calls: tuple[str, bytes]) -> bytes:
    """Code that makes these calls where it is deployed, and leaves nothing behind; each takes four words."""
    code = b""
    for address, data in calls:
        for place in range(0, 128, 32):
            code += b"\x7f" + data[place : place + 32] + bytes((0x60, place, 0x52))
        code += bytes.fromhex("6000600060806000600073" + address[2:] + "5af150")
    return code + b"\x00"


def said(signature: str, from_: str, to: str, amount: int) -> bytes:
    words = (keccak(text=signature), bytes.fromhex(from_[2:]).rjust(32, b"\0"), bytes.fromhex(to[2:]).rjust(32, b"\0"))
    return b"".join(words) + amount.to_bytes(32)


def test_run_audit_finds_a_theft_by_code_that_was_there_for_a_block(world: World) -> None:
    """Every header, receipt and word fits; but in that block the contracts were others, and the victim had no code."""
    market, chain = world.market, world.chain
    victim, thief = world.buyer.address, world.stranger.address
    treasury, token = market.address("Treasury"), market.address("Token")
    amount = market.cash_micro(victim)
    true = {address: set_code(world, address, EMITTER) for address in (treasury, token)}
    withdrawn = said("Withdrawn(address,address,uint256)", victim, thief, amount)
    moved = said("Transfer(address,address,uint256)", treasury, thief, amount)
    code = router((treasury, withdrawn), (token, moved))
    receipt = market.sender.send(Call("", None, code, gas=900_000), world.stranger)
    for address, its in true.items():
        set_code(world, address, its)
    slots = {name: one.slots for name, one in load_artifacts().items()}
    change(world, treasury, mapped(slots["Treasury"]["_accounts"], victim), -(amount << 144))
    for owner, by in ((treasury, -amount), (thief, amount)):
        change(world, token, mapped(slots["TestDollar"]["_balances"], owner), by)
    chain.request("evm_mine")
    assert market.cash_micro(victim) == 0
    report, _ = run_audit(market)
    found = {(one.rule, one.where, one.block) for one in report.findings}
    wanted = [("CODE", "code of Treasury"), ("CODE", "code of Token"), ("INV-13", f"cash of {victim}")]
    assert found >= {(*one, receipt.block) for one in wanted}
    assert report.acts_unseen == 1


def test_run_audit_accuses_nobody_whose_code_signed_and_is_gone(world: World) -> None:
    """What an account delegated (EIP-7702) counts at the order's block, whatever becomes of it."""
    market, product, buyer = world.market, world.product(4), world.buyer.address
    set_code(world, buyer, YES)
    terms = OrderTerms(buyer, Kind.BID, product, 400, 100, world.new_round(), 0, 0, 0)
    assert market.place_signed([SignedOrder(terms, b"x")]).send(world.stranger).value.indices
    set_code(world, buyer, "0x")
    world.chain.request("evm_mine")
    report, _ = run_audit(market)
    assert report.findings == ()
    assert report.acts_unseen == 1
