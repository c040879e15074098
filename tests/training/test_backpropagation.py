import pytest
import torch
from oracles import slow_trainer
from oracles.blobs import blobs

from generalization.hyperparameters import Hyperparameters
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.randomness import generator_for
from generalization.training.backpropagation import Backpropagation
from generalization.training.batches import TrainingSet, batches_of_epoch
from generalization.training.dropout import Dropout
from generalization.training.losses import LOSSES

WIDTHS = (16, 9, 6, 8, 3)


def networks_of(activation="relu", biases=True, widths=WIDTHS, normalized=False):
    generators = [generator_for("gradients", seed) for seed in (1, 2, 3)]
    networks = initialize_fully_connected(
        widths, activation, generators, biases=biases, normalized=normalized
    )
    noise = generator_for("noise")
    return networks.map(lambda p: p + 0.3 * torch.randn(p.shape, generator=noise))


def a_batch(batch_size=11):
    hyperparameters = Hyperparameters(dataset="blobs", batch_size=batch_size)
    source = TrainingSet.of(blobs(), hyperparameters, torch.device("cpu"))
    return next(batches_of_epoch(source, hyperparameters, (1, 2, 3), epoch=0))


def training_logits(network, inputs, masks):
    """Logits of a stack of one during training; masks are (units, samples)."""
    activations = inputs
    for layer in range(network.depth - 1):
        z = network.affine(layer, activations)[0]
        if network.normalizations:
            scale, shift = (
                getattr(network.normalizations[layer], p)[0] for p in ("scale", "shift")
            )
            z = torch.nn.functional.batch_norm(z, None, None, scale, shift, training=True)
        activations = network.phi.function(z)
        activations = activations * masks[layer].T if masks else activations
    return network.affine(network.depth - 1, activations)[0]


def gradients_by_autograd(networks, batch, loss):
    networks = networks.map(lambda p: p.clone().requires_grad_())
    total = 0.0
    for position, network in enumerate(networks):
        inputs = batch.source.inputs[batch.rows[position]]
        logits = training_logits(network, inputs, [mask[position] for mask in batch.masks])
        total += slow_trainer.LOSSES[loss](logits, batch.labels[position])
    return torch.autograd.grad(total, networks.parameters)


@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
def test_in_place_forms_are_the_activation_function(activation):
    phi = ACTIVATION_FUNCTIONS[activation]
    z = torch.cat([torch.linspace(-8, 8, 999), torch.tensor(phi.thresholds)])
    gradient = torch.randn(z.shape, generator=generator_for("slopes"))
    activations = phi.in_place(z.clone())
    torch.testing.assert_close(activations, phi.function(z), rtol=0, atol=0)
    expected = gradient * phi.derivative(activations)
    result = phi.times_slope(gradient, activations)
    assert result.data_ptr() == gradient.data_ptr()
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
def test_gradients_are_those_of_autograd(activation, biases, loss):
    networks, batch = networks_of(activation, biases), a_batch()
    backpropagation = Backpropagation(networks, LOSSES[loss])
    gradients = [torch.zeros_like(p) for p in networks.parameters]
    backpropagation.accumulate(gradients, batch, memory=0.0, samples=len(batch))
    for ours, theirs in zip(gradients, gradients_by_autograd(networks, batch, loss), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
def test_gradients_through_dropout_and_normalization(activation, normalized, dropout):
    networks = networks_of(activation, normalized=normalized)
    batch = Dropout(dropout, "gradients", (1, 2, 3)).on(a_batch(), networks, step=1)
    gradients = [torch.ones_like(p) for p in networks.parameters]
    Backpropagation(networks, LOSSES["cross_entropy"]).accumulate(
        gradients, batch, memory=0.5, samples=len(batch)
    )
    expected = gradients_by_autograd(networks, batch, "cross_entropy")
    for ours, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, 0.5 + theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("widths", [(16, 3), (16, 5, 3)])
def test_shallow_networks_have_gradients_too(widths):
    networks, batch = networks_of(widths=widths), a_batch()
    gradients = [torch.zeros_like(p) for p in networks.parameters]
    Backpropagation(networks, LOSSES["cross_entropy"]).accumulate(
        gradients, batch, memory=0.0, samples=len(batch)
    )
    for ours, theirs in zip(
        gradients, gradients_by_autograd(networks, batch, "cross_entropy"), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_memory_keeps_a_part_of_what_was_there():
    networks, batch = networks_of(), a_batch()
    backpropagation = Backpropagation(networks, LOSSES["cross_entropy"])
    once = [torch.zeros_like(p) for p in networks.parameters]
    backpropagation.accumulate(once, batch, memory=0.0, samples=len(batch))
    twice = [gradient.clone() for gradient in once]
    backpropagation.accumulate(twice, batch, memory=0.9, samples=len(batch))
    for first, second in zip(once, twice, strict=True):
        torch.testing.assert_close(second, 1.9 * first, rtol=1e-5, atol=1e-7)


def test_parts_of_a_batch_add_up_to_the_batch():
    networks, batch = networks_of(), a_batch(batch_size=17)
    backpropagation = Backpropagation(networks, LOSSES["cross_entropy"])
    whole, sums = ([torch.zeros_like(p) for p in networks.parameters] for _ in range(2))
    backpropagation.accumulate(whole, batch, memory=0.0, samples=17)
    for part in batch.split(5):
        backpropagation.accumulate(sums, part, memory=1.0, samples=17)
    for one, other in zip(whole, sums, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_logits_are_those_of_the_networks():
    networks, batch = networks_of(), a_batch()
    gradients = [torch.zeros_like(p) for p in networks.parameters]
    logits = Backpropagation(networks, LOSSES["squared"]).accumulate(
        gradients, batch, memory=0.0, samples=1
    )
    for position, network in enumerate(networks):
        expected = network.logits(batch.source.inputs[batch.rows[position]])[0]
        torch.testing.assert_close(logits[position].T, expected, rtol=1e-5, atol=1e-6)
