"""A table is read as it is meant, or a sentence names the column or the row."""

import re

import pytest

from generalization.datasets.own_tables import table_arrays
from generalization.errors import InputError


@pytest.fixture
def read(tmp_path):
    def written(text, encoding="utf-8"):
        path = tmp_path / "train.csv"
        path.write_bytes(text.encode(encoding))
        return table_arrays(path, "data.train")

    return written


@pytest.mark.parametrize(
    ("text", "features", "labels"),
    [
        ("a,label\n1,cat\n2,NA\n3,null\n", [[1], [2], [3]], ["cat", "NA", "null"]),
        ("a,label\n1,None\n2,none\n3,nan\n", [[1], [2], [3]], ["None", "none", "nan"]),
        ("a,label\n1,N/A\n2,1\n3,b\n", [[1], [2], [3]], ["N/A", "1", "b"]),
        ("a,label\n1,True\n2,False\n", [[1], [2]], ["True", "False"]),
        ("label,a\n cat,1\ncat ,2\n", [[1], [2]], ["cat", "cat"]),
        ("a,y,b\n1e3,1,-2\n.5,0,+3\n", [[1000, -2], [0.5, 3]], [1, 0]),
        ('"a","label"\n"1","0"\n\n"2","1"\n', [[1], [2]], [0, 1]),
        ("a,label\nTrue,0\nFalse,1\n", [[1], [0]], [0, 1]),
        ("\ufeffa,label\r\n1,0\r\n", [[1]], [0]),
        ("a,label\n1,0,\n2,1,\n", [[1], [2]], [0, 1]),
        ("id,label\n1.5,0\n2.5,1\n", [[1.5], [2.5]], [0, 1]),
        ("id,label\n3,0\n3,1\n", [[3], [3]], [0, 1]),
    ],
    ids=[
        *("na_and_null", "none_and_nan", "na_among_names_and_numbers", "truth_values", "spaces"),
        *("numbers", "quotes", "truth_values_as_features", "mark_of_bytes", "trailing_commas"),
        *("named_id", "repeated_id"),
    ],
)
def test_tables_as_they_are_meant(read, text, features, labels):
    found, classes = read(text)
    assert found.tolist() == features and classes.tolist() == labels
    assert found.dtype == "float32" and classes.dtype.kind in "iU"


BLANK = "must have a label in every row, not '' in row 2."
NUMBERS = "must have integers in all rows as labels, or names, not {!r} in row 2 among numbers."
FEATURE = "must have finite numbers in column b, not {!r} in row 2."
UNNAMED = (
    "must have a name for every column, not {!r} for column 1: to_csv(index=False) of pandas "
    "leaves out the index."
)
ROWS = (
    "must have features beside labels, not the column {}, which numbers the rows: leave it out, or "
    "give it another name."
)
LONG = "must have as many values in every row as names of columns, not more."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,label\n", "must have at least one row, not none."),
        ("label\n0\n1\n", "must have a column of features beside label, not none."),
        ("a,b\n0,1\n", "must have a column labels or y or label; its columns are a, b."),
        ("a;label\n0;1\n", "must have a column labels or y or label; its columns are a;label."),
        ("a,label\n1,cat\n2,\n", BLANK),
        ("a,label\n1,cat\n2,  \n", BLANK),
        ("a,label\n1,0\n2\n", BLANK),
        ("a,label\n1,0\n2,NA\n", NUMBERS.format("NA")),
        ("a,label\n1,0\n2,None\n3,1\n", NUMBERS.format("None")),
        ("a,label\n1,0\n2,1.0\n", NUMBERS.format("1.0")),
        ("a,b,label\n1,2,0\n1,,1\n", FEATURE.format("")),
        ("a,b,label\n1,2,0\n1,NA,1\n", FEATURE.format("NA")),
        ("a,b,label\n1,2,0\n1,red,1\n", FEATURE.format("red")),
        ("a,b,label\n1,2,0\n1,inf,1\n", FEATURE.format("inf")),
        ("a,b,label\n1,2,0\n1,1e39,1\n", FEATURE.format("1e39")),
        (",a,label\n0,1,0\n1,2,1\n", UNNAMED.format("")),
        ("Unnamed: 0,a,label\n5,1,0\n7,2,1\n", UNNAMED.format("Unnamed: 0")),
        ("Unnamed: 0.1,a,label\n5,1,0\n7,2,1\n", UNNAMED.format("Unnamed: 0.1")),
        ("index,a,label\n5,1,0\n7,2,1\n", ROWS.format("index")),
        ("a,Id,label\n1,9,0\n2,7,1\n", ROWS.format("Id")),
        ("a,label\n0,1,0\n1,2,1\n", LONG),
        ("a,label\nfirst,1,0\nsecond,2,1\n", LONG),
        ("a,a,label\n1,2,0\n", "must have every column once, not a twice."),
        (
            "x,y,label\n1,2,0\n",
            "must have one column of labels, not y and label: features have other names.",
        ),
        (
            "",
            "must be a table of comma-separated values, but: No columns to parse from file.",
        ),
    ],
)
def test_tables_that_would_be_read_as_something_else(read, text, sentence):
    with pytest.raises(InputError, match=f"^data.train {re.escape(sentence)}$"):
        read(text)


def test_a_table_in_another_encoding(read):
    with pytest.raises(InputError, match=r"^data\.train must be a table of .* 'utf-8' codec can't"):
        read("a,label\n1,é\n", "latin-1")
