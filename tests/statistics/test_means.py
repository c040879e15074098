import numpy as np
import pandas as pd
import pytest

from generalization.statistics.means import mean_over_networks

ENSEMBLES = pd.Series(["a", "a", "b", "b", "c", "c"])
VALUES = pd.Series([1.0, 2.0, 4.0, np.nan, 8.0, np.inf])


def mean_of(values, **settings):
    settings = {"resamples": 4000, "level": 0.95} | settings
    return mean_over_networks(values, ENSEMBLES, generator=np.random.default_rng(0), **settings)


def test_mean_is_that_of_the_finite_values():
    found = mean_of(VALUES)
    assert found["estimate"] == 3.75
    assert (found["networks"], found["ensembles"]) == (4, 3)
    assert 1 <= found["low"] < 3.75 < found["high"] <= 8


def test_means_of_logarithms_are_geometric():
    found = mean_of(np.log(VALUES), scale=np.exp)
    assert found["estimate"] == pytest.approx(64**0.25)
    plain = mean_of(np.log(VALUES))
    assert np.exp([plain["low"], plain["high"]]) == pytest.approx(
        [found["low"], found["high"]], rel=0.01
    )


def test_interval_is_that_of_ensembles_if_seeds_agree():
    # The mean of three draws of 0, 1, 2 has the variance 2 / 9.
    found = mean_of(pd.Series([0.0, 0.0, 1.0, 1.0, 2.0, 2.0]), level=0.68)
    assert found["high"] - found["low"] == pytest.approx(2 * (2 / 9) ** 0.5, rel=0.4)
    assert found["low"] < 1 < found["high"]


def test_one_network_has_no_interval_and_none_has_no_mean():
    one = mean_of(VALUES.where(VALUES == 4))
    assert (one["estimate"], one["networks"]) == (4, 1)
    none = mean_of(VALUES * np.nan)
    assert none["networks"] == none["ensembles"] == 0
    missing = [one["low"], one["high"], none["estimate"], none["low"], none["high"]]
    assert np.isnan(missing).all()
