import numpy as np
import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch import nn
from torch.testing import assert_close

from generalization.devices import at_most
from generalization.errors import InputError
from generalization.measures.margins import (
    inverse_squared_margin,
    lower_normalized_margin,
    margin_percentile,
    median_normalized_margin,
    normalized_margins,
    training_margin,
    upper_normalized_margin,
)
from generalization.networks.fully_connected import FullyConnectedNetworks

QUARTILES = {
    lower_normalized_margin: 0.25,
    median_normalized_margin: 0.5,
    upper_normalized_margin: 0.75,
}


def data(count=12, features=5):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, features, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (count,), generator=generator)


def linear(*rows):
    return FullyConnectedNetworks((torch.tensor([rows]).double(),), "relu")


def test_margin_is_the_label_logit_less_the_largest_other():
    networks = random_networks((5, 6, 3), count=2, biases=True)
    inputs, labels = data()
    margins = training_margin(networks, inputs, labels)
    for member in (0, 1):
        for point, logits in enumerate(PlainNetwork(networks, member)(inputs)):
            others = [f for k, f in enumerate(logits.tolist()) if k != labels[point]]
            expected = logits[labels[point]].item() - max(others)
            assert margins[member, point].item() == pytest.approx(expected)


@pytest.mark.parametrize(("count", "place"), [(1, 1), (9, 1), (10, 1), (19, 1), (20, 2), (100, 10)])
def test_percentile_is_an_order_statistic_and_not_that_of_numpy(count, place):
    margins = torch.rand(1, count, generator=torch.Generator().manual_seed(0)).double()
    gamma = margin_percentile(margins).item()
    assert gamma == margins.sort().values[0, place - 1].item()
    assert count == 1 or gamma != np.percentile(margins.numpy(), 10)


def test_inverse_square_of_a_linear_network():
    # Logits (x, 0, −x): the label's margin is x.
    inputs, labels = torch.arange(1, 21).double().unsqueeze(1), torch.zeros(20, dtype=torch.int64)
    networks = linear([1], [0], [-1])
    assert inverse_squared_margin(networks, inputs, labels).tolist() == [1 / 4]
    known = torch.full((1, 20), 5.0).double()
    value = inverse_squared_margin(networks, inputs, labels, training_margin=known)
    assert value.tolist() == [1 / 25]


@pytest.mark.parametrize("gamma", [0.0, -3.0])
def test_margins_that_are_not_positive_have_no_inverse(gamma):
    known = torch.tensor([[gamma] * 10, [2.0] * 10]).double()
    value = inverse_squared_margin(None, None, None, training_margin=known)
    assert_close(value, torch.tensor([torch.nan, 1 / 4]).double(), equal_nan=True)


def test_chunks_of_samples_change_no_normalized_margin():
    networks = random_networks((5, 6, 4, 3), count=2, biases=True)
    inputs, labels = data(count=50)
    order = inputs.sum(1).argsort()  # The means of chunks differ as much as they can.
    inputs, labels = 5 + inputs[order], labels[order]
    expected = normalized_margins(networks, inputs, labels)
    with at_most(7):
        margins = normalized_margins(networks, inputs, labels)
    assert_close(margins, expected, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_normalized_margins_equal_autograd(activation):
    networks = random_networks((5, 6, 4, 3), activation, count=2, biases=True)
    inputs, labels = data()
    margins = normalized_margins(networks, inputs, labels)
    assert margins.shape == (2, 12, 3)
    for member in (0, 1):
        module = PlainNetwork(networks, member)
        layers = [inputs]
        for layer in module.layers[:-1]:
            layers.append(module.activation(layer(layers[-1])))
        for place, activations in enumerate(layers):
            spread = activations.detach().var(0, correction=0).sum().sqrt()
            for point in range(12):
                values = activations[point].detach().requires_grad_()
                above = values
                for layer in module.layers[place:-1]:
                    above = module.activation(layer(above))
                logits = module.layers[-1](above)
                rival = max({0, 1, 2} - {labels[point].item()}, key=lambda k: logits[k].item())
                difference = logits[labels[point]] - logits[rival]
                (gradient,) = torch.autograd.grad(difference, values)
                expected = difference.detach() / gradient.norm() / spread
                expected = expected.where(gradient.norm() > 0, torch.nan)
                found = margins[member, point, place]
                assert_close(found, expected, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize("measure", QUARTILES)
def test_measures_are_quartiles_averaged_over_layers(measure):
    networks, (inputs, labels) = random_networks((5, 6, 4, 3), count=2), data()
    margins = normalized_margins(networks, inputs[:9], labels[:9])
    expected = np.quantile(margins.numpy(), QUARTILES[measure], axis=1).mean(1)
    values = measure(networks, inputs, labels, train_samples=9)
    assert values.tolist() == pytest.approx(expected.tolist())
    assert measure(networks, inputs, labels).shape == (2,)


def test_distance_to_the_boundary_of_a_linear_network():
    # The boundary between the two classes of f = (3x + 4y, 0) is at a distance of |3x + 4y| / 5.
    networks, inputs = linear([3, 4], [0, 0]), torch.tensor([[2.0, 1.0], [-2.0, -1.0]]).double()
    margins = normalized_margins(networks, inputs, torch.tensor([0, 0]))
    assert margins[0, :, 0].tolist() == pytest.approx([2 / 5**0.5, -2 / 5**0.5])


def test_no_training_input_is_refused():
    networks, (inputs, labels) = random_networks((5, 6, 3)), data()
    with pytest.raises(ValueError, match=r"^train_samples must be at least 1, not 0\.$"):
        median_normalized_margin(networks, inputs, labels, train_samples=0)


def test_module_without_hidden_layers_is_refused():
    module, (inputs, labels) = nn.Sequential(nn.Linear(5, 3)).double(), data()
    sentence = r"^median_normalized_margin: networks must be sequences of layers with .*\.$"
    with pytest.raises(InputError, match=sentence):
        median_normalized_margin(module, inputs, labels)
