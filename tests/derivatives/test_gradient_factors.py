import pytest
import torch
from oracles.sample_gradients import logit_gradients, loss_gradients
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch import nn
from torch.testing import assert_close

from generalization.derivatives.directional_derivatives import (
    directional_derivatives,
    layer_parameters,
)
from generalization.derivatives.gradient_factors import (
    fisher_moments,
    fisher_rows,
    gradient_squares,
    gradient_sum,
    loss_moments,
    loss_rows,
)
from generalization.derivatives.gradient_gram import gradient_gram
from generalization.devices import BUDGETS, Budget

CASES = [(activation, biases) for activation in ("relu", "tanh") for biases in (False, True)]
EXACT = {"rtol": 1e-12, "atol": 1e-14}


def points(count=6, features=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, features, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (count,), generator=generator)


def convolutional():
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 2, 2), nn.ReLU(), nn.MaxPool2d(2, 1), nn.Flatten(), nn.Dropout()]
    return nn.Sequential(*layers, nn.Linear(8, 3)).double()


def flat(layers, biases, member=0):
    """Weights and biases one after the other, as autograd has them."""
    parts = []
    for layer in layers:
        parts += [layer[member, :, :-1], layer[member, :, -1]] if biases else [layer[member]]
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_norms_sums_and_products_of_gradients_of_the_loss_equal_autograd(activation, biases):
    networks = random_networks((5, 6, 4, 3), activation, count=2, biases=biases)
    inputs, labels = points()
    squares = gradient_squares(networks, inputs, loss_rows, labels)
    sums = gradient_sum(networks, inputs, loss_rows, labels)
    of_squares = gradient_sum(networks, inputs, loss_rows, labels, squared=True)
    grams = gradient_gram(networks, inputs, loss_rows, labels)
    for member in (0, 1):
        gradients = loss_gradients(PlainNetwork(networks, member), inputs, labels)
        assert_close(squares[member], gradients.square().sum(1), **EXACT)
        assert_close(flat(sums, biases, member), gradients.sum(0), **EXACT)
        assert_close(flat(of_squares, biases, member), gradients.square().sum(0), **EXACT)
        assert_close(grams[member], gradients @ gradients.T, **EXACT)


@pytest.mark.parametrize("of_loss", [True, False])
def test_gram_matrices_computed_by_groups_are_those_of_all_pairs(of_loss, monkeypatch):
    networks = random_networks((5, 6, 4, 3), "relu", count=2, biases=True)
    inputs, labels = points()
    cotangents = (loss_rows, labels) if of_loss else (fisher_rows,)
    whole = gradient_gram(networks, inputs, *cotangents)
    assert torch.equal(whole, whole.mT)
    monkeypatch.setattr("generalization.derivatives.gradient_gram.SAMPLES", 3)
    by_groups = gradient_gram(networks, inputs, *cotangents)
    assert torch.equal(by_groups, by_groups.mT)
    assert_close(by_groups, whole, **EXACT)


@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_squares_over_fisher_rows_are_traces_with_the_softmax_curvature(activation, biases):
    networks = random_networks((5, 6, 4, 3), activation, count=2, biases=biases)
    inputs, _ = points()
    squares = gradient_squares(networks, inputs, fisher_rows)
    of_squares = gradient_sum(networks, inputs, fisher_rows, squared=True)
    for member in (0, 1):
        module = PlainNetwork(networks, member)
        sigma = module(inputs).detach().softmax(-1)
        curvature = torch.diag_embed(sigma) - sigma.unsqueeze(2) * sigma.unsqueeze(1)
        jacobians = logit_gradients(module, inputs)
        diagonals = torch.einsum("nkp,nkj,njp->np", jacobians, curvature, jacobians)
        assert_close(squares[member], diagonals.sum(1), **EXACT)
        assert_close(flat(of_squares, biases, member), diagonals.sum(0), **EXACT)


@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_derivative_along_a_direction_is_the_jacobian_times_it(activation, biases):
    networks = random_networks((5, 6, 4, 3), activation, count=2, biases=biases)
    inputs, _ = points()
    generator = torch.Generator().manual_seed(5)
    direction = [
        torch.randn(part.shape, generator=generator, dtype=torch.float64)
        for part in layer_parameters(networks)
    ]
    logits, derivatives = directional_derivatives(networks, inputs, direction)
    assert_close(logits, networks.logits(inputs))
    for member in (0, 1):
        jacobians = logit_gradients(PlainNetwork(networks, member), inputs)
        expected = jacobians @ flat(direction, biases, member)
        assert_close(derivatives[member], expected, **EXACT)


