import numpy as np
import pandas as pd
import pytest

from generalization.experiments.output_sensitivity.variance_chain import COLUMNS, variance_chain
from generalization.statistics.intervals import perfect_order_bound
from generalization.statistics.resampling import Resampling


def made_study(factor, growth, ensembles=8):
    """``bias_variance`` whose trained variance is a factor times its prediction.

    Training multiplies the prediction by e to the ``growth`` times a normal number.
    """
    generator = np.random.default_rng(0)
    rows = []
    for ensemble in range(ensembles):
        before = np.exp(generator.normal())
        after = before * np.exp(growth * generator.normal())
        for trained, predicted in ((False, before), (True, after)):
            noise = np.exp(0.01 * generator.normal())
            variance = predicted * noise * (factor if trained else 1)
            quantities = {"variance": variance, "predicted": predicted, "variance_share": 0.7}
            for quantity, value in quantities.items():
                about = {"dataset": "mnist_subset", "ensemble": f"e{ensemble}", "trained": trained}
                about |= {"output": "logits", "networks": 3}
                rows.append(about | {"quantity": quantity, "estimate": value})
    training = pd.DataFrame({"ensemble": [f"e{place}" for place in range(ensembles)]})
    return pd.DataFrame(rows), training.assign(label_corruption=0.0, randomization="none")


def statistics_of(study):
    return variance_chain(*study, resampling=Resampling(np.random.default_rng(0)))


def of(table, statistic, trained=True):
    return table[(table["statistic"] == statistic) & (table["trained"] == trained)].squeeze()


def test_variance_that_is_predicted_has_no_ratio():
    table = statistics_of(made_study(1.0, growth=1.0))
    assert list(table) == COLUMNS
    row = of(table, "variance_over_predicted")
    assert row["low"] < 0 < row["high"]
    assert row["high"] < np.log(1.1)
    # What was known before training predicts worse.
    assert row["over_untrained_high"] < 0
    assert (row["networks"], row["ensembles"]) == (24, 8)
    assert of(table, "pearson_log_variance")["low"] == perfect_order_bound(8, 0.95)
    assert of(table, "variance_share")["estimate"] == pytest.approx(0.7)
    assert np.isnan(of(table, "variance_over_predicted", False)["over_untrained"])


def test_sensitivity_that_training_does_not_change_predicts_no_better_than_before():
    row = of(statistics_of(made_study(1.0, growth=0.0)), "variance_over_predicted")
    assert row["over_untrained"] == pytest.approx(0, abs=1e-12)


def test_factor_between_variance_and_prediction_is_the_ratio_of_trained_networks():
    table = statistics_of(made_study(4.0, growth=1.0))
    assert of(table, "variance_over_predicted")["estimate"] == pytest.approx(np.log(4), abs=0.02)
    untrained = of(table, "variance_over_predicted", False)["estimate"]
    assert untrained == pytest.approx(0, abs=0.02)


def test_ensembles_without_a_closed_form_do_not_count():
    bias_variance, training = made_study(1.0, growth=1.0)
    lost = (bias_variance["ensemble"] == "e0") & (bias_variance["quantity"] == "predicted")
    bias_variance.loc[lost, "estimate"] = np.nan
    table = statistics_of((bias_variance, training))
    assert of(table, "variance_over_predicted")["ensembles"] == 7
    assert of(table, "pearson_log_variance")["ensembles"] == 7
