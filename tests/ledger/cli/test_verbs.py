"""Every command that acts, on a real chain: a market's life from the command line, and each way of not acting."""

import json
from pathlib import Path

import pytest

from ledger import Kind, Product, Tier, cost_micro
from tests.ledger.conftest import Shell
from tests.world import ADMIN, BUYER, PROVIDER, SELLER, STRANGER, TERMS, World


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    path = tmp_path / "evidence.txt"
    path.write_text("what was measured")
    return path


def test_money_goes_in_and_out(shell: Shell, anvil_world: World) -> None:
    cash_micro = anvil_world.market.cash_micro(SELLER.address)
    assert shell.sends(SELLER, "faucet", "12.50 USD")["gas"] > 0
    shell.sends(SELLER, "deposit", "12.50")
    assert anvil_world.market.cash_micro(SELLER.address) == cash_micro + 12_500_000
    shell.sends(SELLER, "withdraw", "$12.50", "--to", BUYER.address)
    assert anvil_world.market.cash_micro(SELLER.address) == cash_micro
    assert "free cash" in shell("deposit", "1", who=SELLER).out


def test_site_is_registered_and_attested(shell: Shell, anvil_world: World, evidence: Path) -> None:
    made = shell.sends(PROVIDER, "site", "register", "8x H100 SXM", "--in", "N. Virginia", "--uri", "https://x.example")
    assert (made["device"], made["rated_units"]) == ("H100 SXM5 80GB", 8_000)
    words = ("site", "attest", made["site"], "--units", "7900 units", "--grade", "premium", "--evidence", evidence)
    refused = shell(*words, who=STRANGER)
    assert refused.code == 1
    assert "does not have the role" in refused.err
    shell.sends(ADMIN, *words, "--days", 30)
    assert anvil_world.market.site(made["site"]).attested_units == 7_900
    units = shell("site", "register", "500 units", "--in", "N. Virginia", who=PROVIDER)
    assert units.code == 2
    assert "8x H100 SXM" in units.err


def test_life_of_a_market_from_the_command_line(shell: Shell, anvil_world: World, evidence: Path) -> None:
    world = anvil_world
    site, product = world.site(), world.product()
    start = product.code.split(".")[4]
    spoken = ("--in", "N. Virginia", "--start", start, "--for", "24h")
    round_ = world.new_round()
    offered = shell.sends(
        PROVIDER, "offer", "--site", site, "--units", "1x H100", *spoken, "--price", "2 USD/H100-hour"
    )
    assert offered["product"] == product.code
    shell.sends(BUYER, "bid", "--units", "1xH100, 24h", "--product", product.code, "--price", "0.0025")
    [bid] = [order for order in world.market.orders(product, round_) if order.kind is Kind.BID]
    assert bid.units == 1_000
    assert world.market.price_micro(product, bid.tick) <= 2_500

    signed = shell.sends(SELLER, "sign", "--units", "200 units", "--product", product.code, "--tick", 500)
    path = evidence.with_name("order.json")
    path.write_text(json.dumps(signed))
    relayed = shell.sends(STRANGER, "relay", path, path)
    assert len(relayed["slots"]) == 1
    assert "IndexUsed" in relayed["passed_over"][0]

    world.clock.go_to(world.market.round_end_s(round_))
    cleared = shell.sends(STRANGER, "clear", product.code)
    assert (cleared["round"], cleared["units"]) == (round_, 1_000)
    settled = shell.sends(STRANGER, "settle", product.code, "--round", round_)
    assert settled["orders"] == 3
    again = shell("settle", product.code, "--round", round_, who=STRANGER)
    assert again.code == 2

    held = world.market.units(BUYER.address, product)
    words = (product.code, "--site", site, "--units", held)
    lease = shell.sends(BUYER, "redeem", *words, "--job", evidence)["lease"]
    world.clock.go_to(product.end_s)
    shell.sends(PROVIDER, "report", lease, "--delivered", "99.5 %", "--readings", evidence)
    assert world.market.lease(lease).delivered_milli == held * 995
    ended = shell.sends(BUYER, "accept", lease)
    assert ended["reason"] == "ACCEPTED"
    assert ended["to_the_holder"] == "0.00 USD"


def test_preview_of_a_bid_says_where_nobody_offers(shell: Shell, anvil_world: World) -> None:
    site, product = anvil_world.site(), anvil_world.product()
    anvil_world.new_round()
    words = ("bid", "--units", "200 units, 24h", "--product", product.code, "--tick", 500, "--preview")
    assert f"Nobody offers {product.code}" in shell(*words, who=BUYER).err
    anvil_world.market.offer(site, product, 200, tick=400).send(PROVIDER)
    assert "Nobody offers" not in shell(*words, who=BUYER).err


