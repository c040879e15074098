"""Describe architectures of a user: what their networks store, compute and draw, as JSON.

It is run in a process of its own, since the modules of a user may import anything.
"""

import json
import sys

from generalization.errors import exit_on_input_error
from generalization.networks.architecture_sizes import described_architecture
from generalization.networks.foreign_architecture import ForeignArchitecture


def main() -> None:
    """Read a request from standard input, answer it on standard output."""
    request = json.load(sys.stdin)
    sys.path[:0] = request["folders"]
    answer, sys.stdout = sys.stdout, sys.stderr  # Whatever a user's module prints is no answer.
    found = [
        described_architecture(ForeignArchitecture(place, arguments, tuple(image), classes))
        for place, arguments, image, classes in request["architectures"]
    ]
    json.dump(found, answer)


if __name__ == "__main__":
    with exit_on_input_error():
        main()
