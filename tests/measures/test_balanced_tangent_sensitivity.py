import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from oracles.tangent_sensitivity import second_derivatives
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.testing import assert_close

from generalization.errors import InputError
from generalization.measures.balanced_tangent_sensitivity import balanced_tangent_sensitivity
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.networks.fully_connected import FullyConnectedNetworks


def points(count, features, *, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, features, generator=generator, dtype=dtype)


@pytest.mark.parametrize("reduction", ["sum", "full", 1])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ["relu", "hardtanh"])
@pytest.mark.parametrize("widths", [(9, 4), (9, 7, 8, 6, 4)])
def test_equals_autograd(widths, activation, biases, reduction):
    networks = random_networks(widths, activation, count=2, biases=biases)
    inputs = points(5, 9)
    values = balanced_tangent_sensitivity(networks, inputs, reduction=reduction)
    for member in (0, 1):
        module = PlainNetwork(networks, member)
        parameters, expected = dict(module.named_parameters()), 0
        for name, block in second_derivatives(module, inputs).items():
            rows = {"sum": block.sum(1), "full": block}.get(reduction, block[:, 1])
            expected += rows.flatten(1).square().sum(1) * parameters[name].square().sum()
        assert_close(values[member], expected.sqrt(), rtol=1e-12, atol=0)


def test_rescaling_layers_does_not_change_it():
    networks = random_networks((9, 7, 8, 4), count=2)
    first, second, third = networks.weights
    rescaled = FullyConnectedNetworks((3 * first, second / 6, 2 * third), "relu")
    inputs = points(5, 9)
    assert_close(rescaled.logits(inputs), networks.logits(inputs))
    expected = balanced_tangent_sensitivity(networks, inputs)
    assert_close(balanced_tangent_sensitivity(rescaled, inputs), expected, rtol=1e-13, atol=0)


def test_layers_of_norm_1_have_the_tangent_sensitivity():
    networks = random_networks((9, 7, 8, 4), count=2)
    networks = networks.map(lambda weight: weight / weight.norm(dim=(1, 2), keepdim=True))
    inputs = points(5, 9)
    expected = tangent_sensitivity(networks, inputs)
    assert_close(balanced_tangent_sensitivity(networks, inputs), expected)


def test_scales_as_the_logits():
    networks = random_networks((9, 7, 8, 4), dtype=torch.float32)
    inputs = points(5, 9, dtype=torch.float32)
    scaled = networks.map(lambda weight: 1e-10 * weight)
    expected = 1e-30 * balanced_tangent_sensitivity(networks, inputs)
    assert_close(balanced_tangent_sensitivity(scaled, inputs), expected, rtol=1e-5, atol=0)


def test_network_whose_logits_are_not_finite_has_no_value():
    networks = random_networks((6, 5, 4), count=2)
    networks.weights[0][1] = torch.inf
    values = balanced_tangent_sensitivity(networks, points(3, 6).abs())
    assert values[0].isfinite().all()
    assert values[1].isnan().all()


def test_tanh_has_no_value():
    values = balanced_tangent_sensitivity(random_networks((6, 5, 4), "tanh", count=2), points(3, 6))
    assert values.shape == (2, 3)
    assert values.isnan().all()


@pytest.mark.parametrize("reduction", ["sum", "full", 1])
def test_module_equals_autograd(reduction):
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 3, 2, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)]
    module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(12, 4)).double()
    module[1].weight.data += torch.rand(3)
    inputs, expected = points(5, 9).view(5, 1, 3, 3), 0
    values = balanced_tangent_sensitivity(module, inputs, reduction=reduction)
    fused = fuse_conv_bn_eval(*module.eval()[:2])  # Normalizations count as weights.
    module = nn.Sequential(fused, *module[2:])
    parameters = dict(module.named_parameters())
    for name, block in second_derivatives(module, inputs).items():
        rows = {"sum": block.sum(1), "full": block}.get(reduction, block[:, 1])
        expected += rows.flatten(1).square().sum(1) * parameters[name].square().sum()
    assert_close(values[0], expected.sqrt().detach(), rtol=1e-11, atol=0)


def test_module_with_tanh_has_no_value():
    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4)).double()
    values = balanced_tangent_sensitivity(module, points(3, 6))
    assert values.shape == (1, 3)
    assert values.isnan().all()


def test_unknown_reduction():
    message = r"^reduction must be 'sum', 'full' or a logit from 0 to 3, not 'mean'\.$"
    with pytest.raises(InputError, match=message):
        balanced_tangent_sensitivity(random_networks((6, 5, 4)), points(3, 6), reduction="mean")
