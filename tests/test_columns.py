from pathlib import Path

import pytest
import yaml
from oracles.league_tables import made_design, made_statistics
from oracles.studies import made_measures

from generalization.columns import column_dictionary
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
            "meaning": "See the definition of points",
            "unit": "",
        },
        {
            "table": "training",
            "column": "step",
            "meaning": "Number of training steps after which the network was kept",
            "unit": "steps",
        },
    ]


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
