"""Measures of pairs of networks, and similarities of layers, as measures of each network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter, Signature, signature
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.seen_in_networks import SEEN

# What is known of a network → its points, by their names in a dataset.
NEEDS = {
    "logits": {"test_inputs": "inputs"},
    "train_accuracy": {"train_inputs": "train_inputs", "train_labels": "train_labels"},
    "features": {"test_inputs": "inputs"},
}
# Canonical correlations are 1 unless there are more points than units of both layers.
OF_SIMILARITIES = {"features": {"test_inputs": "train_inputs"}}
SIDES = {"a": 0, "b": 1}


def is_of_pairs(function: Callable[..., Any]) -> bool:
    """Return whether a function names what is known of two networks, or two layers a and b."""
    names = {name for name, one in _parameters(function).items() if one.default is Parameter.empty}
    return bool(names & {f"{kind}_{side}" for kind in SEEN for side in SIDES}) or {*SIDES} <= names


def mean_over_others(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """Return the measure that is the mean over the pairs of a network with all others of a stack.

    Args:
        function: Ensemble measure of R and S networks, or similarity of two layers, which is then
            of the last hidden layers of two networks at training inputs.

    Returns:
        Function of a stack of at least two networks and of the points that the measure needs; its
        ``pairs`` is true.
    """
    needs = NEEDS
    if {*SIDES} <= {*_parameters(function)}:
        function, needs = partial(_of_features, function), OF_SIMILARITIES
    asked = [name for name in _parameters(function) if name.rpartition("_")[0] in needs]
    kinds = dict.fromkeys(name.rpartition("_")[0] for name in asked)
    places = {place: name for kind in kinds for place, name in needs[kind].items()}

    def measure(networks: FullyConnectedNetworks, **points: Tensor) -> Float64[Tensor, "networks"]:
        data: Any = SimpleNamespace(**{place: points[name] for place, name in places.items()})
        seen = {kind: SEEN[kind](networks, data, None) for kind in kinds}
        values = function(**{name: seen[name.rpartition("_")[0]] for name in asked})
        others = ~torch.eye(len(networks), dtype=torch.bool, device=values.device)
        return values.where(others, 0.0).sum(1) / others.sum(1)

    kind = Parameter.POSITIONAL_OR_KEYWORD
    of_networks: Any = measure
    of_networks.__signature__ = Signature([
        Parameter(name, kind) for name in ("networks", *places.values())
    ])
    of_networks.pairs = True
    return of_networks


def _parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """Return the parameters of a function; none if it has no signature."""
    try:
        return dict(signature(function).parameters)
    except ValueError:
        return {}


def _of_features(
    similarity: Callable[..., Any], features_a: Tensor, features_b: Tensor
) -> Float64[Tensor, "networks_a networks_b"]:
    """Compute a similarity of the layers of all pairs of networks."""
    values = [[similarity(a, b).value for b in features_b] for a in features_a]
    return torch.tensor(values, dtype=torch.float64, device=features_a.device)
