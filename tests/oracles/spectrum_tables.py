"""A made-up table of canonical spectra, and of the training of its networks."""

import pandas as pd
from oracles.region_tables import training_of

STEPS = (0, 5, 20, 30, 50)
RANKS = (1, 2, 3, 4)
# Comparison → mean correlation at each step before the last; directions are told apart at 20.
MEANS = {
    "end": (0.2, 0.4, 0.6, 0.8),
    "stable": (0.4, 0.6, 0.9, 0.95),
    "unstable": (0.2, 0.3, 0.1, 0.5),
}
SEED_MEAN = 0.3
# Added in networks of the second seed, and in every layer above the first.
BY_SEED, BY_LAYER = 0.02, 0.01


def made_spectra(layers=2):
    """Correlations that fall by 0.1 around their mean from rank to rank, of two seeds."""
    rows, networks = [], []
    for seed in (1, 2):
        for place, step in enumerate(STEPS):
            network = {"ensemble": "e", "seed": seed, "step": step}
            networks.append(network | about(step, layers))
            means = {kind: course[place] for kind, course in MEANS.items() if step < STEPS[-1]}
            for kind, mean in (means or {"seed": SEED_MEAN}).items():
                for layer in range(layers):
                    level = mean + BY_SEED * (seed - 1) + BY_LAYER * layer
                    same = network | {"layer": layer, "compared": kind, "mean": level}
                    same |= {"directions": RANKS[-1], "null": 0.15}
                    rows += [
                        same | {"rank": rank, "correlation": level + 0.1 * (2.5 - rank)}
                        for rank in RANKS
                    ]
    return pd.DataFrame(rows), pd.DataFrame(networks)


def about(step, layers):
    """What the table of training says of a network."""
    labels = {"label_corruption": 0.0, "randomization": "none"}
    return (
        training_of(step)
        | {"final": step == STEPS[-1], "architecture": "fully_connected", "depth": layers}
        | labels
    )
