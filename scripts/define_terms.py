"""Collect the definitions of the measures and tables of a study from their docstrings."""

import argparse
from pathlib import Path

import pandas as pd

from generalization.docstrings import definition
from generalization.errors import told_in_one_sentence
from generalization.tables import write_table

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("terms", nargs="+", help="kind:name:file")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    terms = [term.split(":") for term in arguments.terms]
    rows = [
        {
            "kind": kind,
            "name": name,
            "definition": definition(ROOT / file, name),
            "file": file,
        }
        for kind, name, file in terms
    ]
    write_table(arguments.output, pd.DataFrame(rows))


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
