"""The command line's door, what it looks up, and how it makes a market."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import Product, connect, load_areas, load_deployment, load_standard, local_node
from ledger.cli.main import main
from ledger.view import View
from tests.ledger.conftest import Shell
from tests.world import ADMIN, BUYER, PROVIDER, World


def test_help_names_every_command_and_each_has_its_own(bare_shell: Shell) -> None:
    listed = bare_shell("--help")
    assert listed.code == 0
    for name, command in main.commands.items():
        assert f"  {name} " in listed.out
        assert command.help, name
        assert bare_shell(name, "--help").code == 0


def test_units_reads_what_people_write(bare_shell: Shell) -> None:
    said = bare_shell("units", "8x H100 SXM, 24h", "--json").json
    assert said == {
        "device": "H100 SXM5 80GB",
        "devices": 8,
        "class": "AI_LARGE",
        "units": 8_000,
        "hours": 24,
        "unit_hours": 192_000,
    }
    assert "192,000" in bare_shell("units", "8xH100, 24h").out


def test_mistake_ends_with_a_suggestion_and_code_2(bare_shell: Shell) -> None:
    said = bare_shell("units", "8x H1000")
    assert said.code == 2
    assert said.out == ""
    assert "Did you mean 'H100 SXM5 80GB'" in said.err
    told = bare_shell("units", "8x H1000", "--json")
    assert told.error["type"] == "UnknownName"
    assert bare_shell("units").code == 2
    assert bare_shell("dance").code == 2


def test_standard_and_areas_are_the_packages(bare_shell: Shell) -> None:
    rows = bare_shell("standard", "--json").json
    assert [tuple(row.values()) for row in rows] == load_standard().table()[1:]
    general = bare_shell("standard", "--class", "general", "--json").json
    assert [row["device"] for row in general] == ["vCPU"]
    listed = bare_shell("areas", "--json").json
    assert [row["code"] for row in listed] == [area.code for area in load_areas().all()]
    assert bare_shell("areas", "frankfurt", "--json").json[0]["hub"] == "EU-Central"
    assert "H100 SXM5 80GB" in bare_shell("standard").out


def test_settings_are_listed_and_checked(bare_shell: Shell) -> None:
    rows = bare_shell("settings", "--json").json
    assert {"COMPUTE_LEDGER_RPC_URL", "COMPUTE_LEDGER_KEYSTORE"} <= {row["variable"] for row in rows}
    said = bare_shell("settings", COMPUTE_LEDGER_CHAIN_ID="x")
    assert (said.code, said.out) == (2, "")
    assert "COMPUTE_LEDGER_CHAIN_ID cannot be used" in said.err


def test_options_take_the_place_of_variables(bare_shell: Shell) -> None:
    said = bare_shell("--rpc-url", "http://127.0.0.1:1", "products", COMPUTE_LEDGER_RPC_URL="http://127.0.0.1:2")
    assert said.code == 3
    assert "The node at 127.0.0.1:1 does not answer" in said.err


def test_node_that_is_not_there_ends_with_code_3(bare_shell: Shell) -> None:
    said = bare_shell("products", "--json", COMPUTE_LEDGER_RPC_URL="http://127.0.0.1:1")
    assert said.code == 3
    assert said.error["type"] == "Unreachable"


def test_missing_manifest_says_how_to_make_one(shell: Shell, tmp_path: Path) -> None:
    said = shell("--manifest", tmp_path / "none.json", "products")
    assert said.code == 2
    assert "compute-ledger deploy" in said.err


def test_key_is_made_shown_and_never_overwritten(bare_shell: Shell, tmp_path: Path) -> None:
    path, phrase = tmp_path / "key.json", tmp_path / "pass"
    phrase.write_text("open sesame\n")
    phrase.chmod(0o600)
    made = bare_shell("--passphrase-file", phrase, "key", "new", path, "--json")
    assert made.code == 0, made.err
    shown = bare_shell("--keystore", path, "--passphrase-file", phrase, "key", "show", "--json").json
    assert shown["address"] == made.json["address"]
    again = bare_shell("--passphrase-file", phrase, "key", "new", path)
    assert again.code == 2
    assert "Choose another path" in again.err
    assert bare_shell("key", "show").code == 2


def test_no_option_takes_a_key_itself() -> None:
    """A key in an argument is in everybody's process list and in the shell's history."""
    names = {option for param in main.params for option in param.opts}
    assert {"--keystore", "--key-file", "--mnemonic-file", "--passphrase-file"} <= names
    assert not names & {"--key", "--private-key", "--mnemonic", "--passphrase"}


def test_deploy_makes_a_market_that_the_other_commands_find(bare_shell: Shell, tmp_path: Path) -> None:
    phrase, manifest = tmp_path / "phrase", tmp_path / "market.json"
    phrase.write_text("test test test test test test test test test test test junk")
    phrase.chmod(0o600)
    with local_node() as node:
        options = ("--rpc-url", node.url, "--mnemonic-file", phrase, "--manifest", manifest)
        terms = ("--round", 30, "--lead", 60, "--dispute", "2h", "--auditor", PROVIDER.address)
        made = bare_shell(*options, "deploy", *terms, "--json")
        assert made.code == 0, made.err
        deployment = load_deployment(manifest)
        assert made.json["Exchange"] == deployment.address("Exchange")
        assert (deployment.terms.round_s, deployment.terms.dispute_period_s) == (30, 7_200)
        view = View(connect(node.url), deployment)
        view.check()
        assert view.rating("H100 SXM5 80GB", 1) is not None
        assert view.read("AccessManager", "hasRole", 2, PROVIDER.address)[0]
        assert not view.read("AccessManager", "hasRole", 2, ADMIN.address)[0]
        assert bare_shell(*options, "products", "--json").json == []
        again = bare_shell(*options, "deploy")
        assert again.code == 2
        assert "--force" in again.err
        assert bare_shell(*options, "--chain-id", 1, "products").code == 2


def test_prices_depth_orders_and_products_are_those_of_the_chain(shell: Shell, anvil_world: World) -> None:
    world, product = anvil_world, anvil_world.product()
    site, round_ = world.site(), world.new_round()
    world.market.offer(site, product, 300, tick=390).send(world.provider)
    world.market.bid(product, 200, tick=400).send(world.buyer)
    depth = shell("depth", product.code, "--json").json
    assert [(row["tick"], row["bids"], row["asks"]) for row in depth] == [(400, 200, None), (390, None, 300)]
    listed = shell("orders", product.code, "--waiting", "--json").json
    assert [(row["kind"], row["units"], row["whose"]) for row in listed] == [
        ("OFFER", 300, f"site {site}"),
        ("BID", 200, BUYER.address),
    ]
    assert [row["price"] for row in listed] == ["2.144 USD per H100-hour", "2.304 USD per H100-hour"]
    own = shell("orders", product.code, "--mine", "--json", who=BUYER).json
    assert [(row["kind"], row["whose"]) for row in own] == [("BID", BUYER.address)]
    assert shell("price", product.code, "--round", round_, "--json").json["cleared"] is False
    world.finish(product, round_)
    priced = shell("price", product.code, "--json").json
    assert (priced["round"], priced["cleared"], priced["units"]) == (round_, True, 200)
    assert priced["price"].endswith("USD per H100-hour")
    assert shell("orders", product.code, "--waiting", "--json").json == []
    rows = {row["product"]: row for row in shell("products", "--json").json}
    assert rows[product.code]["units"] == 200
    assert product.code in shell("products").out


def test_command_on_one_site_is_told_to_who_asked_the_list(shell: Shell) -> None:
    said = shell("sites", "record", "1")
    assert (said.code, "`compute-ledger site record 1`" in said.err) == (2, True)


def test_balance_sites_and_leases_are_those_of_the_chain(shell: Shell, anvil_world: World) -> None:
    world = anvil_world
    number, product = world.lease()
    balance = shell("balance", BUYER.address, "--product", product.code, "--json").json
    assert balance["cash_micro"] == world.market.cash_micro(BUYER.address)
    assert balance["wallet_micro"] == world.market.wallet_micro(BUYER.address)
    assert balance[product.code.replace("-", "_")] == 0
    assert shell("balance", "--json", who=BUYER).json["owner"] == BUYER.address
    assert "USD" in shell("balance", who=BUYER).out
    lease = shell("lease", number, "--json").json
    assert (lease["product"], lease["units"], lease["state"]) == (product.code, 100, "ACTIVE")
    assert "100 units" in shell("lease", number).out
    sites = shell("sites", "--json").json
    assert len(sites) == world.market.site_count()
    assert sites[-1]["device"] == "H100 SXM5 80GB"
    unknown = shell("lease", 10_000)
    assert unknown.code == 1
    assert "Leases are numbered from 1" in unknown.err


@pytest.mark.parametrize("text", ["AI_LARGE", "AI_LARGE.METRO.257.STANDARD.2026-01-01.24h.x", ""])
def test_product_that_is_none_is_refused(bare_shell: Shell, text: str) -> None:
    said = bare_shell("price", text)
    assert said.code == 2
    assert "AI_LARGE.HUB.4096.STANDARD" in said.err


def test_installed_command_is_the_same_program() -> None:
    command = Path(sys.executable).parent / "compute-ledger"
    run = subprocess.run([command, "units", "500 units, 1h", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)["units"] == 500
    assert run.stderr == ""


def test_product_codes_of_the_chain_are_read_back(anvil_world: World) -> None:
    product = anvil_world.product()
    assert Product.from_code(product.code) == product
