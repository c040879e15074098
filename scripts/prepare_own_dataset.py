"""Prepare a dataset of a user from its source: read, check, shuffle, normalize."""

import argparse
import json
import sys
from pathlib import Path

from generalization.datasets.own_dataset import prepare_own_dataset
from generalization.errors import exit_on_input_error


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="name of the dataset")
    parser.add_argument("--about", type=json.loads, required=True, help="its sources and settings")
    parser.add_argument("--path", default="", help="folders of modules, with : between them")
    parser.add_argument("--sha256", help="digest that its contents were described to have")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    sys.path[:0] = arguments.path.split(":")
    about = arguments.about
    prepare_own_dataset(arguments.dataset, about, arguments.output, arguments.sha256)


if __name__ == "__main__":
    with exit_on_input_error():
        main()
