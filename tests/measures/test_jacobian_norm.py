import pytest
import torch
from oracles.softmax_jacobian import (
    PlainNetwork,
    exact_softmax_jacobian_norm,
    logit_jacobians,
    random_networks,
    softmax_jacobian_norms,
)
from torch import nn
from torch.testing import assert_close

from generalization.measures.jacobian_norm import (
    jacobian_norm,
    logit_jacobian_norm,
    softmax_jacobian_rows,
)
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import FullyConnectedNetworks


def points(count, features, *, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, features, generator=generator, dtype=dtype)


def linear(weight):
    return FullyConnectedNetworks((weight.unsqueeze(0),), "relu")


def with_margin(networks, point, margin):
    """The network with its last layer scaled so that the two largest logits are this far apart."""
    largest = networks.logits(point.unsqueeze(0)).flatten().topk(2).values
    scale = margin / (largest[0] - largest[1])
    return FullyConnectedNetworks(
        (*networks.weights[:-1], networks.weights[-1] * scale), networks.activation
    )


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
@pytest.mark.parametrize("widths", [(9, 4), (9, 7, 4), (9, 7, 8, 6, 4), (5, 7, 8, 2)])
def test_equals_autograd(widths, activation, biases):
    networks = random_networks(widths, activation, count=3, biases=biases)
    inputs = points(11, widths[0])
    expected = [softmax_jacobian_norms(PlainNetwork(networks, r), inputs) for r in range(3)]
    assert_close(jacobian_norm(networks, inputs), torch.stack(expected), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_module_equals_stack(activation, dtype):
    networks = random_networks((9, 8, 6, 4), activation, biases=True, dtype=dtype)
    inputs = points(300, 9, dtype=dtype).reshape(300, 1, 3, 3)
    expected = jacobian_norm(networks, inputs)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-11
    assert_close(jacobian_norm(PlainNetwork(networks), inputs), expected, rtol=tolerance, atol=0)


@pytest.mark.parametrize("margin", [1, 15, 20, 60, 90, 120, 300, 700])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_saturated_softmax_against_exact_arithmetic(margin, dtype, tolerance):
    point = points(1, 6, dtype=dtype, seed=2)[0]
    networks = with_margin(random_networks((6, 5, 5, 4), dtype=dtype), point, margin)
    exact = exact_softmax_jacobian_norm(networks, point)
    assert 0 < exact < 30 * margin * 2.718**-margin
    tolerance *= 10 + margin  # That of the logits.
    by_stack = jacobian_norm(networks, point.unsqueeze(0)).item()
    by_module = jacobian_norm(PlainNetwork(networks), point.unsqueeze(0)).item()
    assert by_stack == pytest.approx(exact, rel=tolerance, abs=0)
    assert by_module == pytest.approx(exact, rel=tolerance, abs=0)


@pytest.mark.parametrize("margin", [1, 20, 90])
def test_saturated_convolutions_keep_single_precision(margin):
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    module = nn.Sequential(*layers, nn.Linear(16, 5)).double().eval()
    inputs = points(20, 25).reshape(20, 1, 5, 5)
    largest = module(inputs).detach().topk(2).values
    module[5].weight.data *= margin / (largest[:, 0] - largest[:, 1]).median()
    # J_i = σ_i (R_i − Σ_j σ_j R_j), R_i = ∂f_i/∂x − ∂f_t/∂x, t the largest logit.
    differences = logit_jacobians(module, inputs)
    logits = module(inputs).detach()
    top = logits.argmax(1).view(-1, 1, 1).expand(-1, 1, 25)
    differences = differences - differences.gather(1, top)
    probabilities = logits.softmax(1).unsqueeze(2)
    mean = (probabilities * differences).sum(1, keepdim=True)
    exact = (probabilities * (differences - mean)).flatten(1).norm(dim=1).detach()
    assert_close(jacobian_norm(module, inputs)[0], exact, rtol=1e-11, atol=0)
    single = jacobian_norm(module.float(), inputs.float())[0]
    assert_close(single, exact, rtol=1e-6 * (10 + 10 * margin), atol=0)


def test_margin_beyond_float64_gives_zero():
    point = points(1, 6)
    networks = with_margin(random_networks((6, 5, 4)), point[0], 2000)
    assert jacobian_norm(networks, point).item() == 0


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_rows_have_the_norm_of_the_jacobian_whatever_they_multiply(classes):
    logits = 3 * points(20, classes)
    sigma = logits.softmax(-1)
    jacobian = torch.diag_embed(sigma) - sigma[:, :, None] * sigma[:, None, :]
    other = points(classes, 7)
    rows, scale = softmax_jacobian_rows(logits)
    assert rows.shape == (20, classes - 1, classes)
    assert_close(scale * (rows @ other).norm(dim=(1, 2)), (jacobian @ other).norm(dim=(1, 2)))


def test_two_classes():
    networks = random_networks((6, 5, 2))
    inputs = points(9, 6)
    p = networks.logits(inputs)[0].softmax(-1).prod(-1)
    difference = FullyConnectedNetworks(
        (networks.weights[0], networks.weights[1].diff(dim=1)), "relu"
    )
    expected = 2**0.5 * p * logit_jacobian_norm(difference, inputs)
    assert_close(jacobian_norm(networks, inputs), expected)


def test_linear_network_at_the_origin():
    weight = points(4, 6)
    expected = (weight - weight.mean(0)).norm() / 4
    assert_close(jacobian_norm(linear(weight), torch.zeros(1, 6).double())[0, 0], expected)


def test_orthogonal_logit_gradients_of_equal_length():
    weight = 5**0.5 * torch.linalg.qr(points(7, 4)).Q.T
    inputs = points(8, 7)
    sigma = (inputs @ weight.T).softmax(-1)
    s2, s3 = sigma.square().sum(-1), sigma.pow(3).sum(-1)
    expected = (5 * (s2 - 2 * s3 + s2**2)).sqrt()
    assert_close(jacobian_norm(linear(weight), inputs)[0], expected)


def test_orthogonal_logit_gradients_where_all_classes_are_equally_probable():
    weight = 5**0.5 * torch.linalg.qr(points(7, 4)).Q.T
    value = jacobian_norm(linear(weight), torch.zeros(1, 7).double()).item()
    assert value == pytest.approx((5 * 3 / 4**2) ** 0.5)


def test_constant_and_dead_networks_are_exactly_zero():
    networks = random_networks((6, 5, 4), biases=True)
    inputs = points(3, 6)
    constant = FullyConnectedNetworks(
        (networks.weights[0], 0 * networks.weights[1]), "relu", networks.biases
    )
    dead = FullyConnectedNetworks(
        networks.weights, "relu", (networks.biases[0] - 100, networks.biases[1])
    )
    assert jacobian_norm(constant, inputs).tolist() == [[0, 0, 0]]
    assert jacobian_norm(dead, inputs).tolist() == [[0, 0, 0]]


def test_common_change_of_all_logits_leaves_it_unchanged():
    networks = random_networks((6, 5, 5, 4))
    inputs = points(9, 6)
    shifted = FullyConnectedNetworks(
        (*networks.weights[:-1], networks.weights[-1] + 10 * points(1, 5)), "relu"
    )
    assert_close(
        jacobian_norm(shifted, inputs), jacobian_norm(networks, inputs), rtol=1e-10, atol=0
    )


def test_rotation_of_inputs_and_first_layer_together_leaves_it_unchanged():
    networks = random_networks((9, 7, 8, 4), biases=True)
    inputs = points(5, 9)
    rotation = torch.linalg.qr(points(9, 9, seed=3)).Q
    rotated = FullyConnectedNetworks(
        (networks.weights[0] @ rotation.T, *networks.weights[1:]), "relu", networks.biases
    )
    assert_close(jacobian_norm(rotated, inputs @ rotation.T), jacobian_norm(networks, inputs))


def test_permutation_of_units_and_classes_leaves_it_unchanged():
    networks = random_networks((9, 7, 8, 4))
    inputs = points(5, 9)
    first, second, classes = (
        torch.randperm(n, generator=torch.Generator().manual_seed(n)) for n in (7, 8, 4)
    )
    w1, w2, w3 = networks.weights
    permuted = FullyConnectedNetworks(
        (w1[:, first], w2[:, second][:, :, first], w3[:, classes][:, :, second]), "relu"
    )
    assert_close(jacobian_norm(permuted, inputs), jacobian_norm(networks, inputs))


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_at_most_half_of_the_logit_jacobian(classes):
    networks = random_networks((9, 7, 8, classes), count=4)
    inputs = points(200, 9)
    bound = logit_jacobian_norm(networks, inputs) / 2
    assert (jacobian_norm(networks, inputs) <= bound * (1 + 1e-12)).all()


def test_half_is_reached_between_two_classes():
    """Orthonormal logit gradients, two classes with σ = ½ each: ‖J‖_F = ‖C‖_F = ½."""
    networks = FullyConnectedNetworks(
        (torch.eye(4).double()[None],), "relu", (torch.tensor([[0.0, 0, -900, -900]]).double(),)
    )
    assert jacobian_norm(networks, torch.zeros(1, 4).double()).item() == pytest.approx(0.5)


def test_bias_free_relu_along_a_ray():
    """f(αx) = αf(x) and ∂f/∂x(αx) = ∂f/∂x(x): as α times the last layer at x, but for 1/α."""
    networks = random_networks((9, 7, 8, 4), count=2)
    scaled = FullyConnectedNetworks((*networks.weights[:-1], 30 * networks.weights[-1]), "relu")
    inputs = points(5, 9)
    expected = jacobian_norm(scaled, inputs) / 30
    assert_close(jacobian_norm(networks, 30 * inputs), expected, rtol=1e-10, atol=0)


def test_mean_square_of_small_changes():
    """E‖σ(f(x + δ)) − σ(f(x))‖² = ε‖J‖_F² for δ ~ N(0, εI), as ε goes to 0."""
    networks = random_networks((9, 7, 8, 4))
    point, scale = points(1, 9), 1e-4
    moved = networks.logits(point + scale * points(20_000, 9, seed=3)).softmax(-1)
    squares = (moved - networks.logits(point).softmax(-1)).square().sum(-1)[0] / scale**2
    expected = jacobian_norm(networks, point).item() ** 2
    error = squares.std().item() / len(squares) ** 0.5
    assert error < 0.02 * expected
    assert abs(squares.mean().item() - expected) < 3 * error


def test_columns_sum_to_zero_so_that_one_row_follows_from_the_others():
    networks = random_networks((9, 7, 8, 4))
    inputs = points(5, 9)
    gradients = logit_jacobians(PlainNetwork(networks), inputs)
    rows, scale = softmax_jacobian_rows(networks.logits(inputs)[0])
    # 1ᵀJ = 0 and rank ≤ K − 1: fewer rows than classes, and a common gradient is lost.
    common = points(5, 9, seed=3).unsqueeze(1)
    assert rows.shape[1] == 3
    changed = scale * (rows @ (gradients + common)).norm(dim=(1, 2))
    assert_close(changed, jacobian_norm(networks, inputs)[0])


def test_float32_stays_within_rounding_of_float64():
    networks = random_networks((64, 50, 50, 50, 10), count=2, dtype=torch.float32)
    inputs = points(400, 64, dtype=torch.float32)
    exact = jacobian_norm(networks.to(torch.float64), inputs.double())
    values = jacobian_norm(networks, inputs)
    assert values.dtype == torch.float64
    assert ((values / exact - 1).abs() < 1e-5).double().mean() > 0.99


def test_broken_network_does_not_touch_its_neighbor():
    networks = random_networks((9, 7, 4), count=2)
    inputs = points(5, 9)
    healthy = jacobian_norm(networks, inputs)[1]
    networks.weights[0][0, 0, 0] = torch.nan
    values = jacobian_norm(networks, inputs)
    assert values[0].isnan().all()
    assert_close(values[1], healthy, rtol=0, atol=0)


def test_convolutional_module_in_eval_mode():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(48, 4),
    ).double()
    inputs = points(30, 72).reshape(30, 2, 6, 6)
    module(inputs)  # Moves the running statistics.
    values = jacobian_norm(module, inputs)
    assert module.training
    assert_close(values[0], softmax_jacobian_norms(module.eval(), inputs))
    assert not values.requires_grad
    assert all(parameter.grad is None for parameter in module.parameters())
