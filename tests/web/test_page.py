"""The page in a browser, on a market on paper: every view in each dress, by keyboard, in both languages, within its
budget, and harmless whatever strangers wrote."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter, process_time
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.web.conftest import wait_until
from tests.web.paper import ME, ROUND
from tests.web.stall import ROOT, Stall

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
DRESSES = {
    "desktop light": (1320, "light"),
    "desktop dark": (1320, "dark"),
    "phone light": (390, "light"),
    "phone dark": (390, "dark"),
}
# Every view in every dress, for people to look at.
SHOTS = ROOT / "out/page"
COUNT_REQUESTS = """
let open = 0, since = performance.now();
const ask = globalThis.fetch;
globalThis.fetch = (...what) => {
  open += 1;
  return ask(...what).finally(() => { open -= 1; since = performance.now(); });
};
globalThis.answered = () => (open ? 0 : performance.now() - since);
"""
SEE_FIRST_LINE = """
new MutationObserver((_, watch) => {
  if (!document.querySelector(".line")) return;
  globalThis.firstLine_ms = performance.now();
  watch.disconnect();
}).observe(document, { childList: true, subtree: true });
"""
LOOKS = 6
PATIENCE = 300
ME_BY_KEY = json.dumps({"kind": "key", "key": "cl_test", "address": ME})
FIRST_VIEW_BYTES, FIRST_VIEW_MS = 300_000, 1_000


def views(stall: Stall) -> dict[str, str]:
    code = stall.paper.products[1].code
    return {
        "board": "",
        "product": f"product/{code}",
        "portfolio": "portfolio",
        "provider": "provider",
        "jobs": "jobs",
        "audit": f"audit/{code}/{ROUND - 3}",
    }


@contextmanager
def page_of(
    browser: Browser,
    stall: Stall,
    width: int = 1320,
    scheme: Any = "light",
    language: str = "en",
    known: bool = True,
    faults: Sequence[str] = (),
) -> Iterator[Page]:
    """A fresh page that fails the test on any error of its own and on any request that leaves for elsewhere. `faults`
    are parts of what the browser may note: statuses that the test itself answers with."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", base_url=stall.url
    )
    kept = {"language": language} | ({"identity": ME_BY_KEY} if known else {})
    context.add_init_script(f"for (const [k, v] of Object.entries({json.dumps(kept)})) localStorage[k] ??= v;")
    context.add_init_script(COUNT_REQUESTS)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    # A preview that is refused is an answer, which the form shows; the browser notes it all the same.
    page.on("console", lambda said: wrong.append(said.text) if is_fault(said, faults) else None)
    host = urlsplit(stall.url).netloc
    page.on("request", lambda asked: wrong.append(asked.url) if urlsplit(asked.url).netloc != host else None)
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def show(page: Page, view: str) -> None:
    page.goto(f"/#/{view}")
    page.wait_for_selector("html[data-ready] main > div h1")
    # Drawn whole: everything that it asks for was answered, for a few frames in a row.
    wait_until(page, "answered() > 200")


@pytest.mark.slow
@pytest.mark.parametrize("dress", DRESSES)
def test_axe_finds_nothing_serious_in_any_view(browser: Browser, stall: Stall, dress: str) -> None:
    width, scheme = DRESSES[dress]
    found = {}
    with page_of(browser, stall, width, scheme) as page:
        for name, view in views(stall).items():
            show(page, view)
            page.screenshot(path=SHOTS / f"{name} {dress}.png", full_page=True)
            page.evaluate(AXE)
            report = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found[name] = [
                f"{each['id']}: {node['target']} {node.get('failureSummary', '')[:200]}"
                for each in report["violations"]
                if each["impact"] in ("serious", "critical")
                for node in each["nodes"][:3]
            ]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                f"{name} is wider than the screen"
            )
    assert {name: problems for name, problems in found.items() if problems} == {}


def first_look(browser: Browser, stall: Stall) -> float:
    """Milliseconds until somebody who was never here sees the first product; what came for it is small."""
    with page_of(browser, stall, known=False) as page:
        page.add_init_script(SEE_FIRST_LINE)
        page.goto("/")
        drawn_ms: float = wait_until(page, "globalThis.firstLine_ms")
        sizes = page.evaluate(
            "performance.getEntries().filter((e) => e.transferSize).map((e) => [e.name, e.encodedBodySize])"
        )
        assert 0 < sum(size for _, size in sizes) < FIRST_VIEW_BYTES, sizes
        assert not [name for name, _ in sizes if "/packages/" in name]
        return drawn_ms


def test_first_view_is_small_and_fast(browser: Browser, stall: Stall) -> None:
    looks_ms: list[float] = []
    # What else the machine does slows some looks down and speeds none up: the best of a few counts, in the time that
    # was this test's own.
    while not looks_ms or (min(looks_ms) >= FIRST_VIEW_MS and len(looks_ms) < LOOKS):
        before = crowding()
        looks_ms.append(first_look(browser, stall) / min(before, crowding()))
    assert min(looks_ms) < FIRST_VIEW_MS, looks_ms


def crowding() -> float:
    """How much longer work takes now than on a machine that does nothing else."""
    wall_s, own_s = perf_counter(), process_time()
    while process_time() - own_s < 0.05:
        pass
    return max(1.0, (perf_counter() - wall_s) / 0.05)


def test_chinese_leaves_no_english_word_of_ours(browser: Browser, stall: Stall) -> None:
    english = "".join(path.read_text() for path in (ROOT / "api/web/words/en").glob("*.js"))
    ours = ("Portfolio", "Supply and demand", "Order book", "Register a site", "Next clearing", "Free cash")
    assert all(text in english for text in ours)
    with page_of(browser, stall, language="zh") as page:
        for view in views(stall).values():
            show(page, view)
            text = page.inner_text("body")
            assert [each for each in ours if each in text] == []
        assert page.get_attribute("html", "lang") == "zh-Hans"
        page.click("#language")
        page.wait_for_selector("text=Check it yourself")


