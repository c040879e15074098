"""An activation function that is added by one entry works everywhere."""

import pytest
import torch
from oracles.blobs import blobs
from torch import Generator, nn
from torch.nn.functional import leaky_relu

from generalization.devices import BUDGETS, Budget
from generalization.hyperparameters import Hyperparameters
from generalization.measures.curvature import curvature
from generalization.measures.sampled_transitions import sampled_transitions
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.measures.transitions import transitions
from generalization.networks.activation_functions import (
    ACTIVATION_FUNCTIONS,
    LEAKY_RELU,
    MODULES,
    ActivationFunction,
    ActivationModule,
    activation_module,
    unit_thresholds,
)
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.hidden_layers import hidden_activations, module_activations
from generalization.networks.sequences import sequence_of
from generalization.regions.activation_patterns import facet_distances
from generalization.regions.ellipse_crossings import ellipse_crossings
from generalization.regions.sampled_ellipses import sampled_crossings
from generalization.regions.trajectories import random_ellipses
from generalization.training import train_ensemble

SLOPE = 0.25
LEAKY = ActivationFunction(
    function=lambda z: leaky_relu(z, SLOPE),
    in_place=lambda z: z.copy_(leaky_relu(z, SLOPE)),
    derivative=lambda a: torch.where(a > 0, 1.0, SLOPE).to(a.dtype),
    thresholds=(0.0,),
    gain=2 / (1 + SLOPE**2),
    module=LEAKY_RELU,
    arguments=(SLOPE,),
    slopes=(SLOPE, 1.0),
)


@pytest.fixture(autouse=True)
def _leaky(monkeypatch):
    monkeypatch.setitem(ACTIVATION_FUNCTIONS, "leaky", LEAKY)


@pytest.fixture
def networks():
    generators = [Generator().manual_seed(seed) for seed in (1, 2)]
    stack = initialize_fully_connected((16, 7, 6, 5, 3), "leaky", generators, biases=True)
    noise = Generator().manual_seed(3)
    return stack.map(lambda p: p + 0.3 * torch.randn(p.shape, generator=noise)).to(torch.float64)


@pytest.fixture
def images():
    return torch.randn(3, 1, 4, 4, generator=Generator().manual_seed(4), dtype=torch.float64)


@pytest.mark.parametrize("architecture", ["fully_connected", "vgg"])
@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_it_trains(architecture, normalization):
    hyperparameters = Hyperparameters(
        dataset="blobs",
        activation="leaky",
        architecture=architecture,
        normalization=normalization,
        width=8,
        depth=3,
        batch_size=16,
        max_steps=60,
        learning_rate=0.1,
    )
    rows = train_ensemble(blobs(noise=0.3), hyperparameters, (1, 2)).training
    assert rows[-1]["train_loss"] < 0.3 * rows[0]["train_loss"]


def test_its_module_is_the_function(networks, images):
    for position, network in enumerate(networks):
        module = sequence_of(network)
        torch.testing.assert_close(module(images), networks.logits(images)[position])
        layers = zip(
            module_activations(module, images), hidden_activations(networks, images), strict=True
        )
        for one, stacked in layers:
            torch.testing.assert_close(one, stacked[position])


def test_transitions_are_exact(networks, images):
    exact = transitions(networks, images)
    assert (exact > 0).all()
    assert torch.equal(
        exact, sampled_transitions(networks, images, grid_points=2**15, dtype=torch.float64)
    )
    for position, network in enumerate(networks):
        assert torch.equal(transitions(sequence_of(network), images)[0], exact[position])


def test_ellipses_are_followed(networks):
    ellipses = random_ellipses(3, (16,), Generator().manual_seed(5))
    for network in networks:
        exact = ellipse_crossings(network, ellipses)
        sampled = sampled_crossings(network, ellipses, 2**14)
        assert [len(curve) for curve, _ in exact] == [len(curve) for curve, _ in sampled]


def test_curvature_is_that_of_the_module(networks, images):
    of_stack = curvature(networks, images, dtype=torch.float64)
    of_modules = [
        curvature(sequence_of(network), images, dtype=torch.float64)[0] for network in networks
    ]
    torch.testing.assert_close(of_stack, torch.stack(of_modules))


@pytest.mark.parametrize("block_bytes", [1, 2**21])
def test_tangent_sensitivity_is_that_of_the_module(monkeypatch, networks, images, block_bytes):
    monkeypatch.setitem(BUDGETS, "hidden_jacobians", Budget(block_bytes, block_bytes))
    of_stack = tangent_sensitivity(networks, images)
    of_modules = [tangent_sensitivity(sequence_of(network), images)[0] for network in networks]
    torch.testing.assert_close(of_stack, torch.stack(of_modules))


def test_no_unit_changes_nearer_than_its_facet(networks, images):
    preactivations = networks.preactivations(images)[:-1]
    radii = torch.cat(facet_distances(networks, preactivations), dim=2).amin(2)
    moved = torch.randn(images.shape, generator=Generator().manual_seed(6), dtype=torch.float64)
    moved /= moved.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    for position, network in enumerate(networks):
        step = 0.99 * radii[position].view(-1, 1, 1, 1)
        layers = network.preactivations(images + step * moved)[:-1]
        for before, after in zip(preactivations, layers, strict=True):
            assert torch.equal(before[position] > 0, after[0] > 0)


def test_module_of_a_new_class_is_known_by_the_same_entry(monkeypatch):
    class Absolute(nn.Module):
        def forward(self, values):
            return values.abs()

    assert activation_module(Absolute()) is None
    assert unit_thresholds(Absolute()) == ()
    entry = ActivationModule(Absolute, lambda module: (0.0,), flat_below=False)
    monkeypatch.setitem(
        ACTIVATION_FUNCTIONS,
        "absolute",
        ActivationFunction(torch.abs, torch.abs_, torch.sign, (0.0,), 1.0, entry),
    )
    assert activation_module(Absolute()) is entry
    assert unit_thresholds(Absolute()) == (0.0,)


@pytest.mark.parametrize("name", ACTIVATION_FUNCTIONS)
def test_entry_is_consistent(name):
    phi = ACTIVATION_FUNCTIONS[name]
    z = torch.linspace(-9, 9, 1001, dtype=torch.float64).requires_grad_()
    activations = phi.function(z)
    torch.testing.assert_close(phi.new_module()(z + phi.offset), activations)
    assert phi.module in MODULES
    raised = tuple(threshold + phi.offset for threshold in phi.thresholds)
    assert unit_thresholds(phi.new_module()) == raised
    (slopes,) = torch.autograd.grad(activations.sum(), z)
    torch.testing.assert_close(phi.derivative(activations.detach()), slopes)
    if phi.piecewise_linear:
        pieces = sum((z.detach() > threshold).long() for threshold in phi.thresholds)
        inside = (z.detach().unsqueeze(1) != torch.tensor(phi.thresholds)).all(1)
        assert torch.equal(torch.tensor(phi.slopes).double()[pieces][inside], slopes[inside])


@pytest.mark.parametrize("name", ACTIVATION_FUNCTIONS)
def test_slope_at_a_threshold_is_that_of_autograd(name):
    phi = ACTIVATION_FUNCTIONS[name]
    z = torch.tensor(phi.thresholds).requires_grad_()
    activations = phi.function(z)
    (slopes,) = torch.autograd.grad(activations.sum(), z)
    assert torch.equal(phi.derivative(activations.detach()), slopes)
