"""News that are drawn while somebody reads, types and presses: what shows the same stays the same element."""

from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.web.conftest import wait_until
from tests.web.paper import ME
from tests.web.stall import Stall
from tests.web.test_page import PATIENCE, page_of, show, views

ROWS = """async (steps) => {
  const { h } = await import("/web/dom.js");
  const { renew } = await import("/web/renew.js");
  const box = h("div");
  document.body.append(box);
  const pressed = [];
  const button = (said) => h("button", { onclick: () => pressed.push(said) }, "x");
  const row = ([key, text]) => h("p", { "data-key": key }, text, button(key + text));
  const draw = (rows) => renew(box, h("h3", {}, `${rows.length}`), h("div", {}, rows.map(row)));
  const told = [];
  let before = new Map();
  for (const rows of steps) {
    draw(rows);
    const now = new Map([...box.querySelectorAll("p")].map((each) => [each.dataset.key, each]));
    const kept = [...now].filter(([key, each]) => before.get(key) === each).map(([key]) => key);
    box.querySelectorAll("button").forEach((each) => each.click());
    told.push({ kept, text: [...now.values()].map((each) => each.firstChild.textContent), pressed: pressed.splice(0) });
    before = now;
  }
  box.remove();
  return told;
}"""


@pytest.fixture
def page(browser: Browser, stall: Stall) -> Iterator[Page]:
    with page_of(browser, stall) as page:
        show(page, "audit")
        yield page


def drawn(page: Page, *steps: list[tuple[str, str]]) -> Any:
    return page.evaluate(ROWS, [list(map(list, rows)) for rows in steps])


def test_row_that_shows_the_same_is_the_same_element_wherever_it_moves(page: Page) -> None:
    first, second = drawn(page, [("a", "1"), ("b", "2")], [("c", "3"), ("b", "2"), ("a", "1")])
    assert (first["kept"], second["kept"]) == ([], ["b", "a"])
    assert second["text"] == ["3", "2", "1"]
    assert second["pressed"] == ["c3", "b2", "a1"]


def test_listener_never_serves_another_row_than_its_own(page: Page) -> None:
    *_, last = drawn(page, [("a", "1"), ("b", "2")], [("a", "9")], [("b", "2"), ("a", "7")], [("d", "1")])
    assert last == {"kept": [], "text": ["1"], "pressed": ["d1"]}


def test_any_order_of_any_rows_is_drawn_as_asked(page: Page) -> None:
    seed = 11
    random = Random(seed)
    steps = [
        [(key, str(random.randint(1, 2))) for key in random.sample("abcdef", random.randint(0, 6))] for _ in range(200)
    ]
    for rows, told in zip(steps, drawn(page, *steps), strict=True):
        assert told["text"] == [text for _, text in rows], f"seed {seed}"
        assert told["pressed"] == [key + text for key, text in rows], f"seed {seed}"


def redrawn(page: Page) -> None:
    """Has everything asked for again, and waits until it is drawn."""
    with page.expect_response("**/accounts/*/statement"), page.expect_response("**/leases?holder=*"):
        page.evaluate("import('/web/live.js').then(({ tell }) => tell('reorg', { from_block: 800 }))")
    wait_until(page, "answered() > 200")


def test_focus_and_what_was_typed_survive_news(browser: Browser, stall: Stall) -> None:
    with page_of(browser, stall) as page:
        show(page, "portfolio")
        use = page.locator("td >> text=Use").first
        use.focus()
        redrawn(page)
        expect(use).to_be_focused()


def test_form_that_somebody_fills_in_stays_open_and_filled_in(browser: Browser, stall: Stall) -> None:
    with page_of(browser, stall) as page:
        show(page, "portfolio")
        card = page.locator(".leasecard.reported")
        card.locator("summary").click()
        typed = card.locator("details input")
        typed.fill("It stopped at 14:20.")
        redrawn(page)
        expect(card.locator("details")).to_have_attribute("open", "")
        expect(typed).to_have_value("It stopped at 14:20.")
        expect(typed).to_be_focused()


def test_slow_answer_of_before_never_takes_the_place_of_what_is(browser: Browser, stall: Stall) -> None:
    held: list[tuple[Route, Any]] = []
    over = stall.paper.lease(2, "RESOLVED")

    def leases(route: Route) -> None:
        """The first answer after the act comes last."""
        if not acted:
            route.continue_()
        elif not held:
            held.append((route, route.fetch()))
        else:
            route.fulfill(json={"data": [over], "next": None})

    acted: list[bool] = []
    with page_of(browser, stall) as page:
        page.route("**/leases?holder=*", leases)
        show(page, "portfolio")
        acted.append(True)
        page.locator(".leasecard.reported button >> text=Accept").click()
        for _ in range(PATIENCE):
            if held:
                break
            page.wait_for_timeout(100)
        [(route, answer)] = held
        page.evaluate("import('/web/live.js').then(({ tell }) => tell('reorg', { from_block: 800 }))")
        # Time for a page that asks for the next before it has the last; this one waits, and asks then.
        page.wait_for_timeout(1_500)
        route.fulfill(response=answer)
        expect(page.locator(".leasecard")).to_have_count(1)
        wait_until(page, "answered() > 1000")
        expect(page.locator(".leasecard .badge")).to_have_text("ended")


