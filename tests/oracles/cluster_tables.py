"""Made-up similarities of networks of three learning rates, and the table of their training."""

import pandas as pd
from oracles.similarity_tables import STEPS

from generalization.tables import collect_training

RATES = {"e0": 0.1, "e1": 0.2, "e2": 0.4}
NETWORKS = [(ensemble, seed) for ensemble in RATES for seed in (1, 2)]


def study_of(within=0.9, between=0.4, layers=2):
    """Networks of three learning rates, of which the same ones are alike."""
    rows = []
    for place, first in enumerate(NETWORKS):
        for second in NETWORKS[place + 1 :]:
            same = first[0] == second[0]
            for layer in range(layers):
                rows.append({
                    "similarity": "pwcca",
                    "pairs": "between_seeds" if same else "between_ensembles",
                    **dict(zip(["ensemble_a", "seed_a"], first, strict=True)),
                    **dict(zip(["ensemble_b", "seed_b"], second, strict=True)),
                    **{f"step_{side}": STEPS[-1] for side in "ab"},
                    **{f"layer_{side}": layer for side in "ab"},
                    "value": within if same else between,
                    "null": 0.1,
                    "status": "ok",
                })
    return pd.DataFrame(rows), training_of(layers)


def training_of(layers):
    performance = dict.fromkeys(["train_loss", "train_accuracy", "test_loss", "test_accuracy"], 1.0)
    rows = [
        {"ensemble": ensemble, "seed": seed, "step": step, "status": "fitted"} | performance
        for ensemble, seed in NETWORKS
        for step in (0, STEPS[-1])
    ]
    same = {
        "dataset": "mnist",
        "architecture": "fully_connected",
        "label_corruption": 0.0,
        "randomization": "none",
        "depth": layers,
        "width": 50,
    }
    hyperparameters = {name: same | {"learning_rate": rate} for name, rate in RATES.items()}
    return collect_training(pd.DataFrame(rows), hyperparameters)
