"""Rank the measures of a table from elsewhere by the generalization gap."""

import argparse
from pathlib import Path

import numpy as np

from generalization.errors import told_in_one_sentence
from generalization.figures.measure_league import measure_league
from generalization.figures.svg_file import save_figure
from generalization.files import written_whole
from generalization.signatures import named_by
from generalization.statistics.fit_statistics import fit_statistics
from generalization.statistics.foreign_table import read_foreign_table
from generalization.statistics.model_statistics import model_statistics
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import excluded
from generalization.statistics.selection_on_fit import selection_on_fit
from generalization.statistics.summary import summary
from generalization.tables import write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="CSV, one row per network")
    parser.add_argument("--hyperparameters", nargs="*", default=[], help="columns of the table")
    parser.add_argument("--baselines", nargs="*", default=[], help="measures to beat")
    parser.add_argument("--fitted-accuracy", type=float, default=0.999)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--output", type=Path, required=True, help="folder")
    arguments = parser.parse_args()

    measures = read_foreign_table(arguments.table, arguments.hyperparameters)
    accuracy = {"fitted_accuracy": arguments.fitted_accuracy}
    resampling = Resampling(np.random.default_rng(list(b"statistics")), arguments.resamples)
    offered = accuracy | {"resampling": resampling, "baselines": arguments.baselines}
    statistics, design = fit_statistics(measures, **named_by(fit_statistics, offered))
    write_table(arguments.output / "measures.csv", measures)
    write_table(arguments.output / "statistics.csv", statistics)
    write_table(arguments.output / "design.csv", design)
    write_table(arguments.output / "excluded.csv", excluded(measures, **accuracy))
    save_figure(arguments.output / "measure_league.svg", measure_league(statistics))
    fitting, models = (
        table(measures, statistics, **named_by(table, offered))
        for table in (selection_on_fit, model_statistics)
    )
    write_table(arguments.output / "selection_on_fit.csv", fitting)
    write_table(arguments.output / "model_statistics.csv", models)
    lines = summary(statistics, measures, design=design, selection_on_fit=fitting, **accuracy)
    with written_whole(arguments.output / "summary.txt") as beside:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(*lines, sep="\n\n")


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
