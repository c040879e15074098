import numpy as np
import pytest

from generalization.statistics.resampling import Resampling, sample_first


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


def test_one_resample_is_a_setting():
    assert Resampling(np.random.default_rng(0), 1).interval(np.ones(1)) == {"low": 1, "high": 1}


def test_every_row_sees_the_same_random_numbers():
    resampling = Resampling(np.random.default_rng(0), 50)
    first, again = resampling.stream().random(50), resampling.stream().random(50)
    assert (first == again).all()
    assert (Resampling(np.random.default_rng(0), 50).stream().random(50) == first).all()
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