def test_chinese_words_name_places_too(browser: Browser, stall: Stall) -> None:
    with page_of(browser, stall, language="zh") as page:
        show(page, "")
        page.fill("#need", "8 块 H100，24 小时，上海，明天")
        page.wait_for_selector(".understood >> text=8 × H100")
        expect(page.locator(".understood select").first.locator("option:checked")).to_have_text("上海")


def test_events_name_products_and_dollars(browser: Browser, stall: Stall) -> None:
    product = stall.paper.products[1]
    with page_of(browser, stall) as page:
        show(page, "audit")
        row = page.get_by_role("region", name="All events").locator("tbody tr").first
        expect(row.locator("a")).to_have_attribute("title", product.code)
        expect(row).to_contain_text("bondMicro 1.50 USD")


def test_address_that_cannot_be_read_shows_what_is_wrong(browser: Browser, stall: Stall) -> None:
    with page_of(browser, stall, faults=("404",)) as page:
        page.goto("/#/product/%E0%A4%A")
        expect(page.locator("main .problem")).to_be_visible()


def test_text_of_strangers_stays_text(browser: Browser, stall: Stall) -> None:
    with page_of(browser, stall) as page:
        show(page, "audit")
        page.wait_for_selector("text=SiteRegistered")
        assert "<img src=x" in page.inner_text("main")
        assert page.locator("main img").count() == 0
        show(page, "provider")
        assert page.locator("a[href^='javascript']").count() == 0
        assert page.title() != "broken"


def test_page_is_walked_and_an_order_placed_with_the_keyboard_alone(browser: Browser, stall: Stall) -> None:
    stall.paper.sent.clear()
    with page_of(browser, stall) as page:
        show(page, "")
        page.wait_for_selector(".ticket .cost")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('.ticket button.primary')"):
                break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("Enter")
        page.wait_for_selector(".notice.good")
    assert [noun for noun, _ in stall.paper.sent] == ["orders"]
    body = stall.paper.sent[0][1]
    assert (body["kind"], body["units"]) == ("bid", 2_000)


def test_words_become_units_place_and_start(browser: Browser, stall: Stall) -> None:
    cases = {
        "8 H100 near São Paulo, 24h": ("8,000", "São Paulo"),
        "16x A100, 24h, EU-Central": ("6,351", "EU-Central"),
        "8x H100, 24h in Frankfurt from tomorrow": ("8,000", "Frankfurt"),
        "500 units, 24h": ("500 units", "Anywhere"),
        "4块H100，24小时，明天": ("4,000", "Anywhere"),
    }
    with page_of(browser, stall) as page:
        show(page, "")
        for words, (amount, place) in cases.items():
            page.fill("#need", words)
            expect(page.locator(".understood")).to_contain_text(amount)
            expect(page.locator(".understood select").first.locator("option:checked")).to_have_text(place)


def test_word_that_is_no_place_is_named_with_what_may_be_meant(browser: Browser, stall: Stall) -> None:
    cases = {
        "8x H100, 24h, Frankfrt": ("“Frankfrt” is no amount, no place and no day", "Did you mean Frankfurt?"),
        "8x H100, 24h, whenever": ("“whenever” is no amount", "Say it like this: 8x H100, 24h, Frankfurt, tomorrow."),
    }
    with page_of(browser, stall) as page:
        show(page, "")
        for words, (what, remedy) in cases.items():
            page.fill("#need", words)
            expect(page.locator(".result .problem")).to_contain_text(what)
            expect(page.locator(".result .problem")).to_contain_text(remedy)
        page.fill("#need", "8x H100, 24h, Frankfurt")
        expect(page.locator(".ticket button.primary")).to_contain_text("8,000 units for at most")


def test_clearing_is_computed_in_the_browser_and_a_forged_one_is_caught(browser: Browser, stall: Stall) -> None:
    code = stall.paper.products[1].code
    with page_of(browser, stall) as page:
        show(page, f"audit/{code}/{ROUND - 3}")
        page.wait_for_selector(".verdict.good")

        def forge(route: Any) -> None:
            answer = route.fetch()
            body = answer.json()
            body["data"]["clearing"]["price_tick"] += 1
            route.fulfill(response=answer, json=body)

        page.route("**/audit/clearings/**", forge)
        page.click("form button.primary >> text=Compute it here")
        page.wait_for_selector(".verdict.bad")


def test_reorg_is_told_and_everything_loaded_again(browser: Browser, stall: Stall) -> None:
    news = {"from_block": 810, "to_block": 811}
    stream = f"event: reorg\ndata: {json.dumps(news)}\n\n"
    with page_of(browser, stall) as page:
        show(page, "portfolio")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        page.route("**/stream", lambda route: route.fulfill(body=stream, content_type="text/event-stream"))
        page.reload()
        page.wait_for_selector(".notice >> text=from 810 on")
        for _ in range(PATIENCE):
            if asked.count(f"/accounts/{ME}") >= 2:
                break
            page.wait_for_timeout(100)
        assert asked.count(f"/accounts/{ME}") >= 2


def is_fault(said: ConsoleMessage, meant: Sequence[str] = ()) -> bool:
    """Whether what a browser notes is a fault of the page, and not one that is `meant`."""
    refused = "status of 422" in said.text and said.location["url"].endswith("/preview")
    return said.type in ("error", "warning") and not refused and not any(text in said.text for text in meant)
