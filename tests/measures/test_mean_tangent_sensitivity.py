import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from oracles.tangent_sensitivity import second_derivatives
from torch import nn
from torch.testing import assert_close

from generalization.devices import BUDGETS, Budget
from generalization.errors import InputError
from generalization.measures.mean_tangent_sensitivity import mean_tangent_sensitivity
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.networks.sequences import sequence_of
from generalization.networks.sharing import sharing_results

REDUCTIONS = ["sum", "full", 1]


def points(count, features, *, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, features, generator=generator, dtype=dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def by_definition(module, inputs, reduction="sum"):
    """‖E_x ∂²f/∂θ∂x‖_F, the tensors written out."""
    blocks = second_derivatives(module, inputs).values()
    if reduction == "sum":
        blocks = [block.sum(1) for block in blocks]
    elif reduction != "full":
        blocks = [block[:, reduction] for block in blocks]
    return torch.cat([block.mean(0).flatten() for block in blocks]).norm()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ["relu", "hardtanh"])
@pytest.mark.parametrize("widths", [(9, 4), (9, 7, 4), (9, 7, 8, 6, 4), (5, 7, 8, 2)])
def test_closed_form_equals_autograd(widths, activation, biases, reduction):
    networks = random_networks(widths, activation, count=2, biases=biases)
    inputs = points(7, widths[0])
    expected = [by_definition(PlainNetwork(networks, r), inputs, reduction) for r in (0, 1)]
    values = mean_tangent_sensitivity(networks, inputs, reduction=reduction)
    assert_close(values, torch.stack(expected), rtol=1e-12, atol=0)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("activation", "alone"), [("tanh", False), ("tanh", True), ("relu", True)])
def test_square_of_the_estimate_is_unbiased(activation, alone, reduction):
    networks = random_networks((5, 6, 7, 3), activation, biases=True)
    module, inputs = PlainNetwork(networks), points(4, 5)
    expected = by_definition(module, inputs, reduction).square()
    given, generator = (module if alone else networks, inputs), seeded()
    with sharing_results({}):  # of checks of the module, which take longer than a draw
        draws = torch.stack([
            mean_tangent_sensitivity(*given, generator, reduction=reduction, probes=1)[0].square()
            for _ in range(300)
        ])
    assert (draws.mean() - expected).abs() < 4 * draws.std() / 300**0.5
    # The mean of the norms is a different number.
    apart = tangent_sensitivity(networks, inputs.repeat(50, 1), seeded(), reduction=reduction)
    assert (draws.mean() - apart.mean().square()).abs() > 4 * draws.std() / 300**0.5


def test_module_gives_the_estimate_of_a_tanh_stack():
    networks = random_networks((9, 7, 8, 4), "tanh", count=2, biases=True)
    inputs = points(30, 9).reshape(30, 1, 3, 3)
    expected = mean_tangent_sensitivity(networks, inputs, seeded(), reduction="full", probes=3)
    for member in (0, 1):
        values = mean_tangent_sensitivity(
            PlainNetwork(networks, member), inputs, seeded(), reduction="full", probes=3
        )
        assert_close(values, expected[[member]], rtol=1e-11, atol=0)


def test_normalized_stack_is_differentiated_by_its_own_parameters():
    networks = initialize_fully_connected((5, 6, 7, 3), "relu", [seeded(1)], normalized=True)
    networks = networks.map(lambda tensor: tensor + torch.rand(tensor.shape, generator=seeded(2)))
    networks, inputs = networks.to(torch.float64), points(4, 5)
    expected = by_definition(sequence_of(networks), inputs).square()
    generator = seeded()
    draws = torch.cat([
        mean_tangent_sensitivity(networks, inputs, generator, probes=1).square() for _ in range(300)
    ])
    error = draws.std() / 300**0.5
    assert (draws.mean() - expected).abs() < 4 * error
    folded = mean_tangent_sensitivity(networks.folded(), inputs).square()
    assert (draws.mean() - folded).abs() > 10 * error


