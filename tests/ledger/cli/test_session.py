"""How things are said on the command line: products in parts, amounts with their unit, limits by price or tick."""

from pathlib import Path

import pytest

from ledger import Grade, Kind, Product, Tier, class_id_of
from ledger.cli.session import ADDRESS, Written
from ledger.units import format_hour
from tests.ledger.conftest import Shell
from tests.world import BUYER, World

START = "2026-12-24 18:00"


def bid_for(shell: Shell, *words: str) -> tuple[int, str]:
    """Exit code and all that a bid's preview says."""
    said = shell("bid", *words, "--preview", "--as", BUYER.address, "--json")
    return said.code, said.out + said.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--units", "2xH100, 24h", "--in", "N. Virginia"), "AI_LARGE.METRO.257.STANDARD.{start}.24h"),
        (("--units", "2xH100", "--for", "3 days", "--in", "257"), "AI_LARGE.METRO.257.STANDARD.{start}.72h"),
        (("--units", "2xH100, 1h", "--in", "US-East", "--grade", "basic"), "AI_LARGE.HUB.256.BASIC.{start}.1h"),
        (("--units", "2xH100, 1h", "--in", "257", "--tier", "hub"), "AI_LARGE.HUB.256.STANDARD.{start}.1h"),
        (("--units", "2xH100, 1h", "--in", "257", "--tier", "wide"), "AI_LARGE.WIDE.0.STANDARD.{start}.1h"),
        (("--units", "8 units, 1h", "--class", "general"), "GENERAL.WIDE.0.STANDARD.{start}.1h"),
        (("--units", "1x L40S, 1h", "--grade", "premium"), "AI_SMALL.WIDE.0.PREMIUM.{start}.1h"),
    ],
)
def test_product_is_what_its_parts_say(shell: Shell, anvil_world: World, words: tuple[str, ...], code: str) -> None:
    start = anvil_world.product().start_hour
    expected = code.format(start=format_hour(start).removesuffix(":00 UTC").replace(" ", "T"))
    exit_code, said = bid_for(shell, *words, "--start", format_hour(start), "--tick", "400")
    assert exit_code == 0, said
    assert f" of {expected} at tick 400" in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--units", "2xH100"), "does not say of what product"),
        (("--units", "2xH100", "--start", START, "--in", "Frankfort"), "Did you mean 'Frankfurt'"),
        (("--units", "2xH100", "--start", "soon"), "Cannot read 'soon' as an hour"),
        (("--units", "2xH100", "--start", START, "--for", "long"), "as a length of time"),
        (("--units", "2xH100, 2h", "--start", START, "--for", "24h"), "Say the length once"),
        (("--units", "2xH100", "--start", START, "--grade", "best"), "no grade called 'best'"),
        (("--units", "2xH100", "--start", START, "--tier", "near"), "no tier called 'near'"),
        (("--units", "2xH100", "--start", START, "--class", "huge"), "no class called 'huge'"),
        (("--units", "2xT4", "--start", START, "--class", "ai_large"), "is not rated in AI_LARGE"),
        (("--units", "two", "--start", START, "--tick", "1"), "no device called 'two'"),
        (("--units", "8,000", "--start", START), "names no limit. Say --price"),
        (("--units", "8000", "--start", START, "--tick", "1", "--price", "2 USD/H100-hour"), "names two limits"),
    ],
)
def test_what_cannot_be_understood_is_told(shell: Shell, words: tuple[str, ...], complaint: str) -> None:
    exit_code, said = bid_for(shell, *words)
    assert exit_code == 2
    assert complaint in " ".join(said.split()).replace('", "remedy": "', " ")


def test_limit_is_a_price_or_a_tick(shell: Shell, anvil_world: World) -> None:
    product = anvil_world.product()
    words = ("--units", "1xH100, 24h", "--product", product.code)
    assert bid_for(shell, *words)[0] == 2
    assert bid_for(shell, *words, "--price", "0.0025", "--tick", "3")[0] == 2
    for price in ("0.0025", "2.50 USD/H100-hour", "2.5 USD/h"):
        exit_code, said = bid_for(shell, *words, "--price", price)
        assert exit_code == 0, said
        assert f"at tick {anvil_world.market.limit_tick(product, Kind.BID, price_micro=2_500)}" in said
    exit_code, said = bid_for(shell, *words, "--price", "1 USD/toaster-hour")
    assert exit_code == 2
    exit_code, said = bid_for(shell, *words, "--price", "1000000")
    assert exit_code == 0
    assert "at tick 1023" in said


def test_written_value_is_read_by_its_parser() -> None:
    written = Written("class", class_id_of)
    assert written.convert("hpc", None, None) == 3
    assert written.convert(3, None, None) == 3
    assert ADDRESS.convert(BUYER.address.lower(), None, None) == BUYER.address


def test_address_that_is_none_is_told(bare_shell: Shell) -> None:
    said = bare_shell("balance", "0x1234")
    assert said.code == 2
    assert "it is no address" in said.err


def test_amount_below_zero_is_told_as_one(bare_shell: Shell) -> None:
    said = bare_shell("deposit", "-5")
    assert (said.code, "-5 is below zero" in said.err) == (2, True)
    assert bare_shell("deposit", "--5").code == 2


def test_keystore_that_is_not_there_is_told_before_a_passphrase_is_asked_for(bare_shell: Shell, tmp_path: Path) -> None:
    said = bare_shell("--keystore", tmp_path / "none.json", "key", "show")
    assert (said.code, "there is no such file" in said.err) == (2, True)


def test_passphrase_is_not_asked_for_where_nobody_sits(bare_shell: Shell, tmp_path: Path) -> None:
    keystore = tmp_path / "key.json"
    keystore.touch()
    said = bare_shell("--keystore", keystore, "key", "show")
    assert said.code == 2
    assert "COMPUTE_LEDGER_PASSPHRASE_FILE" in said.err


def test_product_of_a_code_is_taken_as_it_is(shell: Shell, anvil_world: World) -> None:
    product = Product(1, Tier.WIDE, 0, Grade.BASIC, anvil_world.product().start_hour, 5)
    exit_code, said = bid_for(shell, "--units", "100 units", "--product", product.code, "--tick", "400")
    assert exit_code == 0, said
    assert product.code in said
