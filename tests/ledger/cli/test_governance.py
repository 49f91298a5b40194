"""The standards committee and the guardian at the command line, each refused to whoever is not."""

from pathlib import Path

import pytest

from tests.ledger.conftest import Shell
from tests.world import ADMIN, BUYER, SELLER, STRANGER, World

CLASS = ("--name", "FPGA", "--unit", "one card", "--tick", 2, "--least", 5, "--bond", 900)


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    path = tmp_path / "results.txt"
    path.write_text("what was measured")
    return path


def test_class_rating_and_area_are_set_by_the_committee(shell: Shell, anvil_world: World, evidence: Path) -> None:
    market = anvil_world.market
    shell.sends(ADMIN, "govern", "class", 9, *CLASS)
    assert (market.terms_of(9).name, market.terms_of(9).bond_price_micro) == ("FPGA", 900)
    shell.sends(ADMIN, "govern", "rate", "A card", "--class", "4", "--units", "12.5 units", "--evidence", evidence)
    rating = market.rating("A card", 4)
    assert rating is not None
    assert rating.milli_units == 12_500
    shell.sends(ADMIN, "govern", "area", 60_001, "A hub")
    shell.sends(ADMIN, "govern", "area", 60_002, "A metro", "--hub", 60_001)
    assert market.read("Standard", "hubOf", 60_002) == 60_001


def test_govern_is_refused_to_others(shell: Shell) -> None:
    for words in (("class", 8, *CLASS), ("area", 60_009, "Mine"), ("pause", "orders")):
        refused = shell("govern", *words, who=STRANGER)
        assert refused.code == 1
        assert "does not have the role" in refused.err


def test_pause_stops_new_orders_until_it_is_lifted(shell: Shell, anvil_world: World) -> None:
    product = anvil_world.product().code
    shell.sends(ADMIN, "govern", "pause", "orders")
    refused = shell("bid", "--units", "50 units", "--product", product, "--tick", 300, "--preview", who=BUYER)
    assert refused.code == 1
    assert "paused" in refused.out.lower()
    shell.sends(ADMIN, "govern", "pause", "orders", "--lift")
    shell.sends(BUYER, "bid", "--units", "50 units", "--product", product, "--tick", 300)


def test_approve_sets_what_the_treasury_may_take(shell: Shell, anvil_world: World) -> None:
    before_micro = anvil_world.market.allowance_micro(SELLER.address)
    shell.sends(SELLER, "approve", "7.5")
    assert anvil_world.market.allowance_micro(SELLER.address) == 7_500_000
    anvil_world.market.approve(before_micro).send(SELLER)


def test_transfer_of_what_one_does_not_hold_is_refused(shell: Shell, anvil_world: World) -> None:
    words = ("transfer", anvil_world.product().code, "--units", 5, "--to", SELLER.address)
    refused = shell(*words, who=STRANGER)
    assert refused.code == 1
    assert "InsufficientBalance" in refused.err


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: Shell, name: str) -> None:
    assert "compute-ledger" in shell("completion", name).out
