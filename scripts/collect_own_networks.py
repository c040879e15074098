"""Collect accuracies and measures of a user's networks in two tables, with hyper-parameters."""

import argparse
import json
from itertools import product
from pathlib import Path

import pandas as pd

from generalization.computed_on import counted_origins, without_origins
from generalization.errors import exit_on_input_error
from generalization.own_population import with_statuses
from generalization.tables import collect_measures, collect_training, read_table, write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=Path, required=True, help="folder of all networks")
    parser.add_argument("--manifest", type=json.loads, required=True, help="ensembles and members")
    parser.add_argument("--measures", nargs="+", required=True, help="names of their files")
    parser.add_argument("--fitted-accuracy", type=float, required=True)
    parser.add_argument("--output-measures", type=Path, required=True)
    parser.add_argument("--output-training", type=Path, required=True)
    parser.add_argument("--output-computed-on", type=Path, required=True)
    arguments = parser.parse_args()

    hyperparameters = arguments.manifest["hyperparameters"]
    folders = [arguments.networks / name for name in arguments.manifest["networks"]]
    evaluated = pd.concat(read_table(folder / "training.csv") for folder in folders)
    known = pd.DataFrame(arguments.manifest["accuracies"])
    training = with_statuses(
        without_origins(evaluated), known, fitted_accuracy=arguments.fitted_accuracy
    )
    tables = [
        read_table(folder / f"measures/{measure}.csv")
        for folder, measure in product(folders, arguments.measures)
    ]
    measures = collect_measures(tables, training, hyperparameters)
    write_table(arguments.output_measures, measures)
    write_table(arguments.output_training, collect_training(training, hyperparameters))
    origins = [counted_origins(pd.concat(tables)), counted_origins(evaluated, "training")]
    write_table(arguments.output_computed_on, pd.concat(origins))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
