"""What runs beside the requests is what the settings name, and ends with them."""

from dataclasses import replace
from pathlib import Path

import pytest

from api.errors import NotReady
from api.services import open_services
from ledger import BadDeployment, Secret, Unreachable
from tests.api.stage import Stage


def test_only_what_is_named_runs(stage: Stage, tmp_path: Path) -> None:
    ledger = replace(stage.settings.ledger, database=Secret(f"sqlite:///{tmp_path / 'own.db'}"))
    services = open_services(replace(stage.settings, ledger=ledger, services=frozenset()))
    services.start()
    assert services.running() == {"feed": True}
    with pytest.raises(NotReady), services.view():
        pass
    services.stop()
    assert services.running() == {"feed": False}
    assert set(stage.services.running()) == {"index", "sender", "feed"}


def test_a_market_that_is_not_there_is_told(stage: Stage, tmp_path: Path) -> None:
    database = Secret(f"sqlite:///{tmp_path / 'own.db'}")
    nowhere = replace(stage.settings.ledger, rpc_url=Secret("http://127.0.0.1:9"), database=database)
    with pytest.raises(Unreachable):
        open_services(replace(stage.settings, ledger=nowhere))
    unknown = replace(stage.settings.ledger, manifest=tmp_path / "none.json", database=database)
    with pytest.raises(BadDeployment):
        open_services(replace(stage.settings, ledger=unknown))


def test_gas_is_given_once(stage: Stage) -> None:
    owner = "0x" + "33" * 20
    number = stage.world.chain.block().number
    stage.services.give_gas(owner)
    assert stage.world.chain.gas_money_wei(owner) == 10**18
    # By a transaction in a block of its own: a balance that the node sets would change a block that is made.
    assert stage.world.chain.block().number == number + 1
    stage.services.give_gas(owner)
    assert stage.world.chain.gas_money_wei(owner) == 10**18


def test_gauges_are_of_now(stage: Stage) -> None:
    stage.catch_up()
    found = stage.services.gauges()
    assert found["history_block"] == stage.world.chain.block().number
    assert found["threads_ended"] == 0
