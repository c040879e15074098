import numpy as np
import pytest

from generalization.statistics.correlations import pearson
from generalization.statistics.resampling import (
    Resampling,
    bootstrap_counts,
    sample_first,
)


def simulated(generator, *, ensembles=30, seeds=4, correlation=0.0, seed_noise=0.3):
    """Ensembles that differ, and their seeds, which differ less; the correlation is known."""
    covariance = [[1, correlation], [correlation, 1]]
    between = generator.multivariate_normal([0, 0], covariance, size=ensembles)
    within = seed_noise * generator.normal(size=(ensembles, seeds, 2))
    x, y = (between[:, None] + within).reshape(-1, 2).T
    return x, y, np.repeat(np.arange(ensembles), seeds)


def test_resamples_hold_as_many_ensembles_and_all_their_seeds():
    ensembles = np.repeat(np.arange(6), 4)
    counts = bootstrap_counts(ensembles, resamples=500, generator=np.random.default_rng(0))
    per_ensemble = counts.reshape(500, 6, 4).sum(2)
    assert (per_ensemble % 4 == 0).all()
    assert (per_ensemble.sum(1) == 24).all()


def test_counts_have_the_moments_of_two_stages():
    ensembles = np.repeat(np.arange(5), 3)
    counts = bootstrap_counts(ensembles, resamples=40_000, generator=np.random.default_rng(0))
    assert counts.mean(0) == pytest.approx(1, abs=0.05)
    # Var = E[var | k draws of the ensemble] + var E[.] = 3·(1/3)(2/3) + var(k) = 2/3 + 4/5.
    assert counts.var(0) == pytest.approx(2 / 3 + 4 / 5, rel=0.05)
    # Two seeds of one ensemble: −3·(1/3)² + var(k) = −1/3 + 4/5.
    assert np.cov(counts[:, 0], counts[:, 1])[0, 1] == pytest.approx(-1 / 3 + 4 / 5, rel=0.08)


def test_ensembles_may_have_different_numbers_of_seeds():
    ensembles = np.array([0, 1, 1, 0, 2, 1])
    counts = bootstrap_counts(ensembles, resamples=200, generator=np.random.default_rng(0))
    for ensemble, size in enumerate([2, 3, 1]):
        assert (counts[:, ensembles == ensemble].sum(1) % size == 0).all()


def test_interval_covers_the_truth():
    generator = np.random.default_rng(0)
    truth = 0.6 / (1 + 0.3**2)
    covered = 0
    for _ in range(300):
        x, y, ensembles = simulated(generator, correlation=0.6)
        counts = bootstrap_counts(ensembles, resamples=300, generator=generator)
        low, high = np.quantile(pearson(counts, x, y), [0.025, 0.975])
        covered += low <= truth <= high
    # The nominal level is 95 %; percentile intervals over 30 ensembles are slightly too short.
    assert 0.89 <= covered / 300 <= 0.98


def test_clones_widen_the_interval_of_ensembles_only():
    generator = np.random.default_rng(0)
    x, y, ensembles = simulated(generator, correlation=0.5, seed_noise=0)
    widths = [
        np.ptp(
            np.quantile(
                pearson(bootstrap_counts(groups, resamples=2000, generator=generator), x, y),
                [0.025, 0.975],
            )
        )
        for groups in (ensembles, np.arange(len(x)))
    ]
    # Four clones are one observation, not four: the interval is √4 times as wide.
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"level": 1.0}, r"^level must be between 0 and 1, not 1\.0\.$"),
        ({"level": 1.5}, r"^level must be between 0 and 1, not 1\.5\.$"),
        ({"level": 95}, r"^level must be between 0 and 1, not 95\.$"),
        ({"level": 0}, r"^level must be between 0 and 1, not 0\.$"),
        ({"resamples": 0}, r"^resamples must be at least 1, not 0\.$"),
    ],
)
def test_settings_that_make_no_interval_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        Resampling(np.random.default_rng(0), **settings)


def test_every_row_sees_the_same_random_numbers():
    ensembles = np.repeat(np.arange(4), 3)
    resampling = Resampling(np.random.default_rng(0), 50)
    first, again = resampling.counts(ensembles), resampling.counts(ensembles)
    assert (first == again).all()
    assert (Resampling(np.random.default_rng(0), 50).counts(ensembles) == first).all()
    assert len({resampling.stream(key).random() for key in range(3)}) == 3


def test_interval_is_of_the_resamples_that_have_the_statistic():
    resampling = Resampling(np.random.default_rng(0), level=0.5)
    assert resampling.interval(np.array([0, 1, np.nan, 2, 3, 4])) == {"low": 1, "high": 3}
    assert np.isnan([*resampling.interval(np.array([np.nan])).values()]).all()


def test_the_sample_itself_comes_first():
    assert sample_first(np.array([[2.0, 0.0]])).tolist() == [[1, 1], [2, 0]]


def test_generators_of_different_seeds_give_different_streams():
    first = {Resampling(np.random.default_rng(seed)).stream().random() for seed in range(500)}
    assert len(first) == 500
