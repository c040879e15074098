import numpy as np
import pandas as pd
import pytest
from oracles.similarity_tables import STEPS
from sklearn.metrics import silhouette_score

from generalization.experiments.similarity.cluster_maps import cluster_maps
from generalization.experiments.similarity.solution_clusters import (
    COLUMNS,
    mean_silhouette,
    ordered_clusters,
    solution_clusters,
)
from generalization.statistics.resampling import Resampling
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


def table_of(study):
    return solution_clusters(*study, resampling=Resampling(np.random.default_rng(1), 200))


def test_planted_clusters_are_found():
    table = table_of(study_of())
    assert list(table) == COLUMNS
    rows = table[table["layer"] == 0].set_index("statistic")
    estimates = rows["estimate"]
    assert estimates["clusters"] == 3
    # Distances are 0.1 within and 0.6 between.
    assert estimates["silhouette"] == pytest.approx(5 / 6)
    assert estimates["between_minus_within_ensembles"] == pytest.approx(0.5)
    assert (rows["networks"] == 6).all()
    assert (rows["ensembles"] == 3).all()


def test_silhouette_is_that_of_scikit_learn():
    points = np.random.default_rng(0).normal(size=(12, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    clusters = np.array([1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4])
    expected = silhouette_score(distances, clusters, metric="precomputed")
    assert mean_silhouette(distances, clusters) == pytest.approx(expected)


def test_equal_networks_are_one_cluster():
    order, clusters, score = ordered_clusters(np.zeros((4, 4)))
    assert sorted(order) == [0, 1, 2, 3]
    assert clusters.tolist() == [1, 1, 1, 1]
    assert np.isnan(score)


@pytest.mark.parametrize("lost", ["pair", "ensembles", "labels"])
def test_incomplete_groups_have_no_clusters(lost):
    similarities, training = study_of()
    if lost == "pair":
        similarities = similarities.iloc[2:]
    elif lost == "ensembles":
        similarities = similarities[similarities["pairs"] == "between_seeds"]
        similarities = similarities[similarities["ensemble_a"] == "e0"]
    else:
        training = training.assign(label_corruption=1.0)
    assert table_of((similarities, training)).empty
    assert cluster_maps(similarities, training).texts[0].get_text() == (
        "No networks of two ensembles on true labels were all compared."
    )


def test_map_holds_the_distances_in_the_order_of_clusters():
    axes = cluster_maps(*study_of(layers=3)).axes[0]
    shown = axes.images[0].get_array().data
    assert shown.diagonal() == pytest.approx(0)
    assert [shown[place, place + 1] for place in (0, 2, 4)] == pytest.approx([0.1] * 3)
    assert [line.get_ydata()[0] for line in axes.lines[::2]] == [1.5, 3.5]
    names = {label.get_text() for label in axes.get_yticklabels()}
    assert len(names) == 3
