import pandas as pd

from generalization.experiments.similarity.stable_directions import reference_step


def test_reference_is_the_latest_step_of_the_first_half():
    assert reference_step(pd.Series([0, 3, 5, 6]), 10) == 5


def test_untrained_networks_are_no_reference():
    assert reference_step(pd.Series([0, 6]), 10) is None
