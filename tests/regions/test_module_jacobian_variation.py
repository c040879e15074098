import pytest
import torch
from torch import Generator, nn

from generalization.devices import BUDGETS, Budget
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.sequences import sequence_of
from generalization.regions.jacobian_jumps import jacobian_variation
from generalization.regions.module_jacobian_variation import module_jacobian_variation


def closed_curves(count, *shape):
    curves = torch.randn(count, 4, *shape, generator=Generator().manual_seed(0)).double()
    return torch.cat((curves, curves[:, :1]), dim=1)


@pytest.mark.parametrize("activation", ["relu", "relu6", "hardtanh", "hardsigmoid"])
def test_layers_of_a_stack_give_its_variation(activation):
    scale = 6 if activation == "relu6" else 2
    generators = [Generator().manual_seed(1)]
    networks = initialize_fully_connected((12, 9, 8, 3), activation, generators, init_scale=scale)
    network, vertices = networks.to(torch.float64), closed_curves(5, 12)
    expected = jacobian_variation(network, vertices).tolist()
    assert min(expected) > 0
    variation = module_jacobian_variation(sequence_of(network), vertices)[:, 0].tolist()
    assert variation == pytest.approx(expected, rel=1e-9)


def test_change_of_a_maximum_weighs_the_difference_of_its_gradients():
    # max(x, y) from (−1, 1) to (1, −1): the gradient goes from (0, 1) to (1, 0).
    module = nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d((1, 2)), nn.Flatten()).double()
    module[0].weight.data.fill_(1.0)
    module[0].bias.data.fill_(0.0)
    vertices = torch.tensor([[-1.0, 1.0], [1.0, -1.0]]).double().view(1, 2, 1, 1, 2)
    assert module_jacobian_variation(module, vertices).item() == pytest.approx(2**0.5)


@pytest.mark.parametrize("numbers", [1, 200, 2**18])
def test_variation_does_not_depend_on_the_blocks(monkeypatch, numbers):
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3)]
    module, vertices = nn.Sequential(*layers).double(), closed_curves(3, 2, 5, 5)
    whole = module_jacobian_variation(module, vertices)[:, 0]
    monkeypatch.setitem(BUDGETS, "polygons", Budget(8 * numbers, 8 * numbers))
    variation = module_jacobian_variation(module, vertices)[:, 0].tolist()
    assert variation == pytest.approx(whole.tolist(), rel=1e-12)
    one_by_one = [module_jacobian_variation(module, curve).item() for curve in vertices.split(1)]
    assert one_by_one == pytest.approx(variation, rel=1e-9)