def test_what_fails_for_the_moment_is_asked_for_again(browser: Browser, stall: Stall) -> None:
    failed: list[int] = []

    def leases(route: Route) -> None:
        if not failed and shown:
            failed.append(503)
            route.fulfill(status=503, json={"title": "StoreUnavailable", "detail": "Busy.", "remedy": "Wait."})
        elif failed:
            route.fulfill(json={"data": [stall.paper.lease(2, "RESOLVED")], "next": None})
        else:
            route.continue_()

    shown: list[bool] = []
    with page_of(browser, stall, faults=("503",)) as page:
        page.route("**/leases?holder=*", leases)
        show(page, "portfolio")
        shown.append(True)
        page.evaluate("import('/web/live.js').then(({ tell }) => tell('reorg', { from_block: 800 }))")
        expect(page.locator(".leasecard")).to_have_count(1)
        expect(page.locator(".leasecard .badge")).to_have_text("ended")
        assert failed == [503]


def test_what_happened_before_the_stream_was_open_is_asked_for(browser: Browser, stall: Stall) -> None:
    asked, waiting = list[str](), list[Route]()

    def hold(route: Route) -> None:
        waiting.append(route)

    with page_of(browser, stall) as page:
        page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        page.route("**/stream", hold)
        show(page, "portfolio")
        before = asked.count(f"/accounts/{ME}")
        assert (before, len(waiting)) == (1, 1)
        waiting[0].fulfill(body=": alive\n\n", content_type="text/event-stream")
        for _ in range(PATIENCE):
            if asked.count(f"/accounts/{ME}") > before:
                break
            page.wait_for_timeout(100)
        assert asked.count(f"/accounts/{ME}") > before


def test_providers_form_stays_as_it_is_through_a_reorg(browser: Browser, stall: Stall) -> None:
    with page_of(browser, stall) as page:
        show(page, "provider")
        card = page.locator("section.card", has=page.locator("h2:has-text('Site 1:')"))
        amount = card.locator(".ticket .field input").first
        amount.fill("777")
        page.get_by_label("How many").fill("12")
        amount.focus()
        with page.expect_response("**/sites/1/earnings"):
            page.evaluate("import('/web/live.js').then(({ tell }) => tell('reorg', { from_block: 800 }))")
        wait_until(page, "answered() > 200")
        expect(amount).to_have_value("777")
        expect(amount).to_be_focused()
        expect(page.get_by_label("How many")).to_have_value("12")


def test_nobody_buys_at_numbers_that_they_have_changed(browser: Browser, stall: Stall) -> None:
    stall.paper.sent.clear()
    with page_of(browser, stall) as page:
        show(page, views(stall)["product"])
        button = page.locator(".ticket button.primary")
        expect(button).to_contain_text("1,000 units")
        # Typed and pressed at once, before anything could say what it costs.
        page.evaluate(
            """() => {
              const [amount] = document.querySelectorAll(".ticket input");
              amount.value = "7000";
              amount.dispatchEvent(new Event("input", { bubbles: true }));
              document.querySelector(".ticket button.primary").click();
            }"""
        )
        expect(button).to_contain_text("7,000 units")
        assert stall.paper.sent == []
        button.click()
        expect(page.locator(".notice.good")).to_be_visible()
    assert [body["units"] for _, body in stall.paper.sent] == [7_000]


def test_failure_stays_until_it_is_closed_and_is_read_in_an_open_sheet(browser: Browser, stall: Stall) -> None:
    with page_of(browser, stall, known=False) as page:
        show(page, "")
        page.route("**/keys", lambda route: route.fulfill(body="<p>busy</p>"))
        page.click("#account")
        page.click("text=Account without a wallet")
        note = page.locator("dialog .notice.bad")
        expect(note).to_contain_text("cannot be read")
        note.get_by_role("button").click()
        expect(note).to_have_count(0)
        page.keyboard.press("Escape")
        expect(page.locator("body > dialog")).to_have_count(0)
        expect(page.locator("#app > .notices")).to_have_count(1)
        expect(page.locator("#account")).to_be_focused()
