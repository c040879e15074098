"""Claims find their rows in tables that were written and read, whatever words these hold."""

import ast
import re

import numpy as np
import pandas as pd
import pytest

from generalization.catalog import PAPERS
from generalization.experiments import claims_of
from generalization.tables import WORDS, read_table, write_table

CLAIMS = list(claims_of(PAPERS))
# Columns of words that hold numbers in other tables.
ELSEWHERE_NUMBERS = {"better", "directions", "worse", "setting"}
ODD_WORDS = ["true", "false", "True", "FALSE", "nan", "none", "NA", "1", "007", "2.10", "inf"]


def chosen(query):
    """Column → value in a row that a query chooses."""
    return _chosen(ast.parse(query, mode="eval").body, True)


def _chosen(node, wanted):
    match node:
        case ast.BoolOp(op=ast.And(), values=parts) if wanted:
            return {key: value for part in parts for key, value in _chosen(part, True).items()}
        case ast.BoolOp(values=[part, *others]):
            # Of others, the row has the columns.
            beside = [_chosen(other, True) for other in others]
            return {key: value for one in beside for key, value in one.items()} | _chosen(
                part, wanted
            )
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return _chosen(part, not wanted)
        case ast.Name(id=name):
            return {name: wanted}
        case ast.Compare(left=ast.Name(id=name), comparators=[ast.Name(id=other)]) if name == other:
            return {name: 0.5}
        case ast.Compare(left=ast.Name(id=name), ops=[compared], comparators=[right]):
            value = ast.literal_eval(right)
            value = value[0] if isinstance(value, list | tuple) else value
            value += 1 if isinstance(compared, ast.Gt) else type(value)()
            return {name: value if wanted != isinstance(compared, ast.NotEq) else f"not_{value}"}
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="isna")):
            return {name: None}
        case ast.Call(func=ast.Attribute(value=ast.Attribute(value=name)), args=[word]):
            return {name.id: ast.literal_eval(word)}
    raise AssertionError(ast.dump(node))


def read_back(table, folder):
    write_table(folder / "table.csv", table)
    return read_table(folder / "table.csv")


def test_every_claim_finds_its_row_after_writing_and_reading(tmp_path):
    for rows in {claim.rows for claim in CLAIMS}:
        # Alone in its table: every column holds one value.
        table = pd.DataFrame([{"estimate": 0.5} | chosen(rows)])
        assert len(table.query(rows)) == 1, rows
        assert len(read_back(table, tmp_path).query(rows)) == 1, rows


def test_columns_that_claims_compare_with_words_are_words():
    compared = re.compile(r"(\w+)(?:\.str\.\w+\(| ==| !=| in) *[\[(]?'")
    found = {column for claim in CLAIMS for column in compared.findall(claim.rows)}
    assert found >= {"labels", "given", "statistic", "setting"}
    assert found - {*WORDS} == ELSEWHERE_NUMBERS


@pytest.mark.parametrize("word", ODD_WORDS)
def test_words_are_read_as_they_were_written(word, tmp_path):
    alone = pd.DataFrame({column: [word] for column in WORDS})
    pd.testing.assert_frame_equal(read_back(alone, tmp_path), alone)
    beside_missing = pd.DataFrame({column: [word, None] for column in WORDS}, dtype=str)
    pd.testing.assert_frame_equal(read_back(beside_missing, tmp_path), beside_missing)


@pytest.mark.parametrize(
    "cells", [["true"] * 2, ["false", "true"], ["true", None], ["None", "true"]]
)
def test_truth_values_are_not_the_words_for_them(cells, tmp_path):
    table = pd.DataFrame({
        "better": pd.Series(cells, dtype=str),
        "final": [True, False],
        "trained": pd.Series([True, np.nan], dtype=object),
        "value": 1.5,
    })
    pd.testing.assert_frame_equal(read_back(table, tmp_path), table)
