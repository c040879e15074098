import re
from dataclasses import replace

import pandas as pd

from generalization.figures.paper_page import PaperFigure, paper_page
from generalization.statistics.findings import StudyResults

FIGURES = [
    PaperFigure("Fig. 2", "boundary_maps", "one", "Boundaries & maps."),
    PaperFigure("Fig. 3", "gap_against_measure/jacobian_norm", "two", "The gap."),
]


def study(name, *claims):
    table = pd.DataFrame({
        "claim": claims,
        "about": "digits",
        "estimate": 0.5,
        "low": 0.25,
        "high": 0.75,
        "verdict": "replicates",
    })
    nothing = pd.DataFrame()
    return StudyResults(name, f"Title of {name}", table, nothing, nothing)


def test_page_opens_with_claims_in_the_order_of_the_paper():
    studies = [study("one", "It falls", "It grows"), study("two", "It grows")]
    page = paper_page("Me 2018: <A>", studies, [], ["It grows", "It falls"], made_with="commit abc")
    assert "<h1>Me 2018: &lt;A&gt;</h1>" in page and "<p>commit abc</p>" in page
    assert "2 claims in 3 rows, of a dataset and setting each: 3 replicates." in page
    keys = re.findall(r'<tr><td data-key="(.*?)"', page)
    assert keys == ["It grows", "It grows", "It falls"]
    assert page.count("0.50 [0.25, 0.75]") == 3


def test_page_counts_what_no_study_can_judge():
    one = study("one", "It falls")
    counted = {"claim": "2 claims that this study's design cannot judge", "verdict": "not tested"}
    one = replace(one, claims=pd.concat([one.claims, pd.DataFrame([counted])]))
    page = paper_page("Me", [one], [], ["It grows", "It falls", "It turns"])
    assert "1 claim in 1 row, of" in page and "not tested" not in page
    assert "2 further claims of the paper cannot be judged by the design of these studies." in page
    page = paper_page(
        "Me", [one, study("two", "It turns")], [], ["It grows", "It falls", "It turns"]
    )
    assert "1 further claim of the paper cannot be judged" in page


def test_page_has_no_column_that_says_nothing():
    one = study("one", "It grows")
    told = replace(one, claims=one.claims.assign(labels="", of="9 networks"))
    heads = re.findall(r"<th.*?>(.*?)</th>", paper_page("Me", [told], [], ["It grows"]))
    assert "Of" in " ".join(heads) and "Labels" not in " ".join(heads)


def test_page_shows_figures_in_order_and_links_to_reports():
    page = paper_page("Me", [study("one", "It grows"), study("two")], FIGURES, ["It grows"])
    assert re.findall(r'<img src="(.*?)"', page) == [
        "../studies/one/figures/boundary_maps.svg",
        "../studies/two/figures/gap_against_measure/jacobian_norm.svg",
    ]
    assert "<h3>Fig. 2: Boundary maps</h3>" in page
    assert "<p>Boundaries &amp; maps. <a" in page
    links = re.findall(r'href="(.*?)"', page)
    assert links == [f"../studies/{name}/report.html" for name in ("one", "two", "one", "two")]
    assert page.index("<table>") < page.index("Figures, in the paper's order")


def test_page_without_claims_says_so():
    assert "No claim was judged." in paper_page("Me", [study("one")], [], [])
