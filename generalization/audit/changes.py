"""Changes of networks and points to which a measure may be invariant.

Each maps a case of ReLU networks to another. Of ``permuted_units``, ``rescaled_layers`` and
``scaled_units``, the networks compute what they computed before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from generalization.audit.cases import Case
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.randomness import generator_for

# Factor of a layer, of the logits, and of the inputs.
FACTOR = 3.0


def permuted_units(case: Case) -> Case:
    """Permute the units of every hidden layer, alike at initialization."""
    widths = case.networks.widths
    orders = [torch.arange(widths[0])]
    orders += [_order(width, layer) for layer, width in enumerate(widths[1:-1])]
    orders += [torch.arange(widths[-1])]

    def permuted(networks: FullyConnectedNetworks) -> FullyConnectedNetworks:
        weights = tuple(
            weight[:, order][:, :, below]
            for weight, below, order in zip(networks.weights, orders, orders[1:], strict=False)
        )
        pairs = zip(networks.biases, orders[1:], strict=False)
        return replace(
            networks, weights=weights, biases=tuple(bias[:, order] for bias, order in pairs)
        )

    stacks = (case.networks, case.initial_networks)
    networks, initial = map(permuted, stacks)
    return replace(case, networks=networks, initial_networks=initial)


def rescaled_layers(case: Case) -> Case:
    """Multiply the first layer and divide the second one by a factor."""
    factors = [1.0] * case.networks.depth
    factors[0], factors[1] = FACTOR, 1 / FACTOR
    return replace(case, networks=_scaled(case.networks, factors))


def scaled_logits(case: Case) -> Case:
    """Multiply the last layer by a factor."""
    factors = [1.0] * (case.networks.depth - 1) + [FACTOR]
    return replace(case, networks=_scaled(case.networks, factors))


def scaled_inputs(case: Case) -> Case:
    """Multiply all inputs by a factor; a pixel stays what it was per unit of input."""
    inputs, train_inputs = FACTOR * case.inputs, FACTOR * case.train_inputs
    return replace(case, inputs=inputs, train_inputs=train_inputs)


def scaled_units(case: Case) -> Case:
    """Write inputs in another unit, and divide the first layer and the pixels per unit by it."""

    def divided(networks: FullyConnectedNetworks) -> FullyConnectedNetworks:
        first, *rest = networks.weights
        return replace(networks, weights=(first / FACTOR, *rest))

    return replace(
        scaled_inputs(case),
        networks=divided(case.networks),
        initial_networks=divided(case.initial_networks),
        pixel_deviations=case.pixel_deviations / FACTOR,
    )


def reordered_points(case: Case) -> Case:
    """Permute test inputs and training inputs, each with what belongs to them."""
    test, train = _order(len(case.inputs), 0), _order(len(case.train_inputs), 1)
    of_test = ("inputs", "labels", "pixel_deviations")
    of_train = ("train_inputs", "train_labels")
    chosen = {name: getattr(case, name)[test] for name in of_test}
    return replace(case, **chosen, **{name: getattr(case, name)[train] for name in of_train})


def exchanged_train_labels(case: Case) -> Case:
    """Permute the labels of the training set, and leave its inputs."""
    return replace(case, train_labels=_exchanged(case.train_labels))


def exchanged_test_labels(case: Case) -> Case:
    """Permute the labels of the test set, and leave its inputs."""
    return replace(case, labels=_exchanged(case.labels))


# Check → change, and what it is a change of.
INVARIANCES: dict[str, Callable[[Case], Case]] = {
    "permutation of units": permuted_units,
    "rescaling of layers": rescaled_layers,
    "scale of logits": scaled_logits,
    "scale of inputs": scaled_inputs,
    "unit of inputs": scaled_units,
}


def _order(size: int, purpose: int) -> Tensor:
    return torch.randperm(size, generator=generator_for("check_measure", "order", purpose))


def _exchanged(labels: Tensor) -> Tensor:
    """Permute labels."""
    return labels[_order(len(labels), 2).to(labels.device)]


def _scaled(networks: FullyConnectedNetworks, factors: Sequence[float]) -> FullyConnectedNetworks:
    """Multiply layers by factors; biases by all factors up to their layer."""
    weights = tuple(
        factor * weight for factor, weight in zip(factors, networks.weights, strict=True)
    )
    products = torch.tensor(factors, dtype=torch.float64).cumprod(0).tolist()
    biases = tuple(product * bias for product, bias in zip(products, networks.biases, strict=False))
    return replace(networks, weights=weights, biases=biases)