def test_dispute_and_ruling_from_the_command_line(shell: Shell, anvil_world: World, evidence: Path) -> None:
    world = anvil_world
    lease, product = world.lease()
    world.clock.go_to(product.end_s)
    shell.sends(PROVIDER, "report", lease, "--delivered", "100 units")
    shell.sends(BUYER, "dispute", lease, "--evidence", evidence)
    words = ("rule", lease, "--delivered", "50 units", "--reason", evidence, "--uri", "https://example.org/1")
    assert shell.sends(ADMIN, *words)["reason"] == "RULED"


def test_abort_resolve_and_expire_from_the_command_line(shell: Shell, anvil_world: World) -> None:
    world = anvil_world
    aborted, _ = world.lease()
    assert shell.sends(PROVIDER, "abort", aborted, "--delivered", "0 units")["reason"] == "ABORTED"
    unreported, product = world.lease(hours=1)
    early = shell("resolve", unreported, who=STRANGER)
    assert early.code == 1
    assert "Try again after" in early.err
    world.clock.go_to(product.end_s + TERMS.report_period_s + 1)
    assert shell.sends(STRANGER, "resolve", unreported)["reason"] == "UNREPORTED"
    site, unredeemed = world.site(), world.product(hours=1)
    world.sell(site, unredeemed, 100)
    world.clock.go_to(unredeemed.end_s + TERMS.grace_s + 1)
    assert shell.sends(STRANGER, "expire", unredeemed.code, "--site", site)["to_the_provider"].endswith("USD")


def test_units_are_minted_split_merged_relaxed_and_retired(shell: Shell, anvil_world: World) -> None:
    world = anvil_world
    site, product = world.site(), world.product(hours=2)
    words = (product.code, "--site", site, "--units", 50)
    for verb in ("mint", "split", "merge", "retire", "mint"):
        shell.sends(PROVIDER, verb, *words)
    relaxed = shell.sends(PROVIDER, "relax", *words, "--to", "wide")["product"]
    assert world.market.units(PROVIDER.address, Product.from_code(relaxed)) == 50
    assert Product.from_code(relaxed).tier is Tier.WIDE


def test_ask_resells_what_one_holds(shell: Shell, anvil_world: World) -> None:
    world = anvil_world
    site, product = world.site(), world.product()
    world.sell(site, product, 100)
    world.new_round()
    shell.sends(BUYER, "ask", "--units", "60 units", "--product", product.code, "--price", "0.003")
    assert world.market.units(BUYER.address, product) == 40
    more = shell("ask", "--units", "60 units", "--product", product.code, "--price", "0.003", "--json", who=BUYER)
    assert more.code == 1
    assert more.error["type"] == "ERC1155InsufficientBalance"
    assert more.error["values"]["balance"] == 40


def test_preview_shows_costs_or_the_refusal_and_sends_nothing(shell: Shell, anvil_world: World) -> None:
    world = anvil_world
    product = world.product()
    nonce = world.chain.nonce(BUYER.address)
    words = ("bid", "--product", product.code, "--tick", 400, "--preview", "--json", "--units")
    good = shell(*words, "100 units", who=BUYER)
    assert good.code == 0
    assert good.json["escrow_micro"] == cost_micro(100, 24, world.market.price_micro(product, 400))
    bad = shell(*words, "1 unit", who=BUYER)
    assert bad.code == 1
    assert "TooFewUnits" in bad.json["refused"]
    assert bad.json["what_to_do"] == "Order at least 10 units."
    poor = shell(*words, "100 units", "--as", STRANGER.address)
    assert "InsufficientCash" in poor.json["refused"]
    assert world.chain.nonce(BUYER.address) == nonce
    assert "nothing was sent" in shell(*words[:-2], "--units", "100 units", who=BUYER).out


def test_build_gives_a_wallet_its_transaction(shell: Shell, anvil_world: World) -> None:
    built = shell("withdraw", "1", "--build", "--as", BUYER.address).json
    assert built["from"] == BUYER.address
    assert built["to"] == anvil_world.market.address("Treasury")
    assert int(built["nonce"], 16) == anvil_world.chain.nonce(BUYER.address)


def test_revoke_moves_the_epoch(shell: Shell, anvil_world: World) -> None:
    epoch = anvil_world.market.account(STRANGER.address).epoch
    shell.sends(STRANGER, "revoke")
    assert anvil_world.market.account(STRANGER.address).epoch == epoch + 1


def test_deposit_previewed_approves_nothing(shell: Shell, anvil_world: World) -> None:
    allowance_micro = anvil_world.market.allowance_micro(STRANGER.address)
    said = shell("deposit", "5", "--preview", "--json", who=STRANGER)
    assert said.code == 1
    assert "InsufficientAllowance" in said.json["refused"]
    assert anvil_world.market.allowance_micro(STRANGER.address) == allowance_micro


def test_acting_without_a_key_says_how_to_name_one(shell: Shell) -> None:
    said = shell("withdraw", "1")
    assert said.code == 2
    assert "COMPUTE_LEDGER_KEYSTORE" in said.err


def test_file_that_is_no_order_is_refused(shell: Shell, evidence: Path) -> None:
    said = shell("relay", evidence, who=STRANGER)
    assert said.code == 2
    assert "what `compute-ledger sign` prints" in said.err
