"""Mean class selectivity of hidden units."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import Networks
from generalization.units.selectivity import class_selectivities


def class_selectivity(
    networks: Networks,
    train_inputs: Float[Tensor, "samples *features"],
    train_labels: Int64[Tensor, "samples"],
    *,
    points: int = 1000,
) -> Float64[Tensor, "networks"]:
    """How much units are active for one class alone: the mean over all hidden units.

    See ``class_selectivities`` for that of a unit (Morcos et al. 2018).

    Args:
        networks: A stack of R networks, or a module as ``layer_maps`` takes it.
        train_inputs: Training inputs, in the dtype of the weights.
        train_labels: Their classes.
        points: How many training inputs, the first ones; all, if there are fewer.

    Returns:
        R numbers from 0 to 1; NaN where a unit has negative activations, as those of tanh.

    Raises:
        ValueError: If there are to be no points.
    """
    if points < 1:
        raise ValueError(f"points must be at least 1, not {points!r}.")
    layers = unit_activations(networks, train_inputs[:points])
    found = [class_selectivities(layer, train_labels[:points]) for layer in layers]
    return torch.cat(found, dim=-1).mean(-1)
