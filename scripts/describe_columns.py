"""Describe the columns of the tables of a study."""

import argparse
from pathlib import Path

import pandas as pd
import yaml

from generalization.columns import column_dictionary
from generalization.errors import told_in_one_sentence
from generalization.tables import write_table

SCHEMA = Path(__file__).parents[1] / "workflow/schemas/study.schema.yaml"


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+", help="<table>.csv")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    headers = {path.stem: list(pd.read_csv(path, nrows=0)) for path in arguments.tables}
    described = schema["$defs"]["hyperparameters"]["properties"]
    write_table(arguments.output, column_dictionary(headers, described))


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
