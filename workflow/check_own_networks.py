"""Check what networks of a user share before any is measured: their factories and their data.

It is run in a process of its own, since the modules of a user may import anything.
"""

import json
import sys

from generalization.datasets.own_parts import own_parts
from generalization.errors import exit_on_input_error
from generalization.networks.own_module import imported_factory
from generalization.own_population import named_network


def main() -> None:
    """Read a request from standard input, answer it."""
    request = json.load(sys.stdin)
    sys.path[:0] = request["folders"]
    answer, sys.stdout = sys.stdout, sys.stderr  # Whatever a user's module prints is no answer.
    for factory, (group, seed) in request["factories"].items():
        with named_network(group, seed, request["manifest"]):
            imported_factory(factory)
    parts = own_parts(request["data"])
    json.dump({part: list(inputs.shape) for part, (inputs, _) in parts.items()}, answer)


if __name__ == "__main__":
    with exit_on_input_error():
        main()
