import numpy as np
import pandas as pd
import pytest

from generalization.experiments.output_sensitivity.loss_chain import (
    COLUMNS,
    explained_variance,
    loss_chain,
)
from generalization.statistics.intervals import perfect_order_bound
from generalization.statistics.resampling import Resampling


def made_study(factor, *, ensembles=8, corruption=0.0, slope=1.0):
    """Networks whose cross-entropy is a factor times a power of √(L_MSE / 2) of the logits."""
    generator = np.random.default_rng(0)
    errors, training = [], []
    for ensemble in range(ensembles):
        for seed in (1, 2):
            network = {"ensemble": f"e{ensemble}", "seed": seed, "step": 10}
            root = np.exp(generator.normal())
            noise = np.exp(0.01 * generator.normal())
            errors.append(
                network
                | {"cross_entropy": factor * root**slope * noise, "squared_error": 0.5}
                | {"lower_bound": 0.4, "squared_logit_error": 2 * root**2}
            )
            about = {"final": True, "status": "fitted", "dataset": "mnist_subset"}
            about |= {"label_corruption": corruption * (ensemble % 2), "randomization": "none"}
            training.append(network | about)
    return pd.DataFrame(errors), pd.DataFrame(training)


def statistics_of(study):
    return loss_chain(*study, resampling=Resampling(np.random.default_rng(0)))


def of(table, statistic, output="logits", labels="true"):
    keys = ["statistic", "output", "labels"]
    return table[(table[keys] == [statistic, output, labels]).all(axis=1)].squeeze()


def test_relation_that_holds_has_no_ratio_and_slope_1():
    table = statistics_of(made_study(1.0))
    assert list(table) == COLUMNS
    row = of(table, "log_ratio_mse")
    assert row["low"] < 0 < row["high"]
    assert row["high"] - row["low"] < 0.1
    assert (row["networks"], row["ensembles"], row["note"]) == (16, 8, "")
    assert of(table, "slope_log_mse")["estimate"] == pytest.approx(1, abs=0.02)
    assert of(table, "pearson_log_mse")["low"] == perfect_order_bound(8, 0.95)


def test_relation_that_is_off_by_a_factor_is_seen_beside_a_correlation_of_1():
    table = statistics_of(made_study(3.0, slope=2.0))
    assert of(table, "pearson_log_mse")["low"] == perfect_order_bound(8, 0.95)
    assert of(table, "slope_log_mse")["estimate"] == pytest.approx(2, abs=0.02)
    table = statistics_of(made_study(3.0))
    assert of(table, "log_ratio_mse")["estimate"] == pytest.approx(np.log(3), abs=0.02)
    assert of(table, "log_ratio_mse")["low"] > np.log(1.5)


def test_relation_is_compared_with_a_constant():
    assert of(statistics_of(made_study(1.0)), "r_squared")["low"] > 0.9
    # Off by a factor that is large beside the spread of losses, it is worse than their mean.
    assert of(statistics_of(made_study(100.0)), "r_squared")["estimate"] < -5
    y, x = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 1.0])
    once = np.ones((1, 3))
    assert explained_variance(once, x, y) == pytest.approx(0.5)
    assert np.isnan(explained_variance(once, x, np.ones(3)))


def test_error_that_is_the_same_for_all_has_no_correlation():
    row = of(statistics_of(made_study(1.0)), "pearson_log_mse", "softmax")
    assert np.isnan(row["estimate"])
    assert row["note"] == "all networks are alike"


def test_true_labels_are_next_to_all():
    table = statistics_of(made_study(1.0, corruption=0.5))
    assert of(table, "log_ratio_mse")["ensembles"] == 4
    assert of(table, "log_ratio_mse", labels="all")["ensembles"] == 8


def test_network_without_a_logarithm_does_not_count():
    errors, training = made_study(1.0)
    errors.loc[0, "cross_entropy"] = 0.0
    row = of(statistics_of((errors, training)), "log_ratio_mse")
    assert row["networks"] == 15
    assert row["note"] == "1 of 16 networks have no finite value"
