import numpy as np
import pandas as pd
import pytest
from oracles.direction_tables import UNITS, made_directions

from generalization.experiments.similarity.direction_statistics import (
    COLUMNS,
    direction_statistics,
    directions_needed,
)
from generalization.statistics.resampling import Resampling


def table_of(study):
    return direction_statistics(*study, resampling=Resampling(np.random.default_rng(1), 200))


def of(table, statistic, directions, layer=0):
    chosen = (table["statistic"] == statistic) & (table["directions"] == directions)
    return table[chosen & (table["layer"] == layer)].squeeze()


def test_architectures_are_distinguished():
    accuracy, training = made_directions()
    other = training.assign(ensemble="c", architecture="convolutional")
    several = pd.concat([accuracy, accuracy.assign(ensemble="c")])
    table = table_of((several, pd.concat([training, other])))
    one = table_of((accuracy, training))
    for _, rows in table.groupby("architecture"):
        assert rows["estimate"].to_numpy() == pytest.approx(one["estimate"].to_numpy())
    assert len(table) == 2 * len(one)


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        ([0.1, 0.2, 0.5, 0.96, 1.0, 1.0], 4 * 2 ** (-0.005 / 0.46)),  # 0.955 is wanted.
        ([0.1, 1.0, 1.0, 1.0, 1.0, 1.0], 1),
        ([0.1, 0.1, 0.1, 0.1, 0.1, 1.0], 8 * 1.25**0.95),
        ([0.1, 0.1, 1.0, 0.1, 0.1, 1.0], 2**0.95),  # The first time counts.
        ([0.1, 0.1, 0.1, 0.1, 0.1, 0.19], np.nan),
    ],
)
def test_needed_is_where_the_curve_reaches_the_share(accuracy, expected):
    k = pd.Series([0, 1, 2, 4, 8, 10])
    found = directions_needed(k, pd.Series(accuracy))
    assert found == pytest.approx(expected, nan_ok=True)


def test_estimates_are_geometric_means_over_networks():
    table = table_of(made_directions())
    assert list(table) == COLUMNS
    needed = {"svcca": (4, 8), "largest_units": (8, 32)}
    for directions, numbers in needed.items():
        # The curves rise as log₂ k, so that 95 % of the way is a power of 0.95.
        number = np.sqrt(np.prod(numbers)) ** 0.95
        assert of(table, "number", directions)["estimate"] == pytest.approx(number)
        share = of(table, "share_of_units", directions)["estimate"]
        assert share == pytest.approx(number / UNITS)
    ratio = of(table, "ratio_to_svcca", "largest_units")["estimate"]
    assert ratio == pytest.approx(np.sqrt(2 * 4) ** 0.95)
    assert table.query("directions == 'svcca'")["statistic"].nunique() == 2


def test_places_are_named():
    table = table_of(made_directions())
    assert table.groupby("layer")["place"].unique().map(list).tolist() == [["first"], ["logits"]]


def test_networks_with_nothing_to_keep_are_counted_out():
    profile, training = made_directions()
    profile.loc[profile["seed"] == 1, "accuracy"] = 0.1
    row = of(table_of((profile, training)), "number", "svcca")
    assert row["networks"] == 1
    assert row["note"] == (
        "1 of 2 networks have no accuracy to keep; 1 of the 5 ensembles that a verdict needs"
    )
    assert np.isnan([row["low"], row["high"]]).all()


def test_without_svcca_there_is_no_ratio():
    profile, training = made_directions()
    table = table_of((profile[profile["directions"] != "svcca"], training))
    assert set(table["statistic"]) == {"number", "share_of_units"}
    assert table_of((profile[:0], training)).empty
