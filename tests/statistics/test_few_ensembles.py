"""One rule for every table of estimates: fewer than five ensembles are no verdict, and say so."""

from importlib import import_module
from inspect import getsource

import numpy as np
import pandas as pd
import pytest

from generalization.catalog import TABLES, module_of
from generalization.statistics.estimates import FEWEST_ENSEMBLES, table_of
from generalization.statistics.resampling import Resampling
from generalization.statistics.verdicts import UNITS

FEW = "3 of the 5 ensembles that a verdict needs"
# Tables with intervals in which no row counts what its interval is of, and why not.
WITHOUT_UNITS = {
    "claims": "verdicts count for themselves, see test_verdicts",
    "point_statistics_of_networks": "each row is of one network, its interval of test points",
}
# Tables that count pairs of ensembles, of which each test holds the note.
PAIRS = {"pair_statistics", "dropout_protection"}
# Table → that which makes it, where this is not in its own module.
MADE_BY = dict.fromkeys(
    ("point_statistics", "bound_statistics"), "generalization.experiments.jacobian.single_points"
)
WITH_INTERVALS = [
    name
    for name in TABLES
    if "low" in getattr(import_module(MADE_BY.get(name, module_of(name))), "COLUMNS", ())
]


def made_by(table):
    return import_module(MADE_BY.get(table, module_of(table)))


def test_tables_without_intervals_are_those_of_single_networks_and_pairs():
    without = {"pairs", "loss_estimates", "audit", "fragility", "freezing_courses"}
    assert set(TABLES) - set(WITH_INTERVALS) == without


@pytest.mark.parametrize("table", sorted({*WITH_INTERVALS} - {*WITHOUT_UNITS}))
def test_every_table_with_intervals_counts_units_and_has_notes(table):
    columns = made_by(table).COLUMNS
    assert set(UNITS) & set(columns), table
    assert "note" in columns, table


@pytest.mark.parametrize("table", sorted({*WITH_INTERVALS} - {*WITHOUT_UNITS} - PAIRS))
def test_every_table_of_ensembles_is_made_where_notes_are(table):
    module = made_by(table)
    assert "ensembles" in module.COLUMNS, table
    assert module.table_of is table_of
    # Nothing puts rows into the table after that, or takes their notes away.
    assert "pd.concat([table" not in getsource(module)


@pytest.mark.parametrize(
    ("note", "ensembles", "expected"),
    [
        ("", 3, FEW),
        (np.nan, 3, FEW),
        ("a network is lost", 3, f"a network is lost; {FEW}"),
        (f"a network is lost; {FEW}", 3, f"a network is lost; {FEW}"),
        ("3 of the 5 ensembles that are needed", 3, "3 of the 5 ensembles that are needed"),
        ("", 0, ""),
        ("", FEWEST_ENSEMBLES, ""),
        ("a network is lost", 12, "a network is lost"),
    ],
)
def test_row_of_few_ensembles_says_so_whatever_its_note(note, ensembles, expected):
    row = {"estimate": 0.5, "low": 0.4, "high": 0.6, "ensembles": ensembles, "note": note}
    columns = ["estimate", "low", "high", "level", "ensembles", "note"]
    table = table_of([row], columns, Resampling(np.random.default_rng(0)))
    assert table["note"].item() == expected
    assert table[["estimate", "low", "high"]].to_numpy().tolist() == [[0.5, 0.4, 0.6]]


def test_what_has_no_estimate_says_why_and_no_more():
    row = {"ensembles": 1, "note": "no network is left"}
    columns = ["estimate", "low", "high", "level", "ensembles", "note"]
    table = table_of([row], columns, Resampling(np.random.default_rng(0)))
    assert table["note"].item() == "no network is left"


def test_tables_without_ensembles_or_notes_stay_as_they_are():
    row = {"estimate": 0.5, "low": 0.4, "high": 0.6, "ensembles": 3}
    table = table_of([row], [*row, "level"], Resampling(np.random.default_rng(0)))
    pd.testing.assert_frame_equal(table, pd.DataFrame([row | {"level": 0.95}]))
