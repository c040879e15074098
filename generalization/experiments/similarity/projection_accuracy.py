"""Accuracy of networks when a layer is projected on a few directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd
import torch
from jaxtyping import Float, Float64, Int64
from torch import Generator, Tensor

from generalization.devices import SAMPLES_PER_CHUNK, samples_at_once
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import layer_maps
from generalization.networks.layer_activations import layer_activations
from generalization.networks.reading import reads_stacks
from generalization.networks.sequences import sequence_of
from generalization.networks.stacked_networks import StackedNetworks
from generalization.units.directions import (
    Basis,
    largest_units,
    principal_directions,
    svcca_directions,
    unit_directions,
)
from generalization.units.projections import projected_logits, projected_map_logits

COLUMNS = ["network", "layer", "directions", "k", "accuracy", "units"]


@reads_stacks
@torch.no_grad()
def projection_accuracy(
    networks: StackedNetworks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    train_inputs: Float[Tensor, "train_samples *features"],
    members: pd.DataFrame,
    generator: Generator,
    *,
    train_samples: int = 2000,
    orders: int = 4,
    explained_variance: float = 0.99,
) -> pd.DataFrame:
    """Test accuracy when the activations of a layer are projected on their leading directions.

    Raghu et al. 2017: a becomes ``mean + V_k V_kᵀ (a − mean)``, where the
    orthonormal columns of V_k are the first k directions. Directions and means are of training
    inputs, accuracies of test inputs. Units of a convolution are its channels, every position of an
    input is a point of theirs, and all positions are projected alike. The ``directions`` are

    ``svcca``
        Directions ``svcca_directions`` shared with the same layer of another network of the stack,
        see ``partners``. A network that is the only seed has none.
    ``svcca_weights``
        Directions of the weights with which its variates are read from units.
    ``principal``
        Principal directions in descending order of variance.
    ``largest_units``
        Single units in descending order of mean absolute activation.
    ``random_units``
        Single units in random order; the accuracy is the mean over ``orders``.

    Args:
        networks: R networks, with or without biases, without normalizations.
        labels: Their labels.
        generator: Source of the random orders.
        train_samples: Number of training inputs that give directions, the first ones; all, if there
            are fewer.
        orders: Number of random orders of units.
        explained_variance: Share of the variance of every layer that SVCCA keeps.

    Returns:
        One row per network, layer (weight layers from 0, the last are the logits), kind of
        directions and k, with the columns ``COLUMNS``. At k = 0 the layer is at its mean; then k is
        1, 2, 4 … and the number of all units, at which the layer is as it was.
    """
    known, partner = train_inputs[:train_samples], partners(members)
    tables = []
    for position, network in enumerate(networks):
        layers, tested = (layer_activations(network, points) for points in (known, inputs))
        other = partner.get(position)
        shared = layers if other is None else layer_activations(networks[[other]], known)
        for layer, (activations, others) in enumerate(zip(layers, shared, strict=True)):
            activations, others = _points_of(activations), _points_of(others)
            bases = _baselines(activations, orders, generator)
            if other is not None:
                found = svcca_directions(activations, others, explained_variance=explained_variance)
                shared_bases = zip(("svcca", "svcca_weights"), found, strict=True)
                bases = {kind: [basis] for kind, basis in shared_bases} | bases
            mean = activations.mean(0)
            table = _accuracies(network, layer, tested[layer][0], labels, mean, bases)
            tables.append(table.assign(network=position, layer=layer))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def partners(members: pd.DataFrame) -> dict[int, int]:
    """Partner of every network of a stack: one of another seed that was trained as long.

    It has the next seed (the first follows the last). The partner of a network at its last step is
    at its last step, too; before, it is at the latest step that is not later.

    Returns:
        Position → position of the partner, for networks that have one.
    """
    # ASSUME: every network shares directions with one other seed, the next one; the paper compares
    # two networks.
    seeds = sorted(members["seed"].unique())
    following = dict(zip(seeds, [*seeds[1:], seeds[0]], strict=True))
    found = {}
    for position, (seed, step, final) in enumerate(members.itertuples(index=False)):
        others = members[members["seed"] == following[seed]]
        as_far = others["final"] if final else others["step"] <= step
        if following[seed] != seed and as_far.any():
            found[position] = int(others.loc[as_far, "step"].idxmax())
    return found


def ranks(units: int) -> list[int]:
    """Numbers of directions 0, 1, 2, 4 … below the number of units, and that of all of them."""
    return [0, *(2**power for power in range((units - 1).bit_length())), units]


def _points_of(
    activations: Float[Tensor, "1 samples units *positions"],
) -> Float[Tensor, "points units"]:
    """Activations of a stack of one, one row per input and position."""
    return activations[0].movedim(1, -1).flatten(0, -2)


def _baselines(
    activations: Float[Tensor, "samples units"], orders: int, generator: Generator
) -> dict[str, list[Basis]]:
    """Map kinds of directions to one basis, or to several whose accuracies are averaged."""
    units = activations.shape[1]
    random = [torch.randperm(units, generator=generator) for _ in range(orders)]
    return {
        "principal": [principal_directions(activations)],
        "largest_units": [unit_directions(largest_units(activations))],
        "random_units": [unit_directions(order.to(activations.device)) for order in random],
    }


def _accuracies(
    network: StackedNetworks,
    layer: int,
    tested: Float[Tensor, "samples units *positions"],
    labels: Int64[Tensor, "samples"],
    mean: Float[Tensor, "units"],
    bases: Mapping[str, Sequence[Basis]],
) -> pd.DataFrame:
    """Rows of one layer: directions, k, accuracy, units."""
    grid = ranks(len(mean))
    if isinstance(network, FullyConnectedNetworks):
        logits = partial(projected_logits, network, layer)
    else:
        logits = partial(projected_map_logits, layer_maps(sequence_of(network))[layer + 1 :])
    tables = []
    for kind, alike in bases.items():
        accuracy = torch.stack([
            _accuracy(logits, tested, labels, mean, basis, grid) for basis in alike
        ]).mean(0)
        tables.append(pd.DataFrame({"directions": kind, "k": grid, "accuracy": accuracy.tolist()}))
    return pd.concat(tables).assign(units=len(mean))


def _accuracy(
    projected: Callable[..., Float[Tensor, "ranks samples classes"]],
    tested: Float[Tensor, "samples units *positions"],
    labels: Int64[Tensor, "samples"],
    mean: Float[Tensor, "units"],
    basis: Basis,
    grid: Sequence[int],
) -> Float64[Tensor, "ranks"]:
    """Accuracy on test points at every rank."""
    right = torch.zeros(len(grid), dtype=torch.float64, device=tested.device)
    for chunk, true in zip(
        tested.split(samples_at_once(SAMPLES_PER_CHUNK)),
        labels.split(samples_at_once(SAMPLES_PER_CHUNK)),
        strict=True,
    ):
        logits = projected(chunk, mean, basis, grid)
        right += (logits.argmax(-1) == true).double().sum(1)
    return right / len(labels)
