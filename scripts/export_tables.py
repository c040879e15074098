"""Describe the columns of the tables of a study, and write the tables as Parquet."""

import argparse
from pathlib import Path

import yaml

from generalization.catalog import PROFILES, TABLES, file_of
from generalization.columns import column_dictionary
from generalization.docstrings import columns
from generalization.errors import told_in_one_sentence
from generalization.tables import read_table, write_parquet, write_table

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "workflow/schemas/study.schema.yaml"


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+", help="<table>.csv")
    parser.add_argument("--columns", type=Path, required=True, help="their data dictionary")
    parser.add_argument("--parquet", type=Path, required=True, help="folder")
    arguments = parser.parse_args()

    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    tables = {path.stem: read_table(path) for path in arguments.tables}
    described = schema["$defs"]["hyperparameters"]["properties"]
    defined = [name for name in tables if name in TABLES | PROFILES]
    definitions = {name: columns(ROOT / file_of(name), name) for name in defined}
    write_table(arguments.columns, column_dictionary(tables, described, definitions))
    print(write_parquet(arguments.parquet, tables))


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
