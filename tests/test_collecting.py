"""Tables that are read together are those that are read one by one."""

from io import StringIO

import numpy as np
import pandas as pd
import pytest

from generalization.collecting import read_tables
from generalization.errors import InputError
from generalization.tables import read_table, write_table


def table(**columns):
    return pd.DataFrame({"ensemble": "digits-00000000", "seed": [1, 2], **columns})


SAME_COLUMNS = [
    table(value=[1, 2], reason=""),
    table(value=[0.1, 1 / 3], reason=['said "no", twice', "two\nlines"]),
    table(value=[np.nan, 1e-300], reason="none"),
    table(value=[np.inf, -np.inf], reason="")[:0],
    table(value=np.float32([0.1, 1e10]), reason="é"),
]
OTHER_COLUMNS = [table(value=[3, 4], reason="", status="fitted"), table(value=[5, 6], reason="x")]


@pytest.mark.parametrize("tables", [SAME_COLUMNS, SAME_COLUMNS + OTHER_COLUMNS], ids=len)
def test_tables_are_the_same_as_one_by_one(tmp_path, tables):
    paths = [tmp_path / f"{number}.csv" for number in range(len(tables))]
    for path, one in zip(paths, tables, strict=True):
        write_table(path, one)
    alone = [read_table(path) for path in paths]
    expected = pd.concat([one for one in alone if len(one)], ignore_index=True)
    found = read_tables(paths)
    # A column of words may be of objects, or of strings.
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    write_table(tmp_path / "found.csv", found)
    write_table(tmp_path / "expected.csv", expected)
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_a_last_line_needs_no_end(tmp_path):
    for number in (1, 2):
        (tmp_path / f"{number}.csv").write_text(f"seed,value\n{number},0.5")
    found = read_tables([tmp_path / "1.csv", tmp_path / "2.csv"])
    pd.testing.assert_frame_equal(found, pd.read_csv(StringIO("seed,value\n1,0.5\n2,0.5\n")))


@pytest.mark.parametrize("rows", ['2,"0.5\n', "2,0.5,7\n"])
def test_a_file_that_is_no_table_is_named(tmp_path, rows):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("seed,value\n1,0.5\n")
    bad.write_text(f"seed,value\n1,0.5\n{rows}")
    with pytest.raises(InputError, match=rf"^{bad} must be a CSV table, but: .*\.$"):
        read_tables([good, bad, good])


def test_a_changed_digit_is_named(tmp_path):
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for path in paths:
        write_table(path, table(value=[0.5, 0.25]))
    paths[1].write_text(paths[1].read_text().replace("0.25", "0.35"))
    with pytest.raises(InputError, match=rf"^{paths[1]} must have the contents of which"):
        read_tables(paths)


def test_a_table_of_another_ensemble_or_measure_is_named(tmp_path):
    block = tmp_path / "digits-00000000/seeds-1-2/measures"
    right, hashed, copied = (block / f"{name}.csv" for name in ("a", "a-01234567", "b"))
    for path in (right, hashed, copied):
        write_table(path, table(measure="a", value=0.5))
    assert len(read_tables([right, hashed])) == 4
    with pytest.raises(InputError) as error:
        read_tables([right, copied])
    assert str(error.value) == (
        f"{copied} must have rows of measure b, not 'a'; without it the same command makes it "
        "again."
    )
    other = tmp_path / "digits-ffffffff/seeds-1-2/training.csv"
    write_table(other, table(final=True))
    with pytest.raises(
        InputError, match="must have rows of ensemble digits-ffffffff, not 'digits-0"
    ):
        read_tables([other])


def test_a_table_without_rows_is_of_no_other_ensemble(tmp_path):
    folder = tmp_path / "digits-0a1b2c3d" / "seeds-1-1"
    empty, full = (folder / part / "points.csv" for part in ("profiles", "more"))
    for path, rows in ((empty, []), (full, [("digits-0a1b2c3d", 1)])):
        path.parent.mkdir(parents=True)
        write_table(path, pd.DataFrame(rows, columns=["ensemble", "seed"]))
    assert read_tables([empty, full]).seed.tolist() == [1]
    assert read_tables([empty]).columns.tolist() == ["ensemble", "seed"]
