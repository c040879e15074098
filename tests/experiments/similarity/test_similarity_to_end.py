import numpy as np
import pandas as pd
import pytest
from oracles.similarity_tables import STEPS, made_study

from generalization.experiments.similarity.similarity_to_end import (
    convergence_step,
    similarity_to_end,
)


def test_rows_are_every_layer_at_every_step_beside_itself_at_the_end():
    similarities, training = made_study(np.random.default_rng(0))
    table = similarity_to_end(similarities, training)
    assert len(table) == 6 * 5 * 3
    expected = 1 - 0.5 * np.exp(-table["step"] / 4.0 ** table["layer"])
    before = table["step"] < STEPS[-1]
    assert table.loc[before, "value"].to_numpy() == pytest.approx(expected[before].to_numpy())
    assert (table.loc[~before, "value"] == 1).all()


def test_it_does_not_matter_which_of_two_stands_first():
    similarities, training = made_study(np.random.default_rng(0))
    sides = {f"{name}_{a}": f"{name}_{b}" for name in ("step", "layer") for a, b in ("ab", "ba")}
    turned = similarities.rename(columns=sides)
    expected = similarity_to_end(similarities, training)
    pd.testing.assert_frame_equal(similarity_to_end(turned, training), expected)


def test_other_steps_and_other_layers_are_left_out():
    similarities, training = made_study(np.random.default_rng(0))
    more = similarities[similarities["pairs"] == "over_training"].assign(value=0.0)
    others = [more.assign(step_b=1)[more["step_a"] < 64], more.assign(layer_b=more["layer_a"] + 1)]
    table = similarity_to_end(pd.concat([similarities, *others]), training)
    pd.testing.assert_frame_equal(table, similarity_to_end(similarities, training))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.5, 0.9, 1.0], 3),  # Reached at a kept step.
        ([0.5, 0.8, 1.0, 1.0], np.sqrt(2 * 4) - 1),  # Half way in log(1 + step).
        ([0.95, 0.8, 0.9, 1.0], 3),  # Only what stays counts.
        ([0.95, 0.95, 0.99, 1.0], 0),
        ([0.1, 0.1, 0.1, 0.9], 7),
    ],
)
def test_step_is_the_one_from_which_on_the_layer_stays_alike(values, expected):
    course = pd.DataFrame({"step": [0, 1, 3, 7], "value": values}).sample(frac=1, random_state=0)
    assert convergence_step(course, 0.9) == pytest.approx(expected)
