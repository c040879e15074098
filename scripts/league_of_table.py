"""Rank the measures of a table from elsewhere by the generalization gap."""

import argparse
from pathlib import Path

from generalization.errors import exit_on_input_error
from generalization.figures.measure_league import measure_league
from generalization.figures.svg_file import save_figure
from generalization.files import written_whole
from generalization.signatures import named_by
from generalization.statistics.foreign_league import foreign_league
from generalization.statistics.foreign_table import read_foreign_table
from generalization.statistics.summary import summary
from generalization.tables import write_parquet, write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="CSV, one row per network")
    parser.add_argument("--hyperparameters", nargs="*", default=[], help="columns of the table")
    parser.add_argument("--baselines", nargs="*", default=[], help="measures to beat")
    parser.add_argument("--fitted-accuracy", type=float, default=0.999)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--test-size", type=int, help="test points behind every test accuracy")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    arguments = parser.parse_args()

    measures = read_foreign_table(arguments.table, arguments.hyperparameters)
    tables = foreign_league(measures, **named_by(foreign_league, vars(arguments)))
    for name, table in {"measures": measures, **tables}.items():
        write_table(arguments.output / f"{name}.csv", table)
    write_parquet(arguments.output / "parquet", {"measures": measures, **tables})
    save_figure(arguments.output / "measure_league.svg", measure_league(tables["statistics"]))
    about = {name: tables[name] for name in ("statistics", "design", "selection_on_fit")}
    lines = summary(measures=measures, **about, fitted_accuracy=arguments.fitted_accuracy)
    with written_whole(arguments.output / "summary.txt") as beside:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(*lines, sep="\n\n")


if __name__ == "__main__":
    with exit_on_input_error():
        main()
