import pytest
import torch
from oracles.softmax_jacobian import random_networks
from oracles.tangent_sensitivity import tangent_sensitivities
from torch import nn
from torch.testing import assert_close

from generalization.derivatives import module_mixed_derivative
from generalization.derivatives.module_mixed_derivative import module_mixed_derivative_norm
from generalization.devices import BUDGETS, Budget
from generalization.measures.tangent_sensitivity import chosen_outputs, tangent_sensitivity

REDUCTIONS = ["sum", "full", 1]
SEQUENCES = {
    "linear": lambda: [nn.Flatten(), nn.Linear(50, 3)],
    "batch normalization of vectors": lambda: [
        nn.Flatten(),
        nn.Linear(50, 7),
        nn.BatchNorm1d(7),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(7, 5, bias=False),
        nn.BatchNorm1d(5, affine=False),
        nn.Hardtanh(),
        nn.Linear(5, 3),
    ],
    "batch normalization of images, maxima": lambda: [
        nn.Conv2d(2, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 3),
    ],
    "groups, strides, padding": lambda: [
        nn.Conv2d(2, 4, 3, stride=2, padding=(1, 0), groups=2),
        nn.ReLU6(),
        nn.Sequential(nn.Conv2d(4, 6, 2, dilation=(2, 1), groups=2), nn.LeakyReLU(0.1)),
        nn.Flatten(),
        nn.Linear(6, 3),
    ],
    "padding with what is there": lambda: [
        nn.Conv2d(2, 3, 3, padding="same", padding_mode="circular", bias=False),
        nn.Hardtanh(),
        nn.AvgPool2d(2),
        nn.Flatten(1),
        nn.Linear(12, 3),
    ],
    "normalized inputs, mean of positions": lambda: [
        nn.BatchNorm2d(2),
        nn.Conv2d(2, 3, 1),
        nn.Threshold(0.1, 2.0),
        nn.Conv2d(3, 3, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ],
    "a linear layer at several positions": lambda: [
        nn.Linear(5, 4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(40, 3),
    ],
    "two maxima": lambda: [
        nn.ZeroPad2d(1),
        nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True),
        nn.Conv2d(2, 5, 2),
        nn.MaxPool2d((1, 2), dilation=2, stride=1),
        nn.Flatten(),
        nn.Linear(15, 3),
    ],
    "no parameters": lambda: [nn.MaxPool2d(5), nn.Flatten()],
}


def images(count, *, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 2, 5, 5, generator=generator, dtype=torch.float64)


def module_of(name):
    """All its parameters and running statistics away from where they begin."""
    torch.manual_seed(0)
    module = nn.Sequential(*SEQUENCES[name]()).double()
    for _ in range(3):
        module(3 * images(8, seed=2) + 1)
    for parameter in module.parameters():
        parameter.data += torch.randn_like(parameter) / 3
    return module


def sensitivities(module, inputs, reduction="sum"):
    outputs = chosen_outputs(reduction, module.eval()(inputs[:1]))
    return module_mixed_derivative_norm(module, inputs, outputs)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", [name for name in SEQUENCES if name != "no parameters"])
def test_equals_autograd(name, reduction):
    module, inputs = module_of(name).eval(), images(4)
    expected = tangent_sensitivities(module, inputs, reduction)
    assert (expected > 0).sum() >= 3
    assert_close(
        sensitivities(module, inputs, reduction), expected.unsqueeze(0), rtol=1e-12, atol=0
    )


def test_without_parameters_there_is_nothing_to_be_sensitive():
    assert sensitivities(module_of("no parameters"), images(3)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("block_bytes", [1, 5000, 100000])
@pytest.mark.parametrize("name", SEQUENCES)
def test_size_of_blocks_changes_nothing(name, block_bytes, monkeypatch):
    module, inputs = module_of(name), images(7)
    expected = sensitivities(module, inputs, "full")
    monkeypatch.setitem(BUDGETS, "layer_changes", Budget(block_bytes, block_bytes))
    assert_close(sensitivities(module, inputs, "full"), expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("cheaper", [True, False])
@pytest.mark.parametrize(
    "name", ["groups, strides, padding", "normalized inputs, mean of positions"]
)
def test_both_ways_to_sum_over_positions_agree(name, cheaper, monkeypatch):
    module, inputs = module_of(name), images(4)
    expected = sensitivities(module, inputs, "full")
    monkeypatch.setattr(module_mixed_derivative, "_is_gram_cheaper", lambda *_: cheaper)
    assert_close(sensitivities(module, inputs, "full"), expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("activation", ["relu", "relu6", "hardtanh"])
def test_layers_of_a_stack_give_its_values(activation):
    networks = random_networks((50, 8, 60, 4), activation, biases=True)
    layers = [nn.Flatten()]
    for weight, bias in zip(networks.weights, networks.biases, strict=True):
        linear = nn.Linear(*weight.shape[:0:-1], dtype=weight.dtype)
        linear.weight.data, linear.bias.data = weight[0], bias[0]
        phi = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hardtanh": nn.Hardtanh}[activation]
        layers += [linear, phi()]
    values = sensitivities(nn.Sequential(*layers[:-1]), images(9))
    assert_close(values, tangent_sensitivity(networks, images(9)), rtol=1e-12, atol=0)


def test_window_as_large_as_the_image_is_a_linear_layer():
    """For two linear layers, the square is ‖w_2‖² · features + ‖W_1‖²."""
    module = nn.Sequential(nn.Conv2d(2, 4, 5), nn.Flatten(), nn.Linear(4, 1)).double()
    first, second = module[0].weight, module[2].weight
    expected = (50 * second.square().sum() + first.square().sum()).sqrt()
    assert_close(sensitivities(module, images(3))[0], expected.detach().expand(3))


def test_product_of_norms_is_not_the_block_of_a_convolution():
    """Σ_p u_p of a mean over windows: cotangents of all positions are one vector."""
    module = nn.Sequential(nn.Conv2d(2, 1, 3, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    # Each of nine pixels of a window is the mean of nine of the image.
    expected = torch.tensor(9 * 2 * 9 * (1 / 9) ** 2).double().sqrt()
    assert_close(sensitivities(module.double(), images(3))[0], expected.expand(3))


def test_scale_of_a_batch_normalization_sums_over_positions():
    """∂²f/∂γ∂x of a mean over positions is ∂ mean(ẑ)/∂x, the same for every pixel."""
    module = nn.Sequential(nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()
    module[0].running_var[:] = torch.tensor([3.0, 7.0])
    expected = (1 / 25 / (torch.tensor([3.0, 7.0]).double() + 1e-5)).sum().sqrt()
    assert_close(sensitivities(module, images(3))[0], expected.expand(3))


def test_single_precision():
    inputs = images(20)
    for name in SEQUENCES:
        expected = sensitivities(module_of(name), inputs, "full")
        values = sensitivities(module_of(name).float(), inputs.float(), "full")
        assert_close(values, expected, rtol=1e-5, atol=0)


def test_mode_parameters_and_inputs_stay_as_they_are():
    module, inputs = module_of("batch normalization of images, maxima").train(), images(3)
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    values = module_mixed_derivative_norm(module, inputs, torch.ones(1, 3).double())
    assert [part.training for part in module] == [True, False, True, True, True, True]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(inputs, images(3))
    assert not inputs.requires_grad
    assert not values.requires_grad


def test_point_whose_logits_are_not_finite_has_no_value():
    inputs = images(3)
    inputs[1] = torch.inf
    values = sensitivities(module_of("batch normalization of vectors"), inputs)[0]
    assert values.isnan().tolist() == [False, True, False]


def test_no_points_give_no_norms():
    values = module_mixed_derivative_norm(module_of("linear"), images(0), torch.ones(1, 3).double())
    assert values.shape == (1, 0)
