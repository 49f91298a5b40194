"""`compute-ledger keeper` and `queue`, as an operator and an owner use them."""

import json
from pathlib import Path

import pytest

from ledger.model import Kind
from ledger.orders import OrderTerms
from tests.ledger.conftest import Said, Shell
from tests.world import World


@pytest.fixture
def kept_shell(shell: Shell, tmp_path: Path) -> Shell:
    """With a database of its own."""
    return Shell({**shell.environment, "COMPUTE_LEDGER_DATABASE": f"sqlite:///{tmp_path / 'ledger.db'}"})


def signed(world: World, folder: Path, count: int) -> Path:
    """A file with signed bids for the current round."""
    product, round_ = world.product(), world.market.current_round()
    orders = [OrderTerms(world.buyer.address, Kind.BID, product, 400, 10, round_, index) for index in range(count)]
    path = folder / "orders.json"
    path.write_text(json.dumps([world.market.signed(terms, world.buyer).json() for terms in orders]))
    return path


def lines(said: Said) -> list[dict[str, object]]:
    assert said.code == 0, said.err
    return [json.loads(line) for line in said.out.splitlines()]


def test_keeper_relays_what_was_queued_and_settles_it(kept_shell: Shell, anvil_world: World, tmp_path: Path) -> None:
    world = anvil_world
    round_ = world.new_round()
    path = signed(world, tmp_path, 3)
    queued = kept_shell("queue", path, "--json").json
    assert [(one["stage"], one["units"]) for one in queued] == [("queued", 10)] * 3
    first, *_, last = lines(kept_shell("keeper", "--once", "--keys", 2, "--json", who=world.admin))
    assert first["done"]["relay"] == 3  # type: ignore[index]
    assert last["total"]["wasted"] == 0  # type: ignore[index]
    assert float(str(last["heartbeat_age_s"])) < 60
    shown = kept_shell("queue", "--json").json
    assert [(one["stage"], one["slot"]) for one in shown] == [("placed", slot) for slot in (2, 1, 0)]
    world.clock.go_to(world.market.round_end_s(round_))
    said = kept_shell("keeper", "--once", who=world.stranger)
    assert said.code == 0, said.err
    assert "3 settle" in said.out.splitlines()[-1]
    assert "Done: " in said.out


def test_keeper_says_what_it_lacks(kept_shell: Shell, anvil_world: World, tmp_path: Path) -> None:
    assert "no key is named" in kept_shell("keeper", "--once").err
    key = tmp_path / "key"
    key.write_text("0x" + "11" * 32)
    key.chmod(0o600)
    said = kept_shell(
        "keeper", "--once", "--keys", 2, COMPUTE_LEDGER_KEY_FILE=str(key), COMPUTE_LEDGER_MNEMONIC_FILE=""
    )
    assert (said.code, "one key here, not 2" in said.err) == (2, True)


def test_queue_refuses_what_nobody_signed(kept_shell: Shell, anvil_world: World, tmp_path: Path) -> None:
    anvil_world.new_round()
    path = signed(anvil_world, tmp_path, 1)
    forged = json.loads(path.read_text())
    forged[0]["order"]["units"] = 11
    path.write_text(json.dumps(forged))
    assert kept_shell("queue", path, "--json").error["type"] == "Exchange_BadSignature"
    path.write_text("[{}]")
    assert kept_shell("queue", path).code == 2
    path.write_text("not JSON")
    assert "signed orders" in kept_shell("queue", path).err
    assert kept_shell("queue", "--json").json == []
