"""Jobs, leases and sites on the page, with a market on paper: what is planned, bought, used, disputed and announced."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.stall import PAY_TO, Stall
from tests.web.test_page import page_of, show

CSV = "name,units,hours\ntrain,8000,6\nserve,600,4\n"


@pytest.fixture
def page(browser: Browser, stall: Stall) -> Iterator[Page]:
    stall.paper.sent.clear()
    with page_of(browser, stall) as page:
        yield page


def test_job_in_words_shows_where_it_would_run_and_what_is_left_over(page: Page) -> None:
    show(page, "jobs")
    cells = page.locator("table.matrix tbody tr").first.locator("td")
    expect(cells.first).to_have_text("4,000")
    page.click("text=Worth of one more")
    expect(cells.nth(1)).to_have_text("0.00004")
    page.click(".chip >> text=Price")
    expect(cells.first).to_have_text("0.00184")
    row = page.get_by_role("region", name="Jobs").locator("tbody tr")
    expect(row).to_contain_text("what is offered costs more than it pays")
    expect(row).to_contain_text("14.3 ms one way")
    expect(page.locator("main")).to_contain_text("no other plan serves more")


def test_plan_says_what_it_costs_what_limit_it_has_and_how_much_of_the_job_it_runs(page: Page) -> None:
    show(page, "jobs")
    plan = page.locator(".tiles .tile")
    expect(plan.first).to_contain_text("expected from what is offered now")
    expect(page.locator("main")).to_contain_text("No limit given: at most")
    expect(page.locator("main")).to_contain_text("USD / H100-hour, from list prices.")
    expect(page.locator("main button.primary.wide")).to_contain_text("% of the job: hold")
    page.click("text=Deadline, price, what it runs")
    page.get_by_label("Pays at most").fill("3.5")
    expect(page.locator("main")).not_to_contain_text("No limit given")


def test_limit_that_is_our_default_is_said_where_it_leaves_something_over(page: Page) -> None:
    show(page, "jobs")
    row = page.get_by_role("region", name="Jobs").locator("tbody tr")
    expect(row).to_contain_text("The limit is our default: name a price to raise it.")
    page.click("text=Deadline, price, what it runs")
    page.get_by_label("Pays at most").fill("3.5")
    expect(row).not_to_contain_text("our default")
    expect(row).to_contain_text("the cheapest capacity costs 0.0041 USD")


def test_cells_that_cannot_be_read_are_named_once_by_line_and_column(page: Page) -> None:
    errors = [{"pointer": f"/jobs/{line}/units", "detail": "it is empty"} for line in (2, 4)]
    said = {
        "title": "BadJobs",
        "status": 422,
        "detail": "2 cells … line 2, units: it is empty; …",
        "remedy": "Mend them.",
    }
    page.route("**/dispatch/preview", lambda route: route.fulfill(status=422, json=said | {"errors": errors}))
    show(page, "jobs")
    problem = page.locator("main .problem")
    expect(problem).to_contain_text("Cells of the jobs that cannot be read: 2.")
    assert problem.inner_text().count("it is empty") == 2
    expect(problem.locator("li").last).to_have_text("Line 4, units: it is empty")


def test_portfolio_says_what_dispatches_still_want(page: Page, stall: Stall) -> None:
    show(page, "portfolio")
    assert page.get_by_role("region", name="Still wanted").count() == 0
    started = stall.paper.dispatches.started
    started.append(([{"name": "train", "units": 800, "hours": 6}], 0))
    try:
        page.reload()
        row = page.get_by_role("region", name="Still wanted").locator("tbody tr").last
        expect(row).to_contain_text("train")
        expect(row).to_contain_text("4,800 unit-hours")
        expect(row).to_contain_text("its bids wait to be cleared and settled")
    finally:
        started.pop()


def test_list_of_jobs_is_planned_run_and_followed_to_its_end(page: Page) -> None:
    show(page, "jobs")
    page.click("text=Many, as CSV")
    page.fill("textarea", CSV)
    rows = page.get_by_role("region", name="Jobs").locator("tbody tr")
    expect(rows).to_have_count(2)
    page.click("main button.primary.wide")
    card = page.locator(".campaign").first
    expect(card).to_contain_text("train")
    expect(card.locator(".badge")).to_have_text("ended")
    expect(card).to_contain_text("3.20 USD came back")
    expect(card).to_contain_text("1.60 USD from selling 800 unit-hours that no job needed")
    assert page.input_value("textarea") == CSV


def test_file_of_jobs_is_read_where_it_is_chosen(page: Page) -> None:
    show(page, "jobs")
    page.click("text=Many, as CSV")
    page.set_input_files("input[type=file]", {"name": "j.csv", "mimeType": "text/csv", "buffer": CSV.encode()})
    expect(page.locator("textarea")).to_have_value(CSV)
    expect(page.get_by_role("region", name="Jobs").locator("tbody tr")).to_have_count(2)


def test_units_are_used_where_they_are_owed_best_site_first(page: Page, stall: Stall) -> None:
    show(page, "portfolio")
    page.locator("td >> text=Use").first.click()
    site = page.locator("dialog select")
    expect(site).to_have_value("4")
    expect(site.locator("option").last).to_contain_text("announced downtime 1 h")
    amount = page.locator("dialog input[type=number]")
    expect(amount).to_have_value("8000")
    amount.fill("10")
    expect(page.locator("dialog")).to_contain_text(
        "Less than one H100 SXM5 80GB of this site, which counts 1,000 units"
    )
    amount.fill("8000")
    expect(page.locator("dialog")).not_to_contain_text("Less than one")
    site.select_option("2")
    expect(amount).to_have_value("6000")
    amount.fill("9000")
    expect(page.locator("dialog")).to_contain_text("More than you hold: at most 8,000 units.")
    page.click("text=Make it a lease")
    amount.fill("6000")
    expect(page.locator("dialog")).not_to_contain_text("More than")
    page.click("text=Make it a lease")
    expect(page.locator(".notice.good")).to_be_visible()
    assert stall.paper.sent == [
        ("leases", {"product": stall.paper.products[1].code, "site": 2, "units": 6_000}),
    ]


def test_lease_shows_its_result_and_takes_a_dispute_in_words(page: Page, stall: Stall) -> None:
    show(page, "portfolio")
    card = page.locator(".leasecard.reported")
    card.locator("text=Log and results").click()
    expect(page.locator("dialog pre")).to_contain_text("<img src=x")
    assert page.locator("dialog img").count() == 0
    with page.expect_download() as download:
        page.click("dialog a[download]")
    assert download.value.suggested_filename == "loss.txt"
    assert download.value.path().read_text() == "2.31\n"
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    card.locator("summary").click()
    expect(card.locator("details")).to_have_attribute("open", "")
    card.locator("input").fill("It stopped at 14:20.")
    card.locator("button >> text=Dispute").click()
    expect(page.locator(".notice.good")).to_be_visible()
    assert stall.paper.sent[-1] == ("leases/dispute", {"evidence": "It stopped at 14:20."})


def test_site_shows_its_record_to_anyone_and_its_provider_announces_downtime(page: Page, stall: Stall) -> None:
    show(page, "provider")
    page.locator("button.site", has_text="Site 4").click()
    dialog = page.locator("dialog")
    expect(dialog).to_contain_text("no lease in that time")
    expect(dialog).to_contain_text("99.8%")
    expect(dialog).to_contain_text("<img src=x")
    assert dialog.locator("img").count() == 0
    assert dialog.locator("form").count() == 0
    page.keyboard.press("Escape")
    mine = page.locator("section.card", has=page.locator("h2:has-text('Site 1:')"))
    mine.locator("summary", has_text="How it delivers").click()
    mine.get_by_label("What for").fill("new cooling")
    mine.locator("button >> text=Announce downtime").click()
    expect(page.locator(".notice.good")).to_be_visible()
    noun, body = stall.paper.sent[-1]
    assert (noun, body["note"], body["to_hour"] - body["from_hour"]) == ("sites/maintenance", "new cooling", 4)


def test_account_kept_here_pays_out_to_the_address_that_was_named_for_it(page: Page, stall: Stall) -> None:
    show(page, "portfolio")
    page.click("text=Deposit or withdraw")
    to = page.get_by_label("To", exact=True)
    expect(to).to_have_value(PAY_TO)
    page.locator("form", has=to).get_by_role("button").click()
    expect(page.locator(".notice.good")).to_be_visible()
    assert stall.paper.sent[-1] == ("withdraw", {"amount": "1000 USD", "to": PAY_TO})


def test_open_round_is_told_on_the_board_and_beside_an_order(page: Page) -> None:
    show(page, "")
    expect(page.locator("main")).to_contain_text("closes in")
    expect(page.locator(".ticket .cost", has_text="In this round")).to_contain_text("wanted")
