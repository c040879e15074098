"""A card tells what the checks and the fragility of a measure say."""

import re

import pandas as pd
import pytest
import torch

import generalization
from generalization import check_measure
from generalization.audit.audit import COLUMNS, UNCHECKED, audit
from generalization.audit.audit_checks import COLUMNS as OF_CHECKS
from generalization.audit.audit_page import audit_page
from generalization.audit.cases import small_case
from generalization.audit.check_measure import CHECKS
from generalization.catalog import CHECKABLE
from generalization.tables import read_table

NAMES = ("path_norm", "output_sensitivity")
DEFINITIONS = {"path_norm": "√Σ over paths.", "output_sensitivity": "Var of outputs."}
SEES = {"path_norm": "none", "output_sensitivity": "none"}


def first_input(networks, inputs):
    return networks.logits(inputs[:1]).norm(dim=(1, 2))


@pytest.fixture(scope="module")
def checks():
    case = small_case(networks=1)
    functions = {name: getattr(generalization, name) for name in reversed(NAMES)}
    return pd.concat(
        check_measure(function, case=case, repeats=2).assign(measure=name)
        for name, function in (functions | {"first_input": first_input}).items()
    )


def fragility():
    """Fragility of which batch size is not beyond seeds, and initialization of too few pairs."""
    return pd.DataFrame({
        "measure": "path_norm",
        "setting": ["width", "learning_rate", "batch_size", "initialization", "any"],
        "fragility": [0.3, 1.5, 1.9, 2.5, 1.1],
        "noise": [0.1, 0.2, 1.0, 0.1, 0.15],
        "pairs": [5, 5, 8, 4, 22],
    })


def cards(checks, **tables):
    definitions = DEFINITIONS | {"first_input": "The first one."}
    return audit({"audit_checks": checks, **tables}, definitions, SEES | {"first_input": "none"})


def test_a_card_shows_outcomes_and_ratios(checks):
    table = cards(checks, fragility=fragility())
    assert list(table) == COLUMNS
    assert table["measure"].tolist() == [*NAMES, "first_input"]
    card = table.iloc[0]
    assert card["definition"] == "√Σ over paths."
    assert card[["permutation", "rescaling", "logit_scale", "input_unit"]].tolist() == [
        "invariant",
        "invariant",
        "changes ×3",
        "changes ×0.333",
    ]
    assert card[["draws_needed", "seed_deviation"]].tolist() == [0, 0]
    assert 0 < card["float32_error"] < 1e-6
    of_pairs = ["fragility", "fragility_noise", "fragile_to", "largest_fragility", "pairs"]
    assert card[of_pairs].tolist() == [1.1, 0.15, "learning_rate", 1.5, 22]
    assert card["note"] == ""


def test_a_card_says_what_fails(checks):
    card = cards(checks).set_index("measure").loc["first_input"]
    assert card["input_order"].startswith("failed ×")
    assert card["note"].startswith("order of inputs: ")


def test_a_card_says_when_other_labels_are_seen_than_the_catalog_says(checks):
    found = checks.copy()
    found.loc[(found["measure"] == "path_norm") & (found["check"] == "labels"), "outcome"] = "test"
    card = cards(found).set_index("measure").loc["path_norm"]
    assert card["note"] == "labels: it sees test labels, though it is said to see none"


def test_no_setting_is_named_where_no_gaps_are_equal(checks):
    unknown = fragility().assign(fragility=float("nan"), pairs=0)
    table = cards(checks, fragility=unknown)
    assert table.iloc[0]["fragile_to"] == ""
    row = next(
        line for line in audit_page(table, "").splitlines() if line.startswith("| Path norm |")
    )
    assert row.endswith("| – | – |")


@pytest.fixture(scope="module")
def carried():
    """The checks that come with the project."""
    return read_table("generalization/audit/audit_checks.csv")


def test_cards_are_of_what_is_defined_also_if_it_was_not_checked(carried):
    definitions = {"path_norm": "√Σ over paths.", "of_a_user": "Hers."}
    tables = {"audit_checks": carried, "fragility": fragility()}
    table = audit(tables, definitions, {"path_norm": "none"})
    assert table["measure"].tolist() == ["path_norm", "of_a_user"]
    card, other = (row for _, row in table.iterrows())
    # The factor 3 of the first layer, and of the last one.
    assert card[["logit_scale", "input_unit"]].tolist() == ["changes ×3", "changes ×0.333"]
    assert card["fragility"] == 1.1
    assert other["note"] == UNCHECKED
    assert other.drop(["measure", "definition", "note", "sees"]).isna().all()


def test_the_project_comes_with_the_checks_of_everything_that_is_checked(carried):
    assert list(carried) == OF_CHECKS
    assert set(carried["measure"]) == set(CHECKABLE)
    assert carried.groupby("measure").size().eq(1 + len(CHECKS)).all()


def test_a_card_without_fragility_leaves_it_empty(checks):
    assert cards(checks)["fragility"].isna().all()


def test_the_page_has_a_row_per_measure_and_all_definitions(checks):
    page = audit_page(cards(checks, fragility=fragility()), "make audit")
    assert "Written by `make audit` from the table" in page
    assert "3 measures were checked on small networks; 1 failed a check." in page
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + 3
    row = next(line for line in rows if line.startswith("| Path norm |"))
    assert row.split(" | ")[1:8] == ["none", "=", "=", "×3", "=", "×0.333", "="]
    assert row.endswith("| 1.1 (0.15) | learning rate 1.5 |")
    assert "* **First input**: order of inputs: " in page
    assert "### Path norm\n\n√Σ over paths." in page


def random_sign(networks, generator):
    """Have a noise that moves with the units, and a mean that does not."""
    first = networks.weights[0]
    signs = torch.randn(first.shape[1], generator=generator, dtype=first.dtype)
    return 1e3 + (first.norm(dim=2) * signs).sum(1)


def test_what_noise_hides_is_told_in_percent_of_the_mean_by_check():
    table = check_measure(random_sign, case=small_case(networks=1)).assign(measure="path_norm")
    shown = table.set_index("check").loc["permutation of units"]
    assert shown["outcome"] == "within noise"
    card = audit({"audit_checks": table}, DEFINITIONS, SEES).iloc[0]
    percent = re.search(
        r"permutation of units: noise of the means over seeds would hide a change below "
        r"([\d.]+) % of them",
        card["hidden"],
    ).group(1)
    # The standard deviation of a sum of 52 units of norm about 1 is some 10, of 1,000.
    assert 0.1 < float(percent) < 20
    assert card["note"] == ""
    page = audit_page(pd.DataFrame([card]), "make audit")
    assert "0 failed a check" in page
    assert f"* **Path norm**: {card['hidden']}." in page


def test_rounding_is_named_where_values_are_equal(checks):
    page = audit_page(cards(checks), "make audit")
    assert "rounding, a relative difference of 1e-06, also for 4 other permutations and\n" in page
    assert cards(checks)["hidden"].iloc[0] == ""
