"""A made-up table of accuracies of projected layers, and of the training of its networks."""

import numpy as np
import pandas as pd
from oracles.region_tables import training_of

UNITS = 64
GRID = [0, 1, 2, 4, 8, 16, 32, 64]
# Kind of directions → number that the networks of seeds 1 and 2 need.
NEEDED = {
    "svcca": (4, 8),
    "svcca_weights": (8, 8),
    "principal": (4, 8),
    "largest_units": (8, 32),
    "random_units": (16, 64),
}


def made_directions(layers=2):
    """Accuracies that rise as log₂ k from 0.1 to 0.9 at what is needed."""
    rows, networks = [], []
    for seed in (1, 2):
        for step in (0, 50):
            network = {"ensemble": "e", "seed": seed, "step": step}
            networks.append(
                network | training_of(step) | {"architecture": "fully_connected", "depth": layers}
            )
            rows += [
                network
                | {"layer": layer, "directions": kind, "k": k, "units": UNITS}
                | {"accuracy": accuracy_of(k, needed[seed - 1]) if step else 0.1}
                for layer in range(layers)
                for kind, needed in NEEDED.items()
                for k in GRID
            ]
    return pd.DataFrame(rows), pd.DataFrame(networks)


def accuracy_of(k, needed):
    share = min(np.log2(max(k, 1)) / np.log2(needed), 1)
    return 0.1 + 0.8 * share
