from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
import yaml
from oracles.league_tables import made_design, made_statistics
from oracles.studies import made_measures

from generalization.audit.audit_checks import COLUMNS as OF_CHECKS
from generalization.catalog import PROFILES, TABLES, file_of, module_of
from generalization.columns import column_dictionary
from generalization.docstrings import columns as defined
from generalization.representations.comparing import COLUMNS as OF_SIMILARITIES
from generalization.statistics.claims import COLUMNS as OF_CLAIMS
from generalization.statistics.selection import excluded
from generalization.tables import write_parquet

SCHEMA = yaml.safe_load(Path("workflow/schemas/study.schema.yaml").read_text(encoding="utf-8"))
HYPERPARAMETERS = SCHEMA["$defs"]["hyperparameters"]["properties"]
MEASURES = made_measures()


@pytest.mark.parametrize(
    ("table", "columns"),
    {
        "measures": [*MEASURES, *HYPERPARAMETERS],
        "statistics": made_statistics(),
        "design": made_design(),
        "excluded": excluded(MEASURES),
        "claims": OF_CLAIMS,
        "similarities": OF_SIMILARITIES,
        "audit_checks": OF_CHECKS,
    }.items(),
)
def test_columns_of_every_study_are_described(table, columns):
    described = column_dictionary({table: list(columns)}, HYPERPARAMETERS)
    assert described["column"].tolist() == list(columns)
    assert (described["meaning"].str.len() > 3).all()
    assert not described["meaning"].str.startswith("See the definition").any()


def test_hyperparameters_are_described_as_in_the_schema():
    row = column_dictionary({"measures": ["train_size"]}, HYPERPARAMETERS).iloc[0]
    assert row["meaning"] == " ".join(HYPERPARAMETERS["train_size"]["description"].split())


def test_other_columns_point_to_the_definition_of_their_table():
    rows = column_dictionary({"points": ["logit_margin"], "training": ["step"]}, HYPERPARAMETERS)
    assert rows.to_dict("records") == [
        {
            "table": "points",
            "column": "logit_margin",
            "meaning": "See the definition of the table",
            "unit": "",
        },
        {
            "table": "training",
            "column": "step",
            "meaning": "Number of training steps after which the network was kept",
            "unit": "steps",
        },
    ]


@pytest.mark.parametrize("name", [*TABLES, *PROFILES])
def test_every_column_of_every_table_is_described(name):
    columns = getattr(import_module(module_of(name)), "COLUMNS", [])
    rows = column_dictionary({name: columns}, HYPERPARAMETERS, {name: defined(file_of(name), name)})
    assert rows["meaning"].str.len().gt(3).all()
    assert rows[rows["meaning"].str.startswith("See the definition")].empty


def test_columns_mean_what_their_table_says_of_them():
    definitions = {"regions": {"active_1": "Active units of a layer.", "log_norm": "ln w."}}
    columns = ["active_1", "active_7", "log_norm_test", "share", "share_low", "step"]
    rows = column_dictionary({"regions": columns}, HYPERPARAMETERS, definitions)
    assert rows["meaning"].tolist() == [
        "Active units of a layer.",
        "Active units of a layer.",
        "ln w, of test inputs",
        "See the definition of the table",
        "Lower bound of the interval of share",
        "Number of training steps after which the network was kept",
    ]
    assert rows["unit"].tolist() == ["", "", "", "", "unit of share", "steps"]


def test_parquet_without_its_library_is_reported_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr("generalization.tables.find_spec", lambda name: None)
    assert write_parquet(tmp_path, {"measures": MEASURES}) == (
        "No Parquet is written, since pyarrow is not installed (`pip install pyarrow`); the CSV "
        "tables hold the same numbers."
    )
    assert not list(tmp_path.iterdir())


def test_parquet_is_written_for_every_table(monkeypatch, tmp_path):
    monkeypatch.setattr("generalization.tables.find_spec", lambda name: name)
    written = {}
    monkeypatch.setattr(
        type(MEASURES),
        "to_parquet",
        lambda table, path, index: (path.write_bytes(b"PAR1"), written.update(index=index)),
    )
    done = write_parquet(tmp_path / "parquet", {"measures": MEASURES, "training": MEASURES})
    assert done == f"2 tables are written as Parquet to {tmp_path / 'parquet'}."
    assert written == {"index": False}
    files = sorted((tmp_path / "parquet").iterdir())
    assert [file.name for file in files] == ["measures.parquet", "training.parquet"]
    assert {file.read_bytes() for file in files} == {b"PAR1"}


def test_parquet_holds_what_the_table_holds(tmp_path):
    """Written by pyarrow itself; objects such as None among numbers included."""
    table = MEASURES.assign(hidden=[None, *[1] * (len(MEASURES) - 1)])
    write_parquet(tmp_path, {"measures": table})
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "measures.parquet"), table, check_dtype=False
    )
