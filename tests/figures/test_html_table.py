import math
from html.parser import HTMLParser

import pandas as pd
import pytest

from generalization.figures.html_table import html_table, with_seen_labels


class Page(HTMLParser):
    """Cells of a page, with what they are sorted by, and what the page would load."""

    def __init__(self, page):
        super().__init__()
        self.cells, self.keys, self.loaded, self.tags = [], [], [], []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.loaded += [attributes[key] for key in ("src", "href") if key in attributes]
        if tag in ("td", "button"):
            self.cells.append("")
            self.keys.append(attributes.get("data-key"))
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "button")

    def handle_data(self, data):
        if self.inside:
            self.cells[-1] += data


@pytest.fixture
def table():
    return pd.DataFrame({
        "measure": ["jacobian_norm", "lost"],
        "estimate": [0.834, math.nan],
        "low": [0.711, math.nan],
        "high": [0.899, math.nan],
        "p_value": [0.000099990001, math.nan],
        "networks": [12345, 0],
        "note": [None, "no <value> & no gap"],
    })


def test_numbers_are_for_people_and_keys_for_sorting(table):
    page = Page(html_table(table, "Statistics"))
    assert page.cells == [
        *("Measure", "Estimate", "p value", "Networks", "Note"),
        *("Jacobian norm", "0.83 [0.71, 0.90]", "0.0001", "12,345", ""),
        *("Lost", "–", "–", "0", "no <value> & no gap"),
    ]
    assert page.keys[5:] == [
        *("jacobian_norm", "0.834", "9.9990001e-05", "12345", ""),
        *("lost", "", "", "0", "no <value> & no gap"),
    ]


def test_everything_is_escaped():
    evil = '<script>alert("x")</script>'
    page = html_table(pd.DataFrame({evil: [evil]}), evil)
    assert Page(page).tags.count("script") == 1
    assert evil not in page


def test_page_needs_nothing_else(table):
    page = html_table(table, "Statistics")
    assert Page(page).loaded == []
    assert "://" not in page


def test_words_that_look_like_layout_stay_words():
    assert "{head}" in html_table(pd.DataFrame({"note": ["{head}"]}), "{body}")


def test_empty_table_is_a_page(table):
    page = Page(html_table(table[:0], "Statistics"))
    assert page.cells == ["Measure", "Estimate", "p value", "Networks", "Note"]


def test_labels_that_a_measure_sees_stand_beside_it():
    table = pd.DataFrame({
        "kind": ["candidate", "candidate", "factor"],
        "measure": ["training_margin", "transitions-0123abcd", "width"],
        "estimate": [0.1, 0.2, 0.3],
    })
    told = with_seen_labels(table, {"training_margin": "training", "transitions": "none"})
    assert list(told) == ["kind", "measure", "sees_labels", "estimate"]
    assert told["sees_labels"].tolist() == ["training", "none", ""]
    assert list(table) == ["kind", "measure", "estimate"]


def test_tables_without_measures_stay_as_they_are(table):
    assert with_seen_labels(table, {}) is table
    other = table.drop(columns="measure")
    assert with_seen_labels(other, {"jacobian_norm": "none"}) is other
