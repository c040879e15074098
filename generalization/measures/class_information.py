"""Mean information of hidden units about the class."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import Networks
from generalization.units.information import class_information as information_of_units


def class_information(
    networks: Networks,
    train_inputs: Float[Tensor, "samples *features"],
    train_labels: Int64[Tensor, "samples"],
    *,
    points: int = 1000,
    bins: int = 20,
) -> Float64[Tensor, "networks"]:
    """How much single units tell about the class: mean mutual information over all hidden units.

    See ``generalization.units.information`` for that of a unit (Morcos et al. 2018).

    Args:
        networks: A stack of R networks, or a module as ``layer_maps`` takes it.
        train_inputs: Training inputs, in the dtype of the weights.
        train_labels: Their classes.
        points: How many training inputs, the first ones; all, if there are fewer.
        bins: Into which activations of a unit are put.

    Returns:
        R numbers, in bits.

    Raises:
        ValueError: If points or bins are less than 1.
    """
    for name, number in {"points": points, "bins": bins}.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, not {number!r}.")
    layers = torch.cat(unit_activations(networks, train_inputs[:points]), dim=-1)
    found = information_of_units(
        layers.transpose(0, 1).flatten(1), train_labels[:points], bins=bins
    )
    return found.view(len(layers), -1).mean(-1)
