import numpy as np
import pytest
from oracles.cluster_tables import study_of
from sklearn.metrics import silhouette_score

from generalization.experiments.similarity.solution_clusters import (
    COLUMNS,
    mean_silhouette,
    ordered_clusters,
    solution_clusters,
)
from generalization.statistics.resampling import Resampling


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
