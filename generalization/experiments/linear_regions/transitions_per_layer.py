"""Transitions around an image, layer by layer."""

import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn import Module

from generalization.measures.normalized_transitions import expected_transitions
from generalization.measures.transitions import transitions_per_layer as transitions_of_layers
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.reading import reads_stacks


@reads_stacks
def transitions_per_layer(
    networks: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples channels height width"],
    init_scale: float = 1.0,
) -> pd.DataFrame:
    """Terms t_l(x) of ``transitions``, Σ_l t_l(x), per hidden layer (Novak et al. 2018, §3).

    Args:
        init_scale: Factor on the initial weights.

    Returns:
        One row per network and hidden layer: ``network``, ``layer`` (1 … depth − 1) and

        ``transitions``
            Mean t_l over images.
        ``sem``
            Standard error of that mean, √(Σ_x (t_l(x) − mean)² / (N (N − 1))). NaN for a single
            image.
        ``expected``
            Contribution of the layer to ``expected_transitions``, the mean over initial weights,
            averaged over the same images. NaN if one of them is invariant to translation.

    Raises:
        TypeError: If the networks are a module, whose initialization is not known.
        ValueError: If the inputs are not images.
    """  # noqa: DOC502
    if isinstance(networks, Module):
        raise TypeError(
            "networks must be FullyConnectedNetworks, whose initialization is known, not "
            f"{type(networks).__name__}."
        )
    counts = transitions_of_layers(networks, inputs)
    expected = _expected_per_layer(networks, inputs, init_scale)
    images = len(inputs)
    centered = counts - counts.mean(dim=1, keepdim=True)
    variance_of_mean = centered.square().sum(dim=1) / (images * (images - 1))
    layers = networks.depth - 1
    return pd.DataFrame({
        "network": torch.arange(len(networks)).repeat_interleave(layers).numpy(),
        "layer": torch.arange(1, layers + 1).repeat(len(networks)).numpy(),
        "transitions": counts.mean(dim=1).flatten().cpu().numpy(),
        "sem": variance_of_mean.sqrt().flatten().cpu().numpy(),
        "expected": expected.mean(dim=1).repeat(len(networks)).cpu().numpy(),
    })


def _expected_per_layer(
    networks: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples channels height width"],
    init_scale: float,
) -> Float64[Tensor, "layers samples"]:
    """Contribution of every hidden layer to the expectation of all layers up to it."""
    up_to = [
        expected_transitions(
            networks.widths[: layer + 2], networks.activation, inputs, init_scale=init_scale
        )
        for layer in range(networks.depth)
    ]
    return torch.stack(up_to).diff(dim=0)
