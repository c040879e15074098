"""The report of a finished study, opened in Chromium."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def report(finished):
    finished.snakemake("--report", "report.html")
    return finished.path / "report.html"


@pytest.fixture
def page(report):
    """The report, and what it said and asked for."""
    assert CHROMIUM, "Chromium must be installed to test the report."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append((message.type, message.text)))
        page.on("pageerror", lambda error: page.said.append(("error", str(error))))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(report.as_uri())
        page.wait_for_load_state("networkidle")
        yield page
        browser.close()


def nothing_went_wrong(page):
    assert [said for said in page.said if said[0] == "error"] == []
    outside = [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))]
    assert outside == []


def test_front_page_says_what_came_out(page, finished):
    text = page.inner_text("body")
    for line in (finished.path / "results/studies/small/summary.txt").read_text().splitlines():
        assert " ".join(line.split()) in " ".join(text.split())
    nothing_went_wrong(page)


@pytest.mark.parametrize(
    ("category", "results"),
    [
        ("Overview", 2),
        ("Generalization gap against each measure", 3),
        ("Tables", 2),
    ],
)
def test_every_result_shows(page, category, results):
    page.get_by_text(category, exact=True).first.click()
    buttons = page.locator("tbody tr")
    buttons.first.wait_for()
    assert buttons.count() == results
    for position in range(results):
        buttons.nth(position).get_by_role("button").first.click()
        shown = page.locator("img:visible, iframe:visible, svg:visible")
        shown.first.wait_for()
        images = page.locator("img:visible")
        for image in range(images.count()):
            assert images.nth(image).evaluate("image => image.naturalWidth") > 100
    nothing_went_wrong(page)


def test_tables_sort_and_filter(report, finished):
    table = Path(finished.path, "results/studies/small/tables/statistics.html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(table.as_uri())
        rows = page.locator("tbody tr:visible")
        whole = rows.count()
        page.locator("input").first.fill("weight")
        assert 0 < rows.count() < whole
        page.locator("input").first.fill("")
        header = page.locator("th").first
        header.click()
        first = rows.first.inner_text()
        header.click()
        assert rows.first.inner_text() != first
        browser.close()
