import numpy as np
import pandas as pd
import pytest
from oracles.spectrum_tables import made_spectra

from generalization.experiments.similarity.stability_statistics import (
    COLUMNS,
    stability_statistics,
)
from generalization.statistics.resampling import Resampling


def table_of(spectra, training):
    return stability_statistics(
        spectra, training, resampling=Resampling(np.random.default_rng(1), 200)
    )


def of(table, statistic, layer=0):
    return table[(table["statistic"] == statistic) & (table["layer"] == layer)].squeeze()


def test_estimates_are_means_over_networks_and_steps_of_a_phase():
    table = table_of(*made_spectra())
    assert list(table) == COLUMNS
    expected = {
        "stable_earlier": 0.51,
        "stable_later": 0.96,
        "unstable_earlier": 0.26,
        "unstable_later": 0.51,
        "stable_minus_unstable_earlier": 0.25,
        "stable_minus_unstable_later": 0.45,
    }
    assert set(table["statistic"]) == set(expected)
    for statistic, mean in expected.items():
        row = of(table, statistic)
        assert row["estimate"] == pytest.approx(mean)
        assert (row["networks"], row["ensembles"], row["place"]) == (2, 1, "first")


def test_the_step_that_told_directions_apart_does_not_count():
    spectra, training = made_spectra()
    other = spectra.assign(mean=spectra["mean"].where(spectra["step"] != 20, -1))
    pd.testing.assert_frame_equal(table_of(other, training), table_of(spectra, training))


def test_networks_on_random_labels_do_not_count():
    spectra, training = made_spectra()
    table = table_of(spectra, training.assign(label_corruption=1.0))
    assert list(table) == COLUMNS
    assert table.empty


def test_without_stable_directions_there_are_no_rows():
    spectra, training = made_spectra()
    assert table_of(spectra[spectra["compared"] == "end"], training).empty
