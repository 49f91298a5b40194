"""Time passes when we say so, on both kinds of local chain."""

import pytest

from ledger import OutOfRange, connect, local_node
from ledger.clock import AnvilClock, InProcessClock
from tests.world import World


def test_clock_is_of_the_chains_kind(tester_world: World, anvil_world: World) -> None:
    assert isinstance(tester_world.clock, InProcessClock)
    assert isinstance(anvil_world.clock, AnvilClock)


def test_go_to_sets_the_time_that_contracts_see(world: World) -> None:
    time_s = world.chain.time_s() + 12_345
    world.clock.go_to(time_s)
    assert world.chain.time_s() == time_s
    assert world.market.read("Exchange", "currentRound") == time_s // 60


def test_set_next_dates_the_block_of_the_next_transaction(world: World) -> None:
    time_s = world.chain.time_s() + 1_000
    world.clock.set_next(time_s)
    receipt = world.market.mint_test_dollars(world.seller.address, 1).send(world.seller).receipt
    assert world.chain.block(receipt.block).time_s == time_s


def test_time_does_not_run_backwards(world: World) -> None:
    for time_s in (world.chain.time_s(), world.chain.time_s() - 1):
        with pytest.raises(OutOfRange):
            world.clock.set_next(time_s)
    world.clock.go_to(world.chain.time_s() + 1)


def test_clock_in_this_process_stands_still_between_blocks(tester_world: World) -> None:
    """Left alone, py-evm would date blocks by the wall clock."""
    before_s = tester_world.chain.time_s()
    for _ in range(3):
        tester_world.market.mint_test_dollars(tester_world.seller.address, 1).send(tester_world.seller)
    assert tester_world.chain.time_s() == before_s + 3


def test_one_block_holds_all_that_is_sent_inside(world: World) -> None:
    first = world.chain.block().number
    with world.clock.one_block():
        sent = [
            world.market.sender.submit(world.market.mint_test_dollars(world.seller.address, 1).call, signer)
            for signer in (world.seller, world.buyer, world.seller)
        ]
        assert world.chain.block().number == first
    receipts = [world.market.sender.wait(one) for one in sent]
    assert {receipt.block for receipt in receipts} == {first + 1}
    assert world.chain.block().number == first + 1


def test_one_block_ends_even_when_what_is_inside_fails(world: World) -> None:
    try:
        with world.clock.one_block():
            raise KeyError
    except KeyError:
        pass
    before = world.chain.block().number
    world.market.mint_test_dollars(world.seller.address, 1).send(world.seller)
    assert world.chain.block().number == before + 1


def test_chain_that_is_not_ours_has_no_clock() -> None:
    """anvil says what it is; a node that says something else is left alone."""
    with local_node() as node:
        chain = connect(node.url)
        assert chain.clock is not None
        assert "anvil" in chain.request("web3_clientVersion")
