"""The page on a real market: buyers with an API key, with a wallet and with a throw-away key, a provider, an auditor.

The chain is anvil, its time is set by the tests; the API runs with its index, sender and keeper."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import pytest
from eth_utils.address import to_checksum_address
from playwright.sync_api import Browser, Page, expect

from ledger import Grade, Product, Signer
from tests.api.stage import Stage, staged
from tests.web.conftest import WAIT_MS, wait_until
from tests.web.wallet import IN_PAGE, Wallet
from tests.world import BUYER, PROVIDER, STRANGER, world_on

pytestmark = pytest.mark.slow

SETTLED_IN_S = 120
AUDITED_IN_MS = 180_000


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A market of these tests' own, kept by the API itself."""
    services = frozenset({"index", "sender", "keeper"})
    with world_on("anvil") as world, staged(world, tmp_path_factory.mktemp("web"), services=services) as stage:
        # Time passes in blocks, a second each, and not meanwhile: no round ends because a machine is slow.
        world.chain.request("anvil_setBlockTimestampInterval", 1)
        yield stage


@contextmanager
def opened(browser: Browser, market: Stage, wallet: Wallet | None = None) -> Iterator[Page]:
    """A page of somebody who was never here, with a wallet in the browser where one is named."""
    context = browser.new_context(base_url=str(market.client.base_url), viewport={"width": 1320, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
    page.set_default_timeout(WAIT_MS)
    if wallet:
        page.expose_function("walletAsked", wallet.asked)
        page.add_init_script(IN_PAGE)
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def wallet_of(market: Stage, signer: Signer, batches: list[int] | None = None) -> Wallet:
    return Wallet(signer, market.world.url, batches)


def offered(market: Stage, units: int = 500) -> str:
    """The code of a product, new to everyone, of which a site offers units in the round that begins."""
    world = market.world
    site, product = world.site(), world.product(24, Grade.STANDARD)
    world.new_round()
    world.market.offer(site, product, units, tick=400).send(world.provider)
    market.catch_up()
    return product.code


def end_round(market: Stage, code: str) -> None:
    """Lets the product's round end, and time pass in blocks until the keeper has cleared and settled it."""
    world, product = market.world, Product.from_code(code)
    round_ = world.market.current_round()
    world.new_round()
    deadline_s = monotonic() + SETTLED_IN_S
    while world.market.orders(product, round_, waiting=True):
        assert monotonic() < deadline_s, f"the keeper does not settle round {round_} of {code}"
        sleep(0.5)
        world.clock.go_to(world.chain.time_s() + 1)
    market.catch_up()


def connect_wallet(page: Page) -> None:
    page.click("#account")
    page.click("text=Test Wallet")
    expect(page.locator("#account .kind.wallet")).to_be_visible()


def buy(page: Page, code: str, units: int, price: str, gasless: bool = False) -> None:
    page.goto(f"/#/product/{code}?units={units}")
    expect(page.locator(".ticket .field:nth-child(1) input")).to_have_value(str(units))
    page.fill(".ticket .field:nth-child(2) input", price)
    if gasless:
        page.check("text=Sign it without gas")
    expect(page.locator(".ticket button.primary")).to_contain_text(f"{units} units for at most")
    page.click(".ticket button.primary")


def assert_holds(page: Page, market: Stage, code: str, units: int) -> None:
    """The portfolio shows the units once the round was cleared and settled by the keeper."""
    end_round(market, code)
    page.goto("/#/portfolio")
    held = page.get_by_role("region", name="Units").locator("tr", has_text=f"{units} units")
    expect(held.first).to_be_visible()


def test_buyer_with_an_api_key_buys_uses_and_sees_it(browser: Browser, market: Stage) -> None:
    code = offered(market)
    with opened(browser, market) as page:
        buy(page, code, 300, "2.50")
        page.click("text=Account without a wallet")
        expect(page.locator(".notice.good", has_text="Buy 300 units")).to_be_visible()
        assert_holds(page, market, code, 300)
        page.click("td >> text=Use")
        page.fill("dialog input[type=text]", "train.py")
        page.click("text=Make it a lease")
        expect(page.locator(".leasecard")).to_contain_text("300 units")
        statement = page.locator("section", has_text="Statement")
        expect(statement).to_contain_text("escrow of a bid")
        with page.expect_download() as download:
            page.click("text=CSV")
        assert "escrow of a bid" in download.value.path().read_text()


def test_buyer_with_a_wallet_is_led_to_the_chain_approves_and_buys(browser: Browser, market: Stage) -> None:
    code = offered(market)
    with opened(browser, market, wallet_of(market, BUYER)) as page:
        page.goto("/")
        connect_wallet(page)
        buy(page, code, 200, "2.50")
        expect(page.locator(".notice.good", has_text="Buy 200 units")).to_be_visible()
        assert_holds(page, market, code, 200)


def test_wallet_without_cash_gets_money_and_does_approval_and_order_at_once(browser: Browser, market: Stage) -> None:
    code, batches = offered(market), list[int]()
    with opened(browser, market, wallet_of(market, STRANGER, batches)) as page:
        page.goto("/")
        connect_wallet(page)
        page.click("#account")
        page.click("dialog >> text=Get 100,000 test USD")
        expect(page.locator(".notice.good", has_text="test USD")).to_be_visible()
        page.keyboard.press("Escape")
        buy(page, code, 250, "2.50")
        expect(page.locator(".notice.good", has_text="Buy 250 units")).to_be_visible()
        assert batches == [2]
        assert_holds(page, market, code, 250)


def test_wallet_signs_an_order_without_gas(browser: Browser, market: Stage) -> None:
    code = offered(market)
    sent = market.world.chain.request("eth_getTransactionCount", BUYER.address, "latest")
    with opened(browser, market, wallet_of(market, BUYER)) as page:
        page.goto("/")
        connect_wallet(page)
        buy(page, code, 150, "2.50", gasless=True)
        expect(page.locator(".notice.good", has_text="Buy 150 units")).to_be_visible()
        assert market.world.chain.request("eth_getTransactionCount", BUYER.address, "latest") == sent
        assert_holds(page, market, code, 150)


def test_throw_away_key_does_the_same(browser: Browser, market: Stage) -> None:
    code = offered(market)
    with opened(browser, market) as page:
        buy(page, code, 100, "2.50")
        page.click("text=Throw-away key in this browser")
        expect(page.locator(".notice.good", has_text="Buy 100 units")).to_be_visible()
        # The wallet of the key pays for the next one too: nothing refuses it.
        expect(page.locator(".ticket .chance, .ticket .cost").first).to_be_visible()
        expect(page.locator(".ticket .problem")).to_have_count(0)
        assert_holds(page, market, code, 100)


def test_declined_signature_is_said_and_changes_nothing(browser: Browser, market: Stage) -> None:
    code, wallet = offered(market), wallet_of(market, BUYER)
    with opened(browser, market, wallet) as page:
        page.goto("/")
        connect_wallet(page)
        wallet.refuses.add("eth_sendTransaction")
        buy(page, code, 40, "2.50")
        expect(page.locator(".notice.bad")).to_contain_text("You declined this in your wallet.")
        wallet.refuses.clear()
        page.click(".ticket button.primary")
        expect(page.locator(".notice.good", has_text="Buy 40 units")).to_be_visible()


def test_order_that_did_not_trade_says_why_and_how_to_go_on(browser: Browser, market: Stage) -> None:
    code = offered(market)
    with opened(browser, market, wallet_of(market, BUYER)) as page:
        page.goto("/")
        connect_wallet(page)
        buy(page, code, 60, "2.00")
        expect(page.locator(".notice.good", has_text="Buy 60 units")).to_be_visible()
        end_round(market, code)
        page.goto("/#/portfolio")
        row = page.get_by_role("region", name="Orders").locator("tbody tr").first
        expect(row).to_contain_text("nothing traded, all came back")
        expect(row).to_contain_text("Nobody met it in that round.")
        row.locator("text=Try again").click()
        expect(page.locator(".ticket .field:nth-child(1) input")).to_have_value("60")


def test_order_is_asked_again_until_it_is_bought(browser: Browser, market: Stage) -> None:
    world = market.world
    code = offered(market)
    with opened(browser, market) as page:
        buy(page, code, 70, "2.50")
        page.click("text=Account without a wallet")
        expect(page.locator(".notice.busy", has_text="70 units wanted, round 1")).to_be_visible()
        site, product = world.site(), Product.from_code(code)
        # The first offer goes to somebody who bids more.
        world.market.bid(product, 500, tick=500).send(world.seller)
        end_round(market, code)
        expect(page.locator(".notice.busy", has_text="70 units wanted, round 2")).to_be_visible()
        # That round cleared above the limit: the note and the form, which nobody touched, say so.
        expect(page.locator(".notice.busy", has_text="below the last price")).to_be_visible()
        expect(page.locator(".ticket .chance")).to_contain_text("below the last price")
        world.market.offer(site, product, 100, tick=400).send(world.provider)
        end_round(market, code)
        expect(page.locator(".notice.good", has_text="70 units bought")).to_be_visible()


def test_order_that_cannot_be_says_what_to_do(browser: Browser, market: Stage) -> None:
    code = offered(market)
    with opened(browser, market, wallet_of(market, BUYER)) as page:
        page.goto("/")
        connect_wallet(page)
        buy(page, code, 3, "2.50")
        problem = page.locator(".ticket .problem")
        expect(problem).to_contain_text("units")
        assert problem.locator("p").inner_text()


def test_provider_registers_is_attested_and_offers_a_day(browser: Browser, market: Stage) -> None:
    world = market.world
    before = world.market.site_count()
    with opened(browser, market, wallet_of(market, PROVIDER)) as page:
        page.goto("/#/provider")
        connect_wallet(page)
        page.locator("input[list=devices]").fill("H100 SXM5 80GB")
        expect(page.locator("main")).to_contain_text("Worth up to 8,000 units")
        page.click("button >> text=Register the site")
        site = before + 1
        card = page.locator("section.card", has=page.locator(f"h2:has-text('Site {site}:')"))
        expect(card).to_contain_text("waits for an auditor")
        world.market.attest(site, 8_000, Grade.STANDARD, b"\x01" * 32, world.chain.time_s() + 90 * 86_400).send(
            world.admin
        )
        market.catch_up()
        page.reload()
        expect(card).to_contain_text("8,000 units")
        form = card.locator(".ticket")
        form.locator("input").nth(0).fill("4000")
        form.locator("input").nth(1).fill("2.10")
        expect(form.locator("button.primary")).to_have_text("Offer 4,000 units")
        form.locator("button.primary").click()
        expect(page.locator(".notice.good", has_text="Offer 4,000 units")).to_be_visible()
        market.catch_up()
        page.reload()
        expect(card.locator(".heat rect.level3").first).to_be_visible()


def reported(market: Stage, units: int) -> int:
    """A lease of the buyer's whose provider reports the half of it."""
    world, product = market.world, market.world.product(1)
    site = world.site()
    round_ = world.new_round()
    world.market.offer(site, product, units, tick=400).send(world.provider)
    world.market.bid(product, units, tick=400).send(world.buyer)
    world.finish(product, round_)
    lease = world.delivery.redeem(product, site, units, b"job").send(world.buyer).value
    world.clock.go_to(product.start_s + 1)
    world.delivery.report(lease, units * 500, b"\x02" * 32).send(world.provider)
    market.catch_up()
    return lease


def test_wallet_disputes_a_report_after_it_was_locked(browser: Browser, market: Stage) -> None:
    lease, wallet = reported(market, 100), wallet_of(market, BUYER)
    with opened(browser, market, wallet) as page:
        page.goto("/")
        connect_wallet(page)
        page.goto("/#/portfolio")
        card = page.locator(f".leasecard[data-key='{lease}']")
        card.locator("summary").click()
        card.locator("input").fill("It stopped half way.")
        wallet.refuses.add("eth_sendTransaction")
        card.locator("button >> text=Dispute").click()
        expect(page.locator(".notice.bad")).to_contain_text("You declined this in your wallet.")
        wallet.refuses.clear()
        card.locator("button >> text=Dispute").click()
        expect(card.locator(".badge")).to_have_text("disputed")


def test_throw_away_key_and_account_kept_here_answer_reports(browser: Browser, market: Stage) -> None:
    for kind in ("Throw-away key in this browser", "Account without a wallet"):
        code = offered(market, 80)
        with opened(browser, market) as page:
            buy(page, code, 80, "2.50")
            page.click(f"text={kind}")
            expect(page.locator(".notice.good", has_text="Buy 80 units")).to_be_visible()
            assert_holds(page, market, code, 80)
            page.click("td >> text=Use")
            page.click("text=Make it a lease")
            card = page.locator(".leasecard")
            expect(card).to_contain_text("80 units")
            product = Product.from_code(code)
            market.world.clock.go_to(product.start_s + 1)
            lease = int(card.get_attribute("data-key") or "")
            market.world.delivery.report(lease, 80_000, b"\x02" * 32).send(market.world.provider)
            market.catch_up()
            card.locator("button >> text=Accept").click()
            expect(card.locator(".badge")).to_have_text("ended")


def test_provider_reports_with_its_wallet(browser: Browser, market: Stage) -> None:
    world = market.world
    lease, product = world.lease()
    world.clock.go_to(product.start_s + 1)
    market.catch_up()
    with opened(browser, market, wallet_of(market, PROVIDER)) as page:
        page.goto("/#/provider")
        connect_wallet(page)
        card = page.locator(f".leasecard[data-key='{lease}']")
        card.locator("input").fill("50")
        card.locator("button >> text=Report").click()
        expect(page.locator(f".leasecard[data-key='{lease}'] .badge")).to_have_text("reported")


def test_auditor_recomputes_a_clearing_and_runs_an_audit(browser: Browser, market: Stage) -> None:
    # An order in the last block, and then an account that gets gas: a faucet must not spoil what an audit proves.
    offered(market)
    market.services.give_gas(to_checksum_address("0x" + "c0ffee".zfill(40)))
    with opened(browser, market) as page:
        page.goto(f"/#/audit/{market.sold.code}/{market.round}")
        expect(page.locator(".verdict.good")).to_contain_text("Your browser agrees with the chain")
        page.click("button.copy >> nth=0")
        wait_until(page, "navigator.clipboard.readText().then((text) => text.includes('\"agrees\": true'))")
        page.click("text=Run an audit")
        expect(page.locator(".verdict", has_text="Clean")).to_be_visible(timeout=AUDITED_IN_MS)
        page.locator("form", has_text="Address").locator("input").fill(BUYER.address)
        page.click("button >> text=Show")
        expect(page.locator("section", has_text="Lines of an account")).to_contain_text("deposit")
