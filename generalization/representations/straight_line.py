"""Networks on the straight line between their initialization and the end of their training."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.networks.networks_file import KeptNetworks
from generalization.networks.stacked_networks import StackedNetworks


def straight_line(kept: KeptNetworks) -> KeptNetworks:
    """Replace networks by the points W(0) + λ(W(T) − W(0)) that are as far from their start.

    W are all parameters of a network, and λ = ‖W(t) − W(0)‖ / ‖W(T) − W(0)‖, at most 1, is its way
    at step t. Means and variances of normalizations are interpolated alike. What layers do along
    this path comes from where training ends and from their place in the network, not from the order
    in which they were trained.

    Args:
        kept: Networks at several steps, of which the first is their start.

    Returns:
        The same networks and steps. The first and the last of each are as they were; one that never
        moved stays where it is.
    """
    start, end = kept.networks[0], kept.networks[-1]
    return replace(
        kept,
        networks=(
            start,
            *(_between(start, end, _way(start, one, end)) for one in kept.networks[1:-1]),
            *kept.networks[1:][-1:],
        ),
    )


def _way(
    start: StackedNetworks, network: StackedNetworks, end: StackedNetworks
) -> Float64[Tensor, "networks"]:
    """λ of every network."""
    gone, whole = _distance(start, network), _distance(start, end)
    # ASSUME: a network that has been farther from its start than its end is has arrived.
    return torch.where(whole > 0, gone / whole, torch.ones_like(whole)).clamp(max=1)


def _distance(a: StackedNetworks, b: StackedNetworks) -> Float64[Tensor, "networks"]:
    """Euclidean distance of all parameters."""
    squares = [
        (one.double() - other.double()).square().flatten(1).sum(1)
        for one, other in zip(a.parameters, b.parameters, strict=True)
    ]
    return torch.stack(squares).sum(0).sqrt()


def _between(
    start: StackedNetworks, end: StackedNetworks, way: Float64[Tensor, "networks"]
) -> StackedNetworks:
    """Networks at a share of the way from start to end; exact at both."""
    last = end.tensors

    def point(first: Tensor, other: Tensor) -> Tensor:
        share = way.reshape(-1, *[1] * (first.dim() - 1))
        return ((1 - share) * first.double() + share * other.double()).to(first.dtype)

    return start.with_tensors({
        name: point(first, last[name]) for name, first in start.tensors.items()
    })
