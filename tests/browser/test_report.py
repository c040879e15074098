"""The report of a finished study, opened in Chromium."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None and "CI" not in os.environ:
    pytest.skip("Chromium is not installed: apt-get install chromium.", allow_module_level=True)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def report(finished):
    finished.snakemake("--report", "report.html")
    return finished.path / "report.html"


@pytest.fixture
def page(report):
    """The report, and what it said and asked for."""
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


def test_front_page_states_the_results(page, finished):
    text = page.inner_text("body")
    for line in (finished.path / "results/studies/study/summary.txt").read_text().splitlines():
        assert " ".join(line.split()) in " ".join(text.split())
    # A page that is too long loses its head, because the report centers it.
    assert page.locator("strong").first.bounding_box()["y"] > 0
    nothing_went_wrong(page)


TABLES = ("statistics", "design", "excluded", "model_statistics", "selection_on_fit", "audit")


@pytest.mark.parametrize(
    ("chapter", "results"),
    [
        ("1 Overview", {"measure_league.svg", "training_curves.svg", "gap_residuals.svg"}),
        (
            "2 Generalization gap against each measure",
            {"jacobian_norm.svg", "weight_norm.svg", "transitions.svg"},
        ),
        ("3 Tables", {f"{table}.html" for table in TABLES}),
    ],
)
def test_every_result_shows_with_its_caption(page, chapter, results):
    page.get_by_text(chapter, exact=True).first.click()
    # The collapsed sections of the front page contain tables as well.
    rows = page.locator("tbody tr:visible")
    rows.first.wait_for()
    assert rows.count() == len(results)
    shown = set()
    for position in range(len(results)):
        rows.nth(position).locator("a[iconname=eye]").click()
        result = page.locator("img[src*=filename]:not([src*='logo.svg']), iframe")
        result.wait_for()
        shown |= {name for name in results if f"filename={name}" in result.get_attribute("src")}
        if result.evaluate("shown => shown.tagName") == "IMG":
            page.wait_for_function("shown => shown.naturalWidth > 300", arg=result.element_handle())
        else:
            assert "rows" in page.frames[-1].inner_text("body")
    assert shown == results
    rows.first.locator("a[iconname=information-circle]").click()
    caption = page.get_by_text("Description", exact=True).locator("xpath=following::p").first
    assert len(caption.inner_text()) > 100
    nothing_went_wrong(page)


def test_tables_sort_and_filter(report, finished):
    table = Path(finished.path, "results/studies/study/tables/statistics.html")
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
