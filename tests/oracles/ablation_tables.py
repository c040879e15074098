"""Made-up curves of ablation, single units, and the training of their networks."""

from itertools import product

import numpy as np
import pandas as pd

SEEDS = (1, 2, 3)
STEPS = (10, 20, 40, 80, 160, 320)
FRACTIONS = np.linspace(0, 1, 11)


def made_training(*, steps=(100,), normalizations=("none",), dropouts=(0.0, 0.3), corruptions=5):
    """Networks of one topology, of which labels, normalization and dropout differ."""
    grid = product(np.linspace(0, 1, corruptions), normalizations, dropouts)
    rows = [
        {
            "ensemble": f"digits-{position:08x}",
            "seed": seed,
            "step": step,
            "final": step == steps[-1],
            "status": "fitted",
            "dataset": "digits",
            "randomization": "none",
            "label_corruption": corruption,
            "architecture": "fully_connected",
            "architecture_arguments": None,
            "depth": 3,
            "width": 100,
            "pooling": "none",
            "activation": "relu",
            "normalization": normalization,
            "dropout": dropout,
            "train_loss": 1 / step,
            "train_accuracy": 1.0,
            # The minimum is at the third step.
            "test_loss": 1 + abs(np.log(step / steps[min(2, len(steps) - 1)])),
            "test_accuracy": 0.9 - 0.8 * corruption - 0.001 * seed,
        }
        for position, (corruption, normalization, dropout) in enumerate(grid)
        for seed in SEEDS
        for step in steps
    ]
    return pd.DataFrame(rows)


def made_curves(training, *, modes=("zero", "mean", "noise")):
    """Accuracy (1 − q)^p: the more labels are wrong, the less dropout there is, the larger p."""
    curves = []
    for network in training.to_dict("records"):
        late = 1 + abs(np.log2(network["step"] / 40)) / 10
        power = late * (1 + 2 * network["label_corruption"] + 0.01 * network["seed"])
        for mode in modes:
            amounts = FRACTIONS * (4 if mode == "noise" else 1)
            curves.append(
                pd.DataFrame({
                    "ensemble": network["ensemble"],
                    "seed": network["seed"],
                    "step": network["step"],
                    "layer": "all",
                    "mode": mode,
                    "amount": amounts,
                    "accuracy": (1 - FRACTIONS) ** (power / (1 + network["dropout"])),
                    "deviation": 0.01,
                })
            )
    return pd.concat(curves, ignore_index=True)


def made_units(training, *, slope=0.0, units=60):
    """Units of two layers; what is lost without them goes with their selectivity by the slope."""
    generator = np.random.default_rng(0)
    tables = []
    for network in training.to_dict("records"):
        for layer in (1, 2):
            selectivity = generator.random(units) / (1 + (network["normalization"] == "batch"))
            tables.append(
                pd.DataFrame({
                    **{key: network[key] for key in ("ensemble", "seed", "step")},
                    "layer": layer,
                    "unit": range(1, units + 1),
                    "mean_activation": np.arange(units) / units,
                    "class_selectivity": selectivity,
                    "mutual_information": generator.random(units),
                    "null_information": 0.0,
                    "importance": layer + slope * selectivity + 0.05 * generator.random(units),
                    "note": "",
                })
            )
    return pd.concat(tables, ignore_index=True)
