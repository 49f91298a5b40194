"""A keeper's transactions: each name once, every end told once."""

import time

import pytest

from ledger.errors import Reverted
from ledger.keeping.outgoing import Ended, Outgoing
from ledger.keeping.tasks import Job, Task
from ledger.sending.sender import Sender
from ledger.store.engine import IN_MEMORY, open_store
from tests.world import World


def task(world: World, key: str, amount_micro: int = 1) -> Task:
    call = world.market.call("Token", "mint", world.stranger.address, amount_micro, gas=100_000)
    return Task(Job.CLEAR, key, 0, call)


def ends(outgoing: Outgoing) -> list[Ended]:
    """All that is under way, when it has ended."""
    found = []
    deadline = time.monotonic() + 60
    while len(outgoing) and time.monotonic() < deadline:
        found += outgoing.ended()
    return found


@pytest.fixture
def sender(anvil_world: World) -> Sender:
    return Sender(anvil_world.chain, open_store(IN_MEMORY))


def test_send_does_what_has_one_name_once(anvil_world: World, sender: Sender) -> None:
    world = anvil_world
    held_micro = world.market.wallet_micro(world.stranger.address)
    outgoing = Outgoing(sender, [world.seller, world.admin])
    assert outgoing.send([(task(world, "a"), outgoing.turn()), (task(world, "b", 2), outgoing.turn())]) == 2
    assert "a" in outgoing
    assert {one.task.key for one in ends(outgoing) if one.succeeded} == {"a", "b"}
    assert (len(outgoing), outgoing.ended()) == (0, [])
    again = Outgoing(sender, [world.admin, world.seller])
    assert again.adopt("nothing of the kind") is None
    assert again.adopt("b") is not None
    assert again.number("b") == sender.status("b").number
    [ended] = ends(again)
    assert ended.receipt is not None
    assert ended.receipt.transaction == sender.status("b").attempts[0].hash
    assert world.market.wallet_micro(world.stranger.address) == held_micro + 3


def test_keys_take_turns(anvil_world: World, sender: Sender) -> None:
    signers = [anvil_world.seller, anvil_world.admin]
    outgoing = Outgoing(sender, signers)
    assert [outgoing.turn() for _ in range(4)] == signers * 2


def test_what_failed_may_be_tried_again_and_says_why(anvil_world: World, sender: Sender) -> None:
    world = anvil_world
    outgoing = Outgoing(sender, [world.seller])
    refused = Task(Job.CLEAR, "pause", 0, world.market.call("Exchange", "setOrdersPaused", True, gas=100_000))
    for count in (1, 2):
        assert outgoing.send([(refused, world.seller)]) == 1
        [ended] = ends(outgoing)
        assert not ended.succeeded
        assert isinstance(ended.refusal, Reverted)
        assert "Unauthorized" in ended.refusal.name
        assert len([one for one in ("pause", "pause#1") if _known(sender, one)]) == count


def _known(sender: Sender, name: str) -> bool:
    return Outgoing(sender, []).adopt(name) is not None


def test_what_is_cancelled_is_told_without_a_receipt(anvil_world: World, sender: Sender) -> None:
    world = anvil_world
    outgoing = Outgoing(sender, [world.seller])
    with world.clock.one_block():
        outgoing.send([(task(world, "late"), world.seller)])
        assert outgoing.ended() == []
        sender.cancel(outgoing.number("late"))
    [ended] = ends(outgoing)
    assert (ended.receipt, ended.succeeded) == (None, False)
