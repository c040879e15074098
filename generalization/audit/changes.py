"""Changes of networks and points to which a measure may be invariant.

Each maps a case of ReLU networks to another. Of ``permuted_units``, ``rescaled_layers`` and
``scaled_units``, the networks compute what they computed before.

Args:
    draw: Number of a draw. Draw 0 has the factor 3, by which counter-examples are told; others have
        random factors, log-uniform from 1/10 to 10. All draws have other permutations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from generalization.audit.cases import Case
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.randomness import generator_for

# Factor of a layer, of the logits, and of the inputs, of the first draw.
FACTOR = 3.0
# Largest factor of the other draws, and one over the smallest.
LARGEST = 10.0


def permuted_units(case: Case, draw: int = 0) -> Case:
    """Permute the units of every hidden layer, of each network alone, alike at initialization."""
    widths, count = case.networks.widths, len(case)
    orders = [torch.arange(widths[0]).expand(count, -1)]
    orders += [
        torch.stack([_order(width, layer, member, draw=draw) for member in range(count)])
        for layer, width in enumerate(widths[1:-1])
    ]
    orders += [torch.arange(widths[-1]).expand(count, -1)]
    members = torch.arange(count)

    def permuted(networks: FullyConnectedNetworks) -> FullyConnectedNetworks:
        weights = tuple(
            weight[members[:, None, None], order[:, :, None], below[:, None]]
            for weight, below, order in zip(networks.weights, orders, orders[1:], strict=False)
        )
        pairs = zip(networks.biases, orders[1:], strict=False)
        biases = tuple(bias[members[:, None], order] for bias, order in pairs)
        return replace(networks, weights=weights, biases=biases)

    stacks = (case.networks, case.initial_networks)
    networks, initial = map(permuted, stacks)
    return replace(case, networks=networks, initial_networks=initial)


def rescaled_layers(case: Case, draw: int = 0) -> Case:
    """Multiply layers by positive factors whose product is 1.

    The first draw multiplies the first layer and divides the second one; the others have a random
    factor for every layer.
    """
    factors = [1.0] * case.networks.depth
    if draw:
        factors = [_factor(draw, layer) for layer in range(case.networks.depth)]
        mean = torch.tensor(factors, dtype=torch.float64).log().mean().exp().item()
        factors = [factor / mean for factor in factors]
    else:
        factors[0], factors[1] = FACTOR, 1 / FACTOR
    return replace(case, networks=_scaled(case.networks, factors))


def scaled_logits(case: Case, draw: int = 0) -> Case:
    """Multiply the last layer by a factor."""
    factors = [1.0] * (case.networks.depth - 1) + [_factor(draw)]
    return replace(case, networks=_scaled(case.networks, factors))


def scaled_inputs(case: Case, draw: int = 0) -> Case:
    """Multiply all inputs by a factor; a pixel stays what it was per unit of input."""
    factor = _factor(draw)
    return replace(case, inputs=factor * case.inputs, train_inputs=factor * case.train_inputs)


def scaled_units(case: Case, draw: int = 0) -> Case:
    """Write inputs in another unit, and divide the first layer and the pixels per unit by it."""
    factor = _factor(draw)

    def divided(networks: FullyConnectedNetworks) -> FullyConnectedNetworks:
        first, *rest = networks.weights
        return replace(networks, weights=(first / factor, *rest))

    return replace(
        scaled_inputs(case, draw),
        networks=divided(case.networks),
        initial_networks=divided(case.initial_networks),
        pixel_deviations=case.pixel_deviations / factor,
    )


def reordered_points(case: Case, draw: int = 0) -> Case:
    """Permute test inputs and training inputs, each with what belongs to them."""
    test = _order(len(case.inputs), 0, draw=draw)
    train = _order(len(case.train_inputs), 1, draw=draw)
    of_test = ("inputs", "labels", "pixel_deviations")
    of_train = ("train_inputs", "train_labels")
    chosen = {name: getattr(case, name)[test] for name in of_test}
    return replace(case, **chosen, **{name: getattr(case, name)[train] for name in of_train})


def exchanged_train_labels(case: Case, draw: int = 0) -> Case:
    """Permute the labels of the training set, and leave its inputs."""
    return replace(case, train_labels=_exchanged(case.train_labels, draw))


def exchanged_test_labels(case: Case, draw: int = 0) -> Case:
    """Permute the labels of the test set, and leave its inputs."""
    return replace(case, labels=_exchanged(case.labels, draw))


Change = Callable[[Case, int], Case]

# Check → change, and what it is a change of.
INVARIANCES: dict[str, Change] = {
    "permutation of units": permuted_units,
    "rescaling of layers": rescaled_layers,
    "scale of logits": scaled_logits,
    "scale of inputs": scaled_inputs,
    "unit of inputs": scaled_units,
}


def _order(size: int, *purpose: int, draw: int) -> Tensor:
    generator = generator_for("check_measure", "order", *purpose, draw)
    return torch.randperm(size, generator=generator)


def _factor(draw: int, layer: int = 0) -> float:
    """Return 3 for the first draw, and a random factor for another."""
    if not draw:
        return FACTOR
    generator = generator_for("check_measure", "factor", draw, layer)
    exponent = 2 * torch.rand((), generator=generator, dtype=torch.float64).item() - 1
    return LARGEST**exponent


def _exchanged(labels: Tensor, draw: int) -> Tensor:
    """Permute labels."""
    return labels[_order(len(labels), 2, draw=draw).to(labels.device)]


def _scaled(networks: FullyConnectedNetworks, factors: Sequence[float]) -> FullyConnectedNetworks:
    """Multiply layers by factors; biases by all factors up to their layer."""
    weights = tuple(
        factor * weight for factor, weight in zip(factors, networks.weights, strict=True)
    )
    products = torch.tensor(factors, dtype=torch.float64).cumprod(0).tolist()
    biases = tuple(product * bias for product, bias in zip(products, networks.biases, strict=False))
    return replace(networks, weights=weights, biases=biases)
