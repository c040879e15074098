import numpy as np
import pandas as pd
import pytest
from oracles.point_tables import made_points, training_of
from scipy.special import log_softmax

from generalization.experiments.jacobian.bound_statistics import bound_statistics
from generalization.statistics.resampling import Resampling

FRACTIONS = [
    "true_row_within_eq_5",
    "norm_above_eq_6",
    "norm_above_eq_6_tightened",
    "norm_below_eq_7",
    "norm_between_eq_7_and_one_rival",
    "norm_above_true_row",
]


def orthogonal(classes, *, m=5.0, networks=3, points=200):
    """Networks whose logit gradients are orthogonal and of one length everywhere."""
    generator = np.random.default_rng(0)
    tables = []
    for network in range(networks):
        log_sigma = log_softmax(6 * generator.normal(size=(points, classes)), axis=1)
        sigma = np.exp(log_sigma)
        jacobian = sigma[:, :, None] * (np.eye(classes) - sigma[:, None, :]) * np.sqrt(m)
        tables.append(
            pd.DataFrame({
                "ensemble": f"mnist-{network}",
                "seed": 1,
                "step": 9,
                "point": np.arange(points),
                "classes": classes,
                "cross_entropy": -log_sigma[:, 0],
                "jacobian_norm": np.linalg.norm(jacobian, axis=(1, 2)),
                "true_row_norm": np.linalg.norm(jacobian[:, 0], axis=1),
                "logit_gram_m": m,
            })
        )
    training = [
        {"ensemble": f"mnist-{network}", "seed": 1, "step": 9}
        | training_of("mnist", "cross_entropy")
        for network in range(networks)
    ]
    return pd.concat(tables), pd.DataFrame(training)


def statistics_of(study, resamples=100):
    table = bound_statistics(*study, resampling=Resampling(np.random.default_rng(1), resamples))
    return table.set_index("statistic")


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_bounds_hold_everywhere_where_their_assumption_does(classes):
    table = statistics_of(orthogonal(classes))
    assert table.index.tolist() == FRACTIONS
    for statistic in set(FRACTIONS) - {"norm_below_eq_7"}:
        assert table.loc[statistic, ["estimate", "low", "high"]].tolist() == [1, 1, 1]


def test_eq_7_is_exceeded_by_most_points_where_its_assumption_holds():
    """It is the least there is for p ≥ 1/2, and far from the most below."""
    row = statistics_of(orthogonal(10)).loc["norm_below_eq_7"]
    assert row["high"] < 0.9


def test_fractions_are_those_of_the_definition():
    points, training = made_points(np.random.default_rng(0))
    expected = []
    for _, network in points.groupby(["ensemble", "seed"]):
        p, m = np.exp(-network["cross_entropy"]), network["logit_gram_m"].mean()
        row, norm = network["true_row_norm"], network["jacobian_norm"]
        eq_6 = np.sqrt(m * 10 / 9) * p * (1 - p)
        eq_7 = np.sqrt(m) / 9 * (1 - p) * np.sqrt(100 * p**2 + 8)
        sure = p >= 0.5
        expected.append([
            ((row >= eq_6) & (row <= np.sqrt(2 * m) * p * (1 - p))).mean(),
            (norm >= eq_6).mean(),
            (norm >= np.sqrt(m) * 10 / 9 * p * (1 - p)).mean(),
            (norm <= eq_7).mean(),
            ((norm >= eq_7) & (norm <= 2 * np.sqrt(m) * p * (1 - p)))[sure].mean(),
            (norm >= np.sqrt(10 / 9) * row).mean(),
        ])
    table = statistics_of((points, training))
    assert table["estimate"].tolist() == pytest.approx(np.mean(expected, axis=0).tolist())
    assert table["estimate"].between(0, 1).all()
    assert (table["low"] < table["high"])[:5].all()


def test_networks_that_are_never_sure_have_no_share_of_sure_points():
    points, training = orthogonal(10)
    table = statistics_of((points.assign(cross_entropy=1 + points["cross_entropy"]), training))
    assert table.loc["norm_between_eq_7_and_one_rival", "networks"] == 0
    assert table.loc["norm_above_eq_6", "networks"] == 3
