"""Gradients of layers at positions are those of autograd, whichever way they are multiplied."""

import pytest
import torch
from oracles.sample_gradients import logit_gradients, loss_gradients
from torch import nn
from torch.testing import assert_close

from generalization.derivatives import module_factors
from generalization.derivatives.gradient_factors import (
    fisher_moments,
    fisher_rows,
    gradient_blocks,
    gradient_squares,
    gradient_sum,
    loss_moments,
    loss_rows,
)
from generalization.derivatives.gradient_gram import gradient_gram
from generalization.derivatives.module_factors import Unfolded, by_positions, readable_layers
from generalization.devices import BUDGETS, Budget

EXACT = {"rtol": 1e-12, "atol": 1e-14}
CLASSES = 3


class Residual(nn.Module):
    """A module that is no sequence, with activations that overwrite what they are given."""

    def __init__(self, inside):
        super().__init__()
        self.inside, self.relu = inside, nn.ReLU(inplace=True)

    def forward(self, inputs):
        return self.relu(self.inside(inputs) + inputs)


class PerToken(nn.Module):
    """Fully connected layers at the rows of an image."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 5), nn.Linear(5, CLASSES, bias=False)

    def forward(self, inputs):
        return self.last(torch.tanh(self.first(inputs[:, 0])).mean(1))


def head(width):
    return [nn.Flatten(), nn.Linear(width, CLASSES)]


MODULES = {
    "plain": lambda: nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 4, 2, stride=2), nn.Tanh(), *head(36)
    ),
    "without biases, dilated": lambda: nn.Sequential(
        nn.Conv2d(2, 3, 2, dilation=2, bias=False), nn.ReLU(), *head(48)
    ),
    "in groups": lambda: nn.Sequential(
        nn.Conv2d(2, 6, 3, groups=2, padding=1, padding_mode="circular"), nn.ReLU(), *head(216)
    ),
    "residual": lambda: nn.Sequential(
        Residual(nn.Conv2d(2, 2, 3, padding=1)),
        nn.MaxPool2d(2),
        nn.Conv2d(2, 40, 2),
        nn.ReLU(inplace=True),
        *head(160),
    ),
    "tokens": PerToken,
    "one layer": lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, CLASSES)),
}


def points(count=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 2, 6, 6, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(CLASSES, (count,), generator=generator)


def made(name):
    torch.manual_seed(0)
    return MODULES[name]().double()


def rows_of(logits):
    rows, scale = fisher_rows(logits)
    return rows * scale[:, None, None]


@pytest.fixture(params=[None, True, False], ids=["by cost", "by positions", "formed"])
def forced(request, monkeypatch):
    """Choose the form of products by their cost, or take one."""
    if request.param is not None:
        monkeypatch.setattr(module_factors, "by_positions", lambda *_: request.param)
    return request.param


@pytest.mark.parametrize("name", MODULES)
def test_norms_products_and_sums_equal_autograd(name, forced):
    module, (inputs, labels) = made(name), points()
    assert readable_layers(module, inputs)
    gradients = loss_gradients(module, inputs, labels)
    grams = gradient_gram(module, inputs, loss_rows, labels)
    assert_close(grams[0], gradients @ gradients.T, **EXACT)
    squares = gradient_squares(module, inputs, loss_rows, labels)
    assert_close(squares[0], gradients.square().sum(1), **EXACT)
    sums = gradient_sum(module, inputs, loss_rows, labels)
    assert_close(torch.cat([part.flatten() for part in sums]), gradients.sum(0), **EXACT)
    moments = loss_moments(module, inputs, labels)
    assert_close(moments.squares[0], gradients.square().sum(1), **EXACT)
    assert_close(moments.square_of_mean[0], gradients.mean(0).square().sum(), **EXACT)
    diagonal = torch.cat([part.flatten() for part in moments.diagonal])
    assert_close(diagonal.sort().values, gradients.square().sum(0).sort().values, **EXACT)


@pytest.mark.parametrize("name", MODULES)
def test_products_of_rows_of_the_fisher_matrix_equal_autograd(name, forced):
    module, (inputs, _) = made(name), points()
    jacobians = rows_of(module(inputs).detach()) @ logit_gradients(module, inputs)
    flat = jacobians.flatten(0, 1)
    assert_close(gradient_gram(module, inputs, fisher_rows)[0], flat @ flat.T, **EXACT)
    traces = jacobians.square().sum((1, 2))
    assert_close(gradient_squares(module, inputs, fisher_rows)[0], traces, **EXACT)
    moments = fisher_moments(module, inputs)
    assert_close(moments.traces[0], traces, **EXACT)
    diagonal = torch.cat([part.flatten() for part in moments.diagonal])
    assert_close(diagonal.sort().values, flat.square().sum(0).sort().values, **EXACT)


@pytest.mark.parametrize("numbers", [1, 2_000, 10_000])
def test_size_of_blocks_changes_nothing(numbers, forced, monkeypatch):
    module, (inputs, labels) = made("residual"), points()
    gradients = loss_gradients(module, inputs, labels)
    monkeypatch.setitem(BUDGETS, "logit_gradients", Budget(numbers, numbers))
    monkeypatch.setitem(BUDGETS, "grams", Budget(numbers, numbers))
    monkeypatch.setattr("generalization.derivatives.gradient_gram.SAMPLES", 2)
    grams = gradient_gram(module, inputs, loss_rows, labels)
    assert_close(grams[0], gradients @ gradients.T, **EXACT)
    assert_close(loss_moments(module, inputs, labels).squares[0], grams[0].diagonal(), **EXACT)


def test_products_are_computed_where_they_cost_less():
    # Two positions of a wide layer, and many positions of a narrow one.
    assert by_positions(units=64, fan_in=576, positions=2, rows=1, partners=1000)
    assert not by_positions(units=8, fan_in=9, positions=784, rows=1, partners=1000)
    # 3² · (2² · 4 + 5) = 189 per partner, against 2 · 3 · 4 · 5 = 120 once and 2² · 4 · 5 = 80.
    assert by_positions(units=4, fan_in=5, positions=3, rows=2, partners=1)
    assert not by_positions(units=4, fan_in=5, positions=3, rows=2, partners=2)
    module, (inputs, labels) = made("residual"), points()
    (block,) = gradient_blocks(module, inputs, loss_rows, labels, partners=5)
    # 36 positions of 2 units are formed, as weights and biases; 4 positions of 40 units, too.
    assert not by_positions(2, 19, 36, 1, 5)
    assert not by_positions(40, 9, 4, 1, 5)
    assert [layer.deltas.shape[-1] for layer in block.layers] == [36, 2, 320, 40, 3]
    wide = nn.Sequential(nn.Conv2d(2, 40, 5), nn.Tanh(), nn.Flatten(), nn.Linear(160, 3)).double()
    (block,) = gradient_blocks(wide, inputs, loss_rows, labels, partners=5)
    assert isinstance(block.layers[0], Unfolded)
    assert block.layers[0].deltas.shape == (1, 5, 1, 4, 40)
    (block,) = gradient_blocks(wide, inputs, loss_rows, labels)
    assert not any(isinstance(layer, Unfolded) for layer in block.layers)


# Modules whose gradients are not those of layers called once.


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.Linear(72, 72), nn.Linear(72, CLASSES)

    def forward(self, inputs):
        return self.last(torch.tanh(self.layer(torch.tanh(self.layer(inputs.flatten(1))))))


class UsedElsewhere(Twice):
    def forward(self, inputs):
        hidden = torch.tanh(self.layer(inputs.flatten(1)))
        return self.last(torch.tanh(hidden @ self.layer.weight))


class TiedWeights(Twice):
    def __init__(self):
        super().__init__()
        self.other = nn.Linear(72, 72)
        self.other.weight = self.layer.weight

    def forward(self, inputs):
        return self.last(torch.tanh(self.other(torch.tanh(self.layer(inputs.flatten(1))))))


class PositionsFirst(Twice):
    """Layers that are given positions before samples."""

    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.Linear(12, 7), nn.Linear(7, CLASSES)

    def forward(self, inputs):
        return self.last(torch.tanh(self.layer(inputs.reshape(-1, 6, 12).transpose(0, 1))).mean(0))


class Scaled(Twice):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(72))

    def forward(self, inputs):
        return self.last(torch.tanh(self.scale * self.layer(inputs.flatten(1))))


@pytest.mark.parametrize(
    ("kind", "count"),
    [(Twice, 5), (UsedElsewhere, 5), (TiedWeights, 5), (PositionsFirst, 6), (Scaled, 5)],
)
def test_other_modules_are_left_to_autograd(kind, count):
    torch.manual_seed(0)
    module, (inputs, labels) = kind().double(), points(count)
    assert readable_layers(module, inputs) is None
    gradients = loss_gradients(module, inputs, labels)
    assert_close(
        gradient_gram(module, inputs, loss_rows, labels)[0], gradients @ gradients.T, **EXACT
    )


def test_module_is_left_as_it_was():
    module, (inputs, labels) = made("residual"), points()
    module.requires_grad_(False).train()
    gradient_gram(module, inputs, loss_rows, labels)
    assert module.training
    assert not any(one.requires_grad for one in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())


def test_gradients_of_almost_certain_labels_are_summed_in_their_own_scale():
    module, (inputs, _) = made("plain"), points()
    module[-1].weight.data *= 3_000
    labels = module(inputs).argmax(1)
    single = gradient_sum(module.float(), inputs.float(), loss_rows, labels)
    scale = loss_moments(module.double(), inputs, labels).square_of_mean.sqrt()
    assert 0 < scale < 1e-50
    norm = torch.cat([one.flatten() for one in single]).norm() / len(inputs)
    assert norm.log().item() == pytest.approx(scale.log().item(), rel=1e-3)


@pytest.mark.parametrize("name", ["bias", "weight"])
def test_buffers_have_no_gradients(name):
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 2, 2), nn.Tanh(), nn.Flatten(), nn.Linear(18, 3)]
    module = nn.Sequential(*layers).double()
    value = getattr(module[0], name).detach()
    delattr(module[0], name)
    module[0].register_buffer(name, value)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(6, 1, 4, 4, generator=generator, dtype=torch.float64)
    labels = torch.arange(6) % 3
    gradients = loss_gradients(module, inputs, labels)
    moments = loss_moments(module, inputs, labels)
    assert_close(moments.squares[0], gradients.square().sum(1), **EXACT)
    assert_close(moments.square_of_mean[0], gradients.mean(0).square().sum(), **EXACT)
    grams = gradient_gram(module, inputs, loss_rows, labels)
    assert_close(grams[0], gradients @ gradients.T, **EXACT)
