"""Prepare a dataset from its source files: verify, shuffle, normalize."""

import argparse
from importlib import import_module
from pathlib import Path

from generalization.datasets.preparation import prepare_dataset
from generalization.errors import exit_on_input_error


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="name of its file in generalization/datasets")
    parser.add_argument("--data-root", default="", help="folder to look in first")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    source = import_module(f"generalization.datasets.{arguments.dataset}")
    read = getattr(source, arguments.dataset)
    data_root = Path(arguments.data_root).expanduser() if arguments.data_root else None
    prepare_dataset(arguments.dataset, read(data_root), arguments.output)


if __name__ == "__main__":
    with exit_on_input_error():
        main()