def test_module_is_evaluated_in_eval_mode_and_left_unchanged():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Dropout(),
        nn.LazyLinear(3),
    ).double()  # fmt: skip
    inputs = points(4, 50).reshape(4, 2, 5, 5)
    module(inputs)  # Moves the running statistics.
    value = mean_tangent_sensitivity(module, inputs, seeded(), probes=400)
    assert module.training
    assert not value.requires_grad
    assert all(parameter.grad is None for parameter in module.parameters())
    assert value.item() == pytest.approx(by_definition(module.eval(), inputs).item(), rel=0.1)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_at_most_the_mean_of_norms(reduction):
    networks, inputs = random_networks((9, 7, 8, 4), count=3), points(20, 9)
    norms = tangent_sensitivity(networks, inputs, reduction=reduction).mean(1)
    assert (mean_tangent_sensitivity(networks, inputs, reduction=reduction) < 0.9 * norms).all()


@pytest.mark.parametrize("widths", [(9, 4), (9, 7, 8, 4)])
def test_equal_to_the_mean_of_norms_in_one_region(widths):
    networks = random_networks(widths, biases=True)
    inputs = points(5, 9)[:1] + 1e-6 * points(10, 9)
    expected = tangent_sensitivity(networks, inputs).mean(1)
    assert_close(mean_tangent_sensitivity(networks, inputs), expected, rtol=1e-13, atol=0)


def test_points_whose_sensitivities_are_orthogonal():
    # f = relu(x) − relu(−x). ∂²f/∂w∂x is ± 1 for two of the four weights at x > 0, for the other
    # two at x < 0.
    weights = (torch.tensor([[[1.0], [-1.0]]]), torch.tensor([[[1.0, -1.0]]]))
    networks = FullyConnectedNetworks(weights, "relu")
    one, other = torch.tensor([[2.0]]), torch.tensor([[-3.0]])
    for inputs, square in ((one, 2), (other, 2), (torch.cat((one, other)), 1)):
        assert mean_tangent_sensitivity(networks, inputs).item() == pytest.approx(square**0.5)


@pytest.mark.parametrize("block_bytes", [1, 1500])
def test_size_of_blocks_changes_nothing(block_bytes, monkeypatch):
    networks = random_networks((9, 7, 8, 6, 4), "relu6", count=2, biases=True)
    inputs = points(11, 9)
    expected = mean_tangent_sensitivity(networks, inputs)
    monkeypatch.setitem(BUDGETS, "jacobian_columns", Budget(block_bytes, block_bytes))
    assert_close(mean_tangent_sensitivity(networks, inputs), expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("scale", [1e-10, 1e8])
def test_scale_of_the_weights_neither_underflows_nor_overflows(scale):
    networks = random_networks((9, 7, 8, 6, 4), dtype=torch.float32)
    inputs = points(20, 9, dtype=torch.float32)
    scaled = networks.map(lambda weight: scale * weight)
    expected = scale**3 * mean_tangent_sensitivity(networks, inputs)
    assert_close(mean_tangent_sensitivity(scaled, inputs), expected, rtol=1e-5, atol=0)


def test_network_whose_logits_are_not_finite_has_no_value():
    networks = random_networks((6, 5, 5, 4), count=2)
    networks.weights[1][1] = torch.inf
    values = mean_tangent_sensitivity(networks, points(3, 6).abs())
    assert values.isnan().tolist() == [False, True]


def test_unknown_reduction():
    message = r"^reduction must be 'sum', 'full' or a logit from 0 to 3, not 4\.$"
    with pytest.raises(InputError, match=message):
        mean_tangent_sensitivity(random_networks((6, 5, 4)), points(3, 6), reduction=4)


def test_estimate_needs_a_generator_and_probes():
    networks, inputs = random_networks((6, 5, 4), "tanh"), points(3, 6)
    message = r"^generator must be given where probes estimate, as for tanh, not None\.$"
    with pytest.raises(InputError, match=message):
        mean_tangent_sensitivity(networks, inputs)
    with pytest.raises(
        InputError, match=r"^mean_tangent_sensitivity: probes must be at least 1, not 0\.$"
    ):
        mean_tangent_sensitivity(PlainNetwork(networks), inputs, seeded(), probes=0)
