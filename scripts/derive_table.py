"""Derive a table of statistics from other tables."""

import argparse
import json
from pathlib import Path

import numpy as np

from generalization.errors import exit_on_input_error
from generalization.experiments import claims_of, untested_of
from generalization.signatures import imported, named_by
from generalization.statistics.resampling import Resampling
from generalization.tables import read_table, write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", type=Path, nargs="*", help="<table>.csv")
    parser.add_argument("--table", type=imported, required=True, help="module:function")
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    derive, settings = arguments.table, arguments.settings
    tables = {path.stem: read_table(path) for path in arguments.inputs}
    generator = np.random.default_rng(list(derive.__name__.encode()))
    resampling = Resampling(generator, **named_by(Resampling, settings))
    papers = settings.get("papers", {})
    about = {"papers": tuple(claims_of(papers)), "untested": tuple(untested_of(papers))}
    offered = settings | about | {"resampling": resampling, "tables": tables} | tables
    write_table(arguments.output, derive(**named_by(derive, offered)))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
