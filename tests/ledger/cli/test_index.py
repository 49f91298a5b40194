"""`compute-ledger index`, as a person and a machine call it."""

from pathlib import Path

from ledger.settings import Secret
from ledger.store import queries
from ledger.store.engine import open_store
from tests.ledger.conftest import Shell
from tests.world import World


def test_index_reads_the_history_and_goes_on(shell: Shell, anvil_world: World, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    first = shell("index", "--json", COMPUTE_LEDGER_DATABASE=url)
    assert first.code == 0, first.err
    assert first.json["block"] == anvil_world.chain.block().number
    assert first.json["events"] == first.json["new_events"] > 100
    site = anvil_world.site()
    again = shell("index", "--json", COMPUTE_LEDGER_DATABASE=url)
    assert again.json["new_events"] == again.json["events"] - first.json["events"] == 2
    store = open_store(Secret(url))
    assert [one.site for one in queries.sites(store)][-1] == site
    store.close()
    rebuilt = shell("index", "--rebuild", "--json", COMPUTE_LEDGER_DATABASE=url)
    assert rebuilt.json["new_events"] == again.json["events"]
    assert "events a second" in shell("index", COMPUTE_LEDGER_DATABASE=url).out


def test_index_says_what_is_wrong_with_the_database(shell: Shell) -> None:
    said = shell("index", "--json", COMPUTE_LEDGER_DATABASE="mysql://there/ledger")
    assert said.code == 2
    assert said.error["type"] == "BadStore"
