"""Records and maintenance at the command line, in a real market: what is shown is what the chain says."""

from ledger.units import SECONDS_PER_HOUR
from tests.ledger.conftest import Shell
from tests.world import BUYER, PROVIDER, World


def test_record_shows_what_a_site_delivered(shell: Shell, anvil_world: World) -> None:
    world = anvil_world
    lease, product = world.lease(units=100)
    site = world.market.lease(lease).site
    before = shell("site", "record", site, "--json").json
    assert (before["pending_milli_hours"], before["uptimes"][2]["leased_milli_hours"]) == (100_000, 0)
    assert "no lease in that time" in shell("site", "record", site).out
    world.clock.go_to(product.end_hour * SECONDS_PER_HOUR)
    world.delivery.report(lease, 25_000, b"\x01" * 32).send(world.provider)
    world.delivery.accept(lease).send(world.buyer)
    after = shell("site", "record", site, "--json").json
    assert (after["delivered_milli_hours"], after["failed_milli_hours"]) == (25_000, 75_000)
    standing = world.chain.call_many([world.market.call("Delivery", "standingOf", site)])[0]
    assert (after["derating_bp"], after["grade"]) == standing == (2_500, 1)
    said = shell("site", "record", site).out
    assert "25 % of 8,000 units" in said
    assert "BASIC" in said
    rows = shell("site", "record", "--json").json
    assert [row["derating"] for row in rows if row["site"] == site] == [2_500]
    assert shell("site", "record").code == 0


def test_record_of_a_site_that_is_not_there_says_so(shell: Shell) -> None:
    said = shell("site", "record", 999_999, "--json")
    assert said.code == 2
    assert "No site 999999" in said.error["problem"]


def test_maintenance_is_announced_listed_and_withdrawn(shell: Shell, anvil_world: World) -> None:
    site = anvil_world.site()
    hour = anvil_world.chain.time_s() // SECONDS_PER_HOUR + 10
    words = ("site", "maintenance", "announce", site, "--start", f"hour {hour}", "--for", "4h", "--note", "new fans")
    signed = shell.sends(PROVIDER, *words, "--sign")
    assert (signed["from_hour"], signed["to_hour"], len(signed["signature"])) == (hour, hour + 4, 132)
    assert shell("site", "maintenance", "list", site, "--json").json == [], "it was only signed"
    kept = shell.sends(PROVIDER, *words)
    [listed] = shell("site", "maintenance", "list", "--json").json
    assert listed == kept
    assert "new fans" in shell("site", "maintenance", "list", site).out
    strange = shell("site", "maintenance", "withdraw", kept["digest"], who=BUYER)
    assert strange.code == 2
    shell.sends(PROVIDER, "site", "maintenance", "withdraw", kept["digest"])
    assert shell("site", "maintenance", "list", "--json").json == []


def test_maintenance_of_another_provider_is_refused(shell: Shell, anvil_world: World) -> None:
    words = ("site", "maintenance", "announce", anvil_world.site(), "--start", "hour 900000", "--for", "4h")
    said = shell(*words, "--json", who=BUYER)
    assert said.code == 2
    assert "Sign it with the key of the site's provider." in said.error["remedy"]
    assert shell("site", "maintenance", "withdraw", "0x12", who=PROVIDER).code == 2
    assert shell("site", "maintenance", "withdraw", "fans", who=PROVIDER).code == 2