def test_module_equals_autograd_in_eval_mode():
    module = convolutional()
    inputs, labels = points(6, 16)
    inputs = inputs.view(6, 1, 4, 4)
    module.eval()
    gradients = loss_gradients(module, inputs, labels)
    jacobians = logit_gradients(module, inputs)
    module.train()
    squares = gradient_squares(module, inputs, loss_rows, labels)
    assert_close(squares[0], gradients.square().sum(1), **EXACT)
    sums = gradient_sum(module, inputs, loss_rows, labels)
    assert_close(torch.cat([part.flatten() for part in sums]), gradients.sum(0), **EXACT)
    grams = gradient_gram(module, inputs, loss_rows, labels)
    assert_close(grams[0], gradients @ gradients.T, **EXACT)
    _, derivatives = directional_derivatives(module, inputs, layer_parameters(module))
    flattened = torch.cat([parameter.detach().flatten() for parameter in module.parameters()])
    assert_close(derivatives[0], jacobians @ flattened, **EXACT)
    assert module.training


def test_gradients_of_a_module_are_summed_without_those_of_samples(monkeypatch):
    module, (inputs, labels) = convolutional().eval(), points(6, 16)
    inputs = inputs.view(6, 1, 4, 4)
    expected = loss_gradients(module, inputs, labels).sum(0)
    rows, scale = fisher_rows(module(inputs).detach())
    of_rows = (rows * scale[:, None, None]) @ logit_gradients(module, inputs)
    module.requires_grad_(False)
    monkeypatch.setattr("generalization.derivatives.gradient_factors.MODULE_SAMPLES", 4)
    for whole, of_points in ((expected, [labels]), (of_rows.sum((0, 1)), [])):
        found = gradient_sum(module, inputs, loss_rows if of_points else fisher_rows, *of_points)
        assert_close(torch.cat([part.flatten() for part in found]), whole, **EXACT)
    assert not any(one.requires_grad for one in module.parameters())


@pytest.mark.parametrize("block_bytes", [1, 200, 1000])
def test_size_of_blocks_changes_nothing(block_bytes, monkeypatch):
    networks = random_networks((5, 6, 4, 3), count=3, biases=True)
    inputs, labels = points()

    def results():
        return [
            gradient_squares(networks, inputs, loss_rows, labels),
            *gradient_sum(networks, inputs, loss_rows, labels),
            gradient_gram(networks, inputs, loss_rows, labels),
            *directional_derivatives(networks, inputs, layer_parameters(networks)),
        ]

    expected = results()
    monkeypatch.setitem(BUDGETS, "cotangents", Budget(block_bytes, block_bytes))
    for values, before in zip(results(), expected, strict=True):
        assert_close(values, before, **EXACT)


def test_gradients_of_certain_labels_keep_their_digits():
    networks = random_networks((5, 6, 4, 3), biases=True)
    confident = networks.map(lambda part: 4 * part)
    inputs, _ = points()
    labels = confident.logits(inputs)[0].argmax(1)
    logits = confident.logits(inputs)[0]
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1)
    margins = logits.gather(1, labels[:, None])[:, 0] - others
    certain = margins > 50
    assert certain.any()
    in_float32 = gradient_squares(confident.to(torch.float32), inputs.float(), loss_rows, labels)
    squares = gradient_squares(confident, inputs, loss_rows, labels)
    # Rounding a logit of 100 to float32 changes exp of it by a few times 1e-5.
    assert_close(in_float32.log(), squares.log(), rtol=1e-4, atol=1e-4)
    assert (squares > 0).all()


def test_moments_are_those_of_norms_and_sums():
    networks = random_networks((30, 40, 35, 10), count=2).map(lambda part: 3 * part)
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(300, 30, generator=generator, dtype=torch.float64)
    labels = torch.arange(300) % 10
    of_loss, of_fisher = loss_moments(networks, inputs, labels), fisher_moments(networks, inputs)
    total = gradient_sum(networks, inputs, loss_rows, labels)
    of_total = sum(layer.square().sum((1, 2)) for layer in total)
    diagonal = gradient_sum(networks, inputs, loss_rows, labels, squared=True)
    curvatures = gradient_sum(networks, inputs, fisher_rows, squared=True)
    assert_close(of_loss.squares, gradient_squares(networks, inputs, loss_rows, labels), **EXACT)
    assert_close(of_loss.square_of_mean, of_total / 300**2, **EXACT)
    assert_close(of_loss.diagonal, diagonal, **EXACT)
    assert_close(of_fisher.traces, gradient_squares(networks, inputs, fisher_rows), **EXACT)
    assert_close(of_fisher.diagonal, curvatures, **EXACT)


def test_squares_in_single_precision_are_accurate_to_a_millionth():
    networks = random_networks((30, 40, 35, 10), count=2).map(lambda part: 3 * part)
    networks = networks.to(torch.float32)
    inputs = torch.randn(300, 30, generator=torch.Generator().manual_seed(3))
    labels = torch.arange(300) % 10
    of_loss, of_fisher = loss_moments(networks, inputs, labels), fisher_moments(networks, inputs)
    squares = gradient_squares(networks, inputs, loss_rows, labels)
    traces = gradient_squares(networks, inputs, fisher_rows)
    assert_close(of_loss.squares, squares, rtol=1e-6, atol=0)
    assert_close(of_fisher.traces, traces, rtol=1e-6, atol=0)
