import torch
from oracles.flat_networks import seeded
from torch import nn
from torch.testing import assert_close

from generalization.networks.perturbed_weights import logits_with, weights_by_name


def test_weights_of_a_convolutional_module_are_replaced_and_left_as_they_were():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).double()
    inputs = torch.randn(5, 1, 3, 3, generator=seeded(), dtype=torch.float64)
    own = weights_by_name(module)
    assert [tuple(weight.shape) for weight in own.values()] == [(1, 2, 1, 2, 2), (1, 3, 8)]
    assert_close(logits_with(module, own, inputs)[0], module(inputs))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    doubled = {name: 2 * value for name, value in own.items()}
    assert not torch.allclose(logits_with(module, doubled, inputs)[0], module(inputs))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
