"""Draw a figure from tables, or one for every measure or factor."""

import argparse
import json
from pathlib import Path

from generalization.errors import exit_on_input_error
from generalization.figures.svg_file import save_figure
from generalization.signatures import imported, named_by
from generalization.tables import read_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure", type=imported, help="module:function")
    parser.add_argument("--one-per", default="", help="measure or factor, if there is one for each")
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="<table>.csv")
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument(
        "outputs", type=Path, nargs="+", help="<figure>.svg, or <measure or factor>.svg"
    )
    arguments = parser.parse_args()

    draw = arguments.figure
    offered = arguments.settings | {path.stem: read_table(path) for path in arguments.tables}
    for path in arguments.outputs:
        offered[arguments.one_per] = path.stem
        save_figure(path, draw(**named_by(draw, offered)))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
