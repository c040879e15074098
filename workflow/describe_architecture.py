"""Describe architectures of a user: what their networks store, compute and draw, as JSON.

It is run in a process of its own, since the modules of a user may import anything.
"""

import json
import sys
from typing import Any

import torch

from generalization.errors import exit_on_input_error
from generalization.networks.architecture_sizes import described_architecture
from generalization.networks.foreign_architecture import ForeignArchitecture
from generalization.networks.module_networks import template_of
from generalization.regions.module_loop_costs import convolves, layers_of_loops
from generalization.regions.stages import can_be_followed


def followed_layers(one: ForeignArchitecture) -> dict[str, Any]:
    """Describe the layers by which loops of images are followed exactly.

    Returns:
        ``followed``, their operations and units, none where loops are sampled; and whether the
        network ``convolves``.
    """
    module = template_of(one).module.eval()
    image = torch.zeros(1, *one.image, dtype=next(module.parameters()).dtype)
    layers = layers_of_loops(module, image) if can_be_followed(module) else []
    return {"followed": layers, "convolves": convolves(module)}


def main() -> None:
    """Read a request from standard input, answer it on standard output."""
    request = json.load(sys.stdin)
    sys.path[:0] = request["folders"]
    answer, sys.stdout = sys.stdout, sys.stderr  # Whatever a user's module prints is no answer.
    torch.set_num_threads(1)  # Trial runs are small: threads would wait for each other.
    found = []
    for place, arguments, image, classes in request["architectures"]:
        one = ForeignArchitecture(place, arguments, tuple(image), classes)
        found.append(described_architecture(one) | followed_layers(one))
        template_of.cache_clear()  # All networks of a study at once may not fit in memory.
    json.dump(found, answer)


if __name__ == "__main__":
    with exit_on_input_error():
        main()
