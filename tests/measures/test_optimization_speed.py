import math
from warnings import catch_warnings, simplefilter

import pandas as pd
import pytest
import torch
from oracles.made_up import data, kept

from generalization.errors import Approximated
from generalization.measure_networks import measure_networks
from generalization.measures.optimization_speed import steps_between_losses, steps_to_loss


def course(*rows):
    """Steps and losses of networks, from the (step, loss) pairs of each."""
    table = [torch.tensor(row, dtype=torch.float64) for row in rows]
    padded = torch.nn.utils.rnn.pad_sequence(table, batch_first=True, padding_value=torch.nan)
    return padded[..., 0], padded[..., 1]


def quietly(measure, *arguments, **settings):
    """Values, and what the measure says of how it has approximated them."""
    with catch_warnings(record=True) as warned:
        simplefilter("always")
        values = measure(*arguments, **settings)
    return values.tolist(), [one.message for one in warned]


def test_exponential_decay_is_interpolated_without_error():
    """ln loss is linear, so the step is ln(2/level)/rate whatever the evaluations are."""
    rate = 0.3
    for steps in ([0, 1, 2, 4, 8, 16, 32, 64], [0, 5, 50]):
        some = course([(step, 2 * math.exp(-rate * step)) for step in steps])
        (value,), _ = quietly(steps_to_loss, *some)
        assert value == pytest.approx(math.log(20) / rate)
        (value,), _ = quietly(steps_between_losses, *some)
        assert value == pytest.approx(math.log(10) / rate)
        (value,), _ = quietly(steps_to_loss, *some, loss_level=0.5)
        assert value == pytest.approx(math.log(4) / rate)


def test_the_first_passage_counts_and_known_steps_are_not_interpolated():
    some = course([(0, 2.0), (1, 0.1), (2, 1.0), (4, 0.001)], [(0, 0.05), (1, 0.04)])
    values, said = quietly(steps_to_loss, *some)
    assert values == [1, 0]
    assert not said


def test_reasons_tell_the_two_evaluations_and_what_was_not_reached():
    some = course([(0, 2.0), (4, 1.0), (8, 0.01)], [(0, 2.0), (4, 0.9)], [(0, 2.0), (1, 0.1)])
    values, said = quietly(steps_to_loss, *some)
    assert math.isnan(values[1])
    found = {str(one): list(one.networks) for one in said}
    assert found == {
        "the training loss has not fallen to 0.1": [False, True, False],
        "interpolated between the steps 4 and 8": [True, False, False],
    }
    assert [type(one) for one in said].count(Approximated) == 1


@pytest.mark.parametrize(
    ("measure", "name"),
    [
        (steps_to_loss, "loss_level"),
        (steps_between_losses, "from_loss"),
        (steps_between_losses, "to_loss"),
    ],
)
@pytest.mark.parametrize("level", [0.0, -1.0, math.nan])
def test_levels_are_positive(measure, name, level):
    with pytest.raises(ValueError, match=rf"^{name} must be above 0, not {level!r}\.$"):
        measure(*course([(0, 1.0)]), **{name: level})


def test_a_kept_network_has_the_course_until_its_step():
    some = kept()
    rows = [(kept_step, place, step) for kept_step, place, step in some.distinct()]
    steps = sorted({step for *_, step in rows})
    training = pd.DataFrame({
        "ensemble": some.hyperparameters.name,
        "seed": [seed for seed in some.seeds for _ in steps],
        "step": [step for _ in some.seeds for step in steps][::-1],
        "train_loss": 1.0,
    })
    last = steps[-1]
    training.loc[training["step"] == last, "train_loss"] = 0.01
    tables = measure_networks(
        some, data(), {"look": steps_to_loss}, {"look": {}}, training=training
    )
    ((_, table),) = tables
    assert len(table) == len(rows)
    assert (table["value"].notna() == (table["step"] == last)).all()
    ((_, unknown),) = measure_networks(some, data(), {"look": steps_to_loss}, {"look": {}})
    assert unknown["value"].isna().all()
    assert set(unknown["reason"]) == {"the training loss has not fallen to 0.1"}
