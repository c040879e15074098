"""Points that interact in a batch are noticed, however few of them and wherever they stand."""

import pytest
import torch
from torch import nn

import generalization
from generalization.devices import SAMPLES_PER_CHUNK, at_most
from generalization.measures.jacobian_norm import jacobian_norm
from generalization.measures.predictions import thresholded_confidence_error
from generalization.measures.training_loss import training_loss
from generalization.networks.coupling import POINTS, differ, other_batches, some_points


class Coupling(nn.Module):
    """Changes inputs by one another before a perceptron."""

    def __init__(self, change):
        super().__init__()
        self.change = change
        self.body = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))

    def forward(self, x):
        return self.body(self.change(x))


def running_mean(x):
    """Centers every point by the mean of all before it: the first is what it is alone."""
    return x - x.cumsum(0) / torch.arange(1, len(x) + 1).unsqueeze(1)


def groups(x, size=4):
    """Attends within whole groups of points; the others are what they are alone."""
    whole = len(x) // size * size
    tokens = x[:whole].unflatten(0, (-1, size))
    attended = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
    return torch.cat([attended.flatten(0, 1), x[whole:]])


def neighbours(x):
    """Adds the second point to the third, and changes no other."""
    return torch.cat([x[:2], x[2:3] + x[1:2], x[3:]]) if len(x) > 2 else x


def places(x):
    """Scales some points by their place in the batch."""
    return x * torch.where(torch.arange(len(x)) % 4 == 1, 2.0, 1.0).unsqueeze(1)


def large_batches(x, above=POINTS):
    """Normalizes batches of more points than so many."""
    return (x - x.mean(0)) / x.std(0) if len(x) > above else x


def small_batches(x):
    """Centers batches of a few points, but not single ones and large ones."""
    return x - x.mean(0) if 1 < len(x) <= POINTS else x


def chunks(x):
    """Attends within chunks of 16 points, of which 20 have one whole."""
    return groups(x, 16)


def last_of_many(x):
    """Adds the point before to the eighteenth."""
    return torch.cat([x[:17], x[17:18] + x[16:17], x[18:]]) if len(x) > 17 else x


COUPLED = (
    *(running_mean, groups, neighbours, places),
    *(large_batches, small_batches, chunks, last_of_many),
)


@pytest.fixture
def inputs():
    return torch.randn(20, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("change", COUPLED)
def test_points_that_interact_are_refused(change, inputs):
    torch.manual_seed(0)
    module = Coupling(change).eval()
    sentence = (
        "needs networks whose logits are those of single inputs in eval mode, not of a Coupling "
        "whose logits change with the other inputs."
    )
    with pytest.raises(ValueError, match=f"^jacobian_norm {sentence}$"):
        jacobian_norm(module, inputs)
    with pytest.raises(ValueError, match=f"^training_loss {sentence}$"):
        training_loss(module, inputs, torch.arange(20) % 3)
    table = generalization.measure(module, inputs, measures="jacobian_norm")
    assert table["status"].item() == f"jacobian_norm {sentence}"
    with pytest.raises(ValueError, match=r"'body\.0' of Coupling, whose activations change"):
        generalization.compare(module, module, inputs, similarities="linear_cka")


def test_points_are_evaluated_once_for_all_measures(inputs):
    calls = []
    torch.manual_seed(0)
    module = Coupling(lambda x: calls.append(len(x)) or x).eval()
    generalization.measure(module, inputs, measures=["jacobian_norm"], repeats=2)
    assert calls.count(POINTS) == 1
    calls.clear()
    names = ["jacobian_norm", "output_entropy", "output_sensitivity"]
    generalization.measure(module, inputs, measures=names, repeats=2)
    assert calls.count(POINTS) == 1


@pytest.mark.parametrize("count", [1, 2, 5, 20, 300])
def test_all_points_are_reordered_some_are_few_and_the_first_and_the_last_stand_alone(count):
    *alone, reordered = other_batches(count)
    if count > POINTS:
        *alone, few = alone
        assert few[0] == 0 and few[-1] == count - 1
        assert len(few) == POINTS == len(set(few))
    assert alone[0] == [0] and alone[-1] == [count - 1]
    assert sorted(reordered) == list(range(count))


def test_batches_are_as_large_as_those_of_measures():
    inputs, module = torch.arange(3000), Coupling(large_batches)
    points = some_points(module, inputs)
    assert len(points) == SAMPLES_PER_CHUNK == len(points.unique())
    assert points[0] == 0 and points[-1] == 2999
    assert torch.equal(some_points(module, inputs[:20]), inputs[:20])
    assert some_points(module.body, inputs[:9]).tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    with at_most(3):
        assert some_points(module, inputs[:21]).tolist() == [0, 10, 20]
    with at_most(1):
        assert some_points(module, inputs[:21]).tolist() == [0, 20]


def test_interactions_of_large_training_batches_are_noticed_beside_few_inputs(inputs):
    torch.manual_seed(0)
    module, labels = Coupling(large_batches).eval(), torch.arange(20) % 3
    assert thresholded_confidence_error(module, inputs[:8], inputs[:8], labels[:8]).isfinite().all()
    with pytest.raises(ValueError, match=r"whose logits change with the other inputs\.$"):
        thresholded_confidence_error(module, inputs[:8], inputs, labels)


def test_rounding_is_no_difference():
    logits = torch.tensor([[1.0, -2.0], [0.0, torch.nan]])
    assert not differ(logits, logits + 0.009)
    assert differ(logits, logits + 0.011)
    assert differ(logits, logits[:1])
