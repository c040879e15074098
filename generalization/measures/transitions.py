"""Transitions: how many borders of linear regions an image crosses around its translations."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Module

from generalization.measures.sampled_transitions import (
    nan_if_diverged,
    sampled_transitions_per_layer,
)
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.polylines import around_translations, crossings_per_layer


def transitions(
    networks: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples channels height width"],
    *,
    dtype: torch.dtype = torch.float32,
    points: int = 4096,
) -> Float[Tensor, "networks samples"]:
    """Number of transitions around the horizontal-translation loop of each image, without sampling.

    ``t(x) = ∮ ‖∂c(z) / ∂z‖₁ dz`` around the closed polygon through all horizontal translations of
    x. The code c has, for each hidden unit, the number of thresholds below its preactivation (Novak
    et al. 2018, §3, eq. 1, where 2²⁰ points stand for the integral). A jump over a whole linear
    region counts twice. Along a polygon a piecewise-linear network is piecewise affine, so the
    crossings of thresholds can be solved for and counted: ``crossings_per_layer``.

    Tanh is the exception: it has no linear regions, only the threshold 0 by convention (ibid.,
    footnote 2), and no bound to how often a unit crosses it. It is counted by
    ``sampled_transitions``, which may miss transitions and invents none.

    float32 is enough. Where a unit all but touches its threshold, rounding decides on a pair of
    crossings: of 96 loops of a network that fits MNIST, one counts 2 more or less in float64, of
    about 4,000.

    Args:
        networks: R networks, with or without biases.
        inputs: N images.
        dtype: Precision of all steps.
        points: Points on a loop if the activation is not piecewise linear; else there are none.

    Returns:
        R × N counts, in float64; NaN where the logits are not finite.

    Raises:
        TypeError: If the networks are a module, whose linear regions nobody can know.
        ValueError: If the inputs are not images.
    """  # noqa: DOC502
    return transitions_per_layer(networks, inputs, dtype=dtype, points=points).sum(dim=-1)


def transitions_per_layer(
    networks: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples channels height width"],
    *,
    dtype: torch.dtype = torch.float32,
    points: int = 4096,
) -> Float[Tensor, "networks samples hidden_layers"]:
    """Transitions of the units of each hidden layer. Their sum is ``transitions``.

    Args:
        networks: R networks, with or without biases.
        inputs: N images.
        dtype: Precision of all steps.
        points: Points on a loop if the activation is not piecewise linear.

    Returns:
        R × N × (depth − 1) counts, in float64.

    Raises:
        TypeError: If the networks are a module.
    """
    if isinstance(networks, Module):
        raise TypeError(
            "networks must be FullyConnectedNetworks to be counted exactly, not "
            f"{type(networks).__name__}; sampled_transitions takes any module."
        )
    if not networks.phi.piecewise_linear:
        # ASSUME: tanh is compared with the others by a sampled count, within 0.1 % of the limit.
        return sampled_transitions_per_layer(networks, inputs, points=points, dtype=dtype)
    networks, inputs = networks.to(dtype), inputs.to(dtype)
    counts = torch.stack([
        around_translations(crossings_per_layer, network, inputs) for network in networks
    ])
    return nan_if_diverged(counts, networks, inputs)
