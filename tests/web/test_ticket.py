"""The order form on a market on paper: what it shows stays what is; it refuses nothing that the buy itself mends."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.paper import BLOCK, ME, NOW_S, Paper
from tests.web.stall import Stall
from tests.web.test_page import page_of

LOCAL = json.dumps({"kind": "local", "address": ME, "secret": "0x" + "01" * 32})
CASH = {
    "contract_error": "Treasury_InsufficientCash",
    "detail": "Treasury refused: InsufficientCash.",
    "remedy": "Deposit or approve more.",
}


@pytest.fixture
def page(browser: Browser, stall: Stall) -> Iterator[Page]:
    stall.paper.sent.clear()
    with page_of(browser, stall) as page:
        yield page
        page.unroute_all(behavior="ignoreErrors")


def previews(page: Page, change: dict[str, Any]) -> None:
    """Previews answer with what `change` says, as it is when they are asked."""

    def answer(route: Any) -> None:
        found = route.fetch()
        body = found.json()
        body["data"] |= change
        route.fulfill(response=found, json=body)

    page.route("**/orders/preview", answer)


def wallet(page: Page, paper: Paper, held: dict[str, str]) -> None:
    """The account has the money that `held` says when it is asked."""
    page.route(f"**/accounts/{ME}", lambda route: route.fulfill(json={"data": paper.account(ME) | held}))


def blocks(page: Page, accounts: list[str]) -> None:
    """A block that is about these accounts is told again and again."""
    block = {"block": BLOCK, "block_hash": "0x", "time_s": NOW_S, "products": [], "accounts": accounts}
    text = f"retry: 1000\nevent: block\ndata: {json.dumps(block)}\n\n"
    page.route("**/stream", lambda route: route.fulfill(body=text, content_type="text/event-stream"))


def test_lack_of_cash_that_the_buy_mends_is_not_shown_and_one_that_it_cannot_is(page: Page, stall: Stall) -> None:
    held = {"cash_micro": "0", "wallet_micro": "0"}
    previews(page, {"refusal": CASH})
    wallet(page, stall.paper, held)
    blocks(page, [ME])
    page.add_init_script(f"localStorage.identity = {json.dumps(LOCAL)}")
    page.goto("/")
    expect(page.locator(".ticket .problem")).to_contain_text("InsufficientCash")
    held["wallet_micro"] = "900000000000"
    expect(page.locator(".ticket .problem")).to_have_count(0)
    expect(page.locator(".ticket button.primary")).to_contain_text("for at most")


def test_refusal_is_plain_in_the_readers_language_with_the_exact_words_behind(browser: Browser, stall: Stall) -> None:
    refused = CASH | {"shown": {"needed": "2.40 USD", "cash": "1.00 USD"}}
    for language, plain in (
        ("en", "Not enough money: 2.40 USD is needed"),
        ("zh", "资金不足：需要 2.40 美元，可用 1.00 美元"),
    ):
        with page_of(browser, stall, language=language) as page:
            previews(page, {"refusal": refused})
            page.goto("/")
            problem = page.locator(".ticket .problem")
            expect(problem.locator("strong")).to_contain_text(plain)
            expect(problem.locator("strong")).to_have_attribute("title", re.compile("InsufficientCash"))
            assert ("InsufficientCash" in problem.inner_text()) == (language == "zh")
            page.unroute_all(behavior="ignoreErrors")


def test_product_that_never_traded_has_a_limit_to_start_with(page: Page, stall: Stall) -> None:
    product = stall.paper.products[1]
    asks = [stall.paper.level(product, tick, 600) for tick in (400, 410, 600)]
    depth = stall.paper.depth(product, None) | {"asks": asks, "bids": []}
    page.route(f"**/products/{product.code}", lambda route: route.fulfill(json={"data": untraded(stall)}))
    page.route(f"**/products/{product.code}/depth", lambda route: route.fulfill(json={"data": depth}))
    page.goto(f"/#/product/{product.code}?units=1000")
    limit = page.locator(".ticket .field input").nth(1)
    reached = asks[1]["price"]["price_micro"] * 1.02 / 1_000
    expect(limit).to_have_value(f"{reached:.2f}")
    expect(page.locator(".ticket")).to_contain_text("the limit is what is asked or bid now")
    expect(page.locator(".ticket button.primary")).to_contain_text("1,000 units for at most")
    limit.fill("9")
    expect(page.locator(".ticket")).not_to_contain_text("Nothing has traded here yet")
    depth |= {"asks": []}
    page.reload()
    expect(page.locator(".ticket")).to_contain_text("the limit is what the like of it costs")
    assert float(limit.input_value()) > 0


def test_first_choice_is_one_of_which_enough_is_offered_now_as_near_as_the_best(page: Page, stall: Stall) -> None:
    asked = stall.paper.products[1]
    sold_out = stall.paper.depth(asked, None) | {"asks": []}
    page.goto("/")
    chosen = page.locator(".option[aria-pressed=true]")
    expect(chosen).to_have_attribute("data-key", asked.code)
    expect(chosen).to_contain_text("units offered now")
    page.route(f"**/products/{asked.code}/depth", lambda route: route.fulfill(json={"data": sold_out}))
    page.reload()
    expect(page.locator(f".option[data-key='{asked.code}']")).to_contain_text("0 units offered now")
    [other] = [one for one in stall.paper.products if one.start_s == asked.start_s + 86_400]
    assert (other.tier, other.area) == (asked.tier, asked.area)
    expect(chosen).to_have_attribute("data-key", other.code)


def untraded(stall: Stall) -> Any:
    return stall.paper.shown(stall.paper.products[1]) | {"last": None, "previous": None, "sparkline": []}


def test_button_never_names_a_price_for_numbers_that_were_not_asked_about(page: Page, stall: Stall) -> None:
    page.goto(f"/#/product/{stall.paper.products[1].code}")
    button, amount = page.locator(".ticket button.primary"), page.locator(".ticket .field input").first
    expect(button).to_contain_text("1,000 units for at most")
    for wrong in ("1.5", "-5", "99999999999"):
        amount.fill(wrong)
        expect(button).to_have_text("See what it costs")
        expect(page.locator(".ticket .costs")).to_contain_text("how many whole units")
        amount.fill("1000")
        expect(button).to_contain_text("1,000 units for at most")
    faults = [{"pointer": "/body/price_micro", "detail": "Input should be less"}]
    said = {
        "title": "InputError",
        "status": 422,
        "detail": "The request cannot be read.",
        "remedy": "See.",
        "errors": faults,
    }
    page.route("**/orders/preview", lambda route: route.fulfill(status=422, json=said))
    amount.fill("2000")
    expect(page.locator(".ticket .problem li")).to_have_text("price_micro: Input should be less")
    expect(button).to_have_text("See what it costs")
    page.unroute("**/orders/preview")
    page.locator(".ticket .problem button").click()
    expect(button).to_contain_text("2,000 units for at most")


def test_form_follows_the_rounds_and_keeps_what_was_typed(page: Page, stall: Stall) -> None:
    said: dict[str, Any] = {"distance_bp": 150}
    previews(page, said)
    blocks(page, [ME])
    page.goto(f"/#/product/{stall.paper.products[1].code}")
    page.locator(".ticket .field input").first.fill("300")
    expect(page.locator(".ticket button.primary")).to_contain_text("Buy 300 units for at most")
    expect(page.locator(".ticket")).to_contain_text("1.5% above the last price")
    said["distance_bp"] = -1_100
    expect(page.locator(".ticket")).to_contain_text("11% below the last price")
    expect(page.locator(".ticket .field input").first).to_have_value("300")
    expect(page.locator(".ticket button.primary")).to_be_enabled()


def test_preset_limit_is_what_most_recent_clearings_met(page: Page, stall: Stall) -> None:
    product = stall.paper.products[1]
    recent = sorted(stall.paper.shown(product)["sparkline"])
    page.goto(f"/#/product/{product.code}")
    limit = page.locator(".ticket .field input").nth(1)
    micro = float(limit.input_value()) * 1e6 / 1_000
    assert sum(one <= micro + 5 for one in recent) * 10 >= len(recent) * 9


def test_example_is_no_more_than_trades_in_a_round(page: Page, stall: Stall) -> None:
    page.goto("/")
    expect(page.locator("#need")).to_have_value("2x H100, 24h, EU-Central, from tomorrow")
    expect(page.locator(".ticket button.primary")).to_contain_text("2,000 units")
    expect(page.locator(".ticket .cost", has_text="In this round")).to_contain_text("units offered")
