import numpy as np
import pytest

from generalization.statistics.shown import is_shown


@pytest.mark.parametrize(
    ("low", "high", "p_value", "units", "number", "answer"),
    [
        (0.1, 0.3, 0.01, 5, 0.0, True),
        (-0.3, -0.1, 0.01, 5, 0.0, True),
        (0.1, 0.3, 0.01, 4, 0.0, False),
        (0.1, 0.3, 0.06, 5, 0.0, False),
        (0.1, 0.3, np.nan, 5, 0.0, True),
        (0.0, 0.3, 0.01, 5, 0.0, False),
        (0.1, 0.3, 0.01, 5, 0.2, False),
        (0.1, 0.3, 0.01, 5, 0.5, True),
        (np.nan, np.nan, 0.01, 5, 0.0, False),
    ],
)
def test_interval_test_and_number_of_units_must_agree(low, high, p_value, units, number, answer):
    assert is_shown(low, high, p_value, units, level=0.95, number=number) == answer


def test_bound_of_the_test_is_that_of_the_level():
    levels = np.array([0.95, 0.9, 0.99])
    bounds = np.array([0.05, 0.1, 0.01])
    for factor, answer in ((1, True), (1.0001, False)):
        found = is_shown(0.1, 0.2, factor * bounds, 9, level=levels)
        assert found.tolist() == [answer] * 3
