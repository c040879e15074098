"""Made-up tables of activation regions, and of the training of their networks."""

import numpy as np
import pandas as pd

UNITS = 200


def made_regions(generator, *, ensembles=3, seeds=2, points=200, steps=(0, 50), layers=2):
    """``activation_regions`` and ``training`` of a study: normal counts, fewer after training."""
    tables, networks = [], []
    for ensemble in range(ensembles):
        for seed in range(1, seeds + 1):
            for step in steps:
                network = {"ensemble": f"e{ensemble}", "seed": seed, "step": step}
                counts = generator.normal(50 if step else 60, 6 if step else 4, (points, layers))
                tables.append(of_network(generator, counts.round()).assign(**network))
                networks.append(network | training_of(step))
    return pd.concat(tables, ignore_index=True), pd.DataFrame(networks)


def of_network(generator, counts):
    """The rows of one network whose layers have these counts."""
    points = len(counts)
    margins = np.exp(generator.normal(-5, 1, points))
    return pd.DataFrame({
        "point": np.arange(points),
        "units": UNITS,
        "active": counts.sum(1),
        **{f"active_{layer}": of for layer, of in enumerate(counts.T, start=1)},
        "pattern": [f"0x{point // 2:016x}" for point in range(points)],
        "log_membership": -generator.exponential(50, points),
        "margin": margins,
        "margin_layer": 1,
        "inradius": margins / 2,
    })


def training_of(step):
    return {
        "final": step > 0,
        "status": "fitted",
        "dataset": "mnist",
        "depth": 3,
        "width": 100,
        "activation": "relu",
        "train_accuracy": 1.0 if step else 0.1,
    }
