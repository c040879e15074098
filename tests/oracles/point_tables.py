"""Made-up tables of single points, and of the training of their networks."""

import numpy as np
import pandas as pd


def made_points(
    generator, *, datasets=("mnist",), losses=("cross_entropy",), ensembles=3, seeds=2, points=60
):
    """``points`` and ``training`` of a study: norms go with losses, points are hard for all."""
    tables, networks = [], []
    for dataset in datasets:
        for loss in losses:
            difficulty = 2 * generator.normal(size=points) - 3
            for ensemble in range(ensembles):
                for seed in range(1, seeds + 1):
                    network = {
                        "ensemble": f"{dataset}-{loss}-{ensemble:02d}",
                        "seed": seed,
                        "step": 100 + seed,
                    }
                    tables.append(of_network(generator, difficulty).assign(**network))
                    networks.append(network | training_of(dataset, loss))
    return pd.concat(tables, ignore_index=True), pd.DataFrame(networks)


def training_of(dataset, loss):
    """Rows of ``training`` for a network that fitted true labels."""
    return {
        "final": True,
        "status": "fitted",
        "dataset": dataset,
        "randomization": "none",
        "label_corruption": 0.0,
        "loss": loss,
        "train_loss": 0.001,
        "train_accuracy": 1.0,
        "test_loss": 0.3,
        "test_accuracy": 0.9,
    }


def of_network(generator, difficulty):
    """One network, wrong where its loss is large."""
    points = len(difficulty)
    loss = np.exp(difficulty + generator.normal(size=points))
    row = np.exp(-loss) * -np.expm1(-loss) * np.exp(0.2 * generator.normal(size=points))
    return pd.DataFrame({
        "point": np.arange(points),
        "classes": 10,
        "cross_entropy": loss,
        "squared_loss": 2 * np.expm1(-loss) ** 2,
        "correct": (loss < 0.5).astype(int),
        "jacobian_norm": 1.2 * row + 0.02 * generator.random(points),
        "true_row_norm": row,
        "logit_gram_m": np.exp(0.2 * generator.normal(size=points)),
        "least_confidence": generator.permutation(loss) / (1 + loss.max()),
        "entropy": loss.round(1),
    })
