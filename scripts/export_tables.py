"""Describe the columns of the tables of a study, and write the tables as Parquet."""

import argparse
from pathlib import Path

import yaml

from generalization.columns import column_dictionary
from generalization.docstrings import columns
from generalization.errors import exit_on_input_error
from generalization.tables import read_table, write_parquet, write_table

SCHEMA = Path(__file__).parents[1] / "workflow/schemas/study.schema.yaml"


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+", help="<table>.csv")
    parser.add_argument("--definitions", nargs="*", default=[], help="<table>=<Python file>")
    parser.add_argument("--columns", type=Path, required=True, help="their data dictionary")
    parser.add_argument("--parquet", type=Path, required=True, help="folder")
    arguments = parser.parse_args()

    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    tables = {path.stem: read_table(path) for path in arguments.tables}
    described = schema["$defs"]["hyperparameters"]["properties"]
    files = dict(definition.split("=") for definition in arguments.definitions)
    definitions = {name: columns(file, name) for name, file in files.items()}
    write_table(arguments.columns, column_dictionary(tables, described, definitions))
    print(write_parquet(arguments.parquet, tables))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
