"""Correlate measures with the generalization gap; list excluded networks."""

import argparse
import json
from pathlib import Path

import numpy as np

from generalization.errors import exit_on_input_error
from generalization.signatures import named_by
from generalization.statistics.fit_statistics import fit_statistics
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import excluded
from generalization.tables import read_table, write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measures", type=Path)
    parser.add_argument("--ensemble-measures", type=read_table, nargs="?", help="if there are any")
    parser.add_argument("--image-errors", type=read_table, nargs="?", help="if the study has them")
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--baselines", nargs="*", default=[], help="measures to beat")
    parser.add_argument("--test-sizes", type=json.loads, default={}, help="dataset → test points")
    parser.add_argument("--statistics", type=Path, required=True)
    parser.add_argument("--design", type=Path, required=True)
    parser.add_argument("--excluded", type=Path, required=True)
    arguments = parser.parse_args()

    measures, settings = read_table(arguments.measures), arguments.settings
    accuracy = settings["fitted_accuracy"]
    generator = np.random.default_rng(list(b"statistics"))
    resampling = Resampling(generator, **named_by(Resampling, settings))
    statistics, design = fit_statistics(
        measures,
        resampling=resampling,
        baselines=arguments.baselines,
        test_sizes=arguments.test_sizes,
        ensemble_measures=arguments.ensemble_measures,
        image_errors=arguments.image_errors,
        **named_by(fit_statistics, settings),
    )
    write_table(arguments.statistics, statistics)
    write_table(arguments.design, design)
    write_table(arguments.excluded, excluded(measures, fitted_accuracy=accuracy))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
