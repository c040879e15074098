import numpy as np
import pytest

from generalization.statistics.controls import (
    noisy_oracle,
    random_main_effects,
    random_per_ensemble,
    random_per_network,
)
from generalization.statistics.design import main_effects, r_squared
from generalization.statistics.intervals import mean_interval

LEVELS = np.array(list(np.ndindex(2, 3, 4)))


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_draws_are_standard_normal_and_of_the_generator(generator):
    values = random_per_network((200, 50), generator)
    assert values.mean() == pytest.approx(0, abs=0.04)
    assert values.std() == pytest.approx(1, abs=0.03)
    again = random_per_network((200, 50), np.random.default_rng(0))
    assert np.array_equal(values, again)


def test_ensemble_has_one_number_for_all_its_seeds(generator):
    values = random_per_ensemble((500, 3), generator)
    assert (values == values[:, :1]).all()
    assert values[:, 0].std() == pytest.approx(1, abs=0.1)


def test_main_effects_are_all_explained_by_the_design(generator):
    values = random_main_effects(LEVELS, 2, generator)
    assert values.shape == (24, 2)
    assert (values[:, 0] == values[:, 1]).all()
    assert r_squared(values[:, 0], main_effects(LEVELS)) == pytest.approx(1)
    assert 0 < r_squared(values[:, 0], main_effects(LEVELS[:, :1])) < 1


def test_oracle_correlates_with_the_gap_as_its_noise_leaves_it(generator):
    gap = 0.01 * generator.normal(size=(5000, 2))
    gap[0, 0] = np.nan
    oracle = noisy_oracle(gap, generator, noise=0.5)
    assert np.isnan(oracle).sum() == 1
    r = np.corrcoef(gap[1:].ravel(), oracle[1:].ravel())[0, 1]
    assert r == pytest.approx(1 / np.sqrt(1.25), abs=0.01)
    assert np.array_equal(noisy_oracle(gap, generator, noise=0.0), gap, equal_nan=True)
    half = noisy_oracle(gap, np.random.default_rng(1)) - gap
    assert np.nanstd(half) == pytest.approx(np.nanstd(gap) / 2, rel=0.03)


def test_control_is_uninformative_on_average(generator):
    gap = generator.normal(size=24)
    r = [np.corrcoef(random_per_ensemble((24, 1), generator)[:, 0], gap)[0, 1] for _ in range(200)]
    found = mean_interval(np.array(r), np.arange(200), level=0.999)
    assert found.low < 0 < found.high
