"""Tables → a figure, or one for every measure."""

import argparse
import json
from importlib import import_module
from inspect import signature
from pathlib import Path

from generalization.errors import told_in_one_sentence
from generalization.figures.style import save_figure
from generalization.measures import BASELINES
from generalization.tables import read_table


def main() -> None:
    """Arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure")
    parser.add_argument("--measures", type=Path, required=True)
    parser.add_argument("--statistics", type=Path, required=True)
    parser.add_argument("--training", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("outputs", type=Path, nargs="+", help="<measure>.svg, or <figure>.svg")
    arguments = parser.parse_args()

    draw = getattr(import_module(f"generalization.figures.{arguments.figure}"), arguments.figure)
    offered = {
        "measures": read_table(arguments.measures),
        "statistics": read_table(arguments.statistics),
        "training": read_table(arguments.training),
        "baselines": BASELINES,
        **arguments.settings,
    }
    for path in arguments.outputs:
        offered["measure"] = path.stem
        asked = {name: offered[name] for name in signature(draw).parameters if name in offered}
        save_figure(path, draw(**asked))


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
