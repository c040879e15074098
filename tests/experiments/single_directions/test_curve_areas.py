import numpy as np
import pandas as pd
import pytest
from oracles.ablation_tables import made_curves, made_training

from generalization.experiments.single_directions.curve_areas import curve_areas


def test_area_is_the_mean_over_the_range_of_amounts():
    training = made_training(corruptions=1, dropouts=(0.0,))
    curves = made_curves(training)
    areas = curve_areas(curves.sample(frac=1, random_state=0), training)
    assert len(areas) == 3 * 3
    for row in areas.to_dict("records"):
        values = (1 - np.linspace(0, 1, 11)) ** (
            (1 + 0.01 * row["seed"]) * (1 + np.log2(100 / 40) / 10)
        )
        assert row["area"] == pytest.approx((values[:-1] + values[1:]).mean() / 2)


def test_rows_have_the_hyperparameters_of_their_network():
    training = made_training()
    areas = curve_areas(made_curves(training), training)
    merged = areas.merge(training, on=["ensemble", "seed", "step"], suffixes=("", "_own"))
    assert (merged["dropout"] == merged["dropout_own"]).all()
    assert isinstance(areas, pd.DataFrame)
