"""Describe a dataset of a user: shape, digest and constant inputs, as JSON on standard output.

It is run in a process of its own, since the modules of a user may import anything.
"""

import json
import sys

from generalization.datasets.own_dataset import own_dataset
from generalization.errors import exit_on_input_error


def main() -> None:
    """Read a request from standard input, answer it."""
    request = json.load(sys.stdin)
    sys.path[:0] = request["folders"]
    answer, sys.stdout = sys.stdout, sys.stderr  # Whatever a user's module prints is no answer.
    json.dump(own_dataset(request["name"], request["about"]).description, answer)


if __name__ == "__main__":
    with exit_on_input_error():
        main()
