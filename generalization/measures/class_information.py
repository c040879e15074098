"""Mean information of hidden units about the class."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import Networks
from generalization.units.information import class_information as information_of_units


def class_information(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    train_samples: int = 1000,
    bins: int = 20,
) -> Float64[Tensor, "networks"]:
    """Mean over all hidden units of their mutual information with the class (Morcos et al. 2018).

    See ``generalization.units.information`` for that of a unit.

    Args:
        bins: Number of bins of the activations of a unit.

    Returns:
        R numbers, in bits.

    Raises:
        ValueError: If train_samples or bins are less than 1.
    """
    for name, number in {"train_samples": train_samples, "bins": bins}.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, not {number!r}.")
    layers = torch.cat(unit_activations(networks, train_inputs[:train_samples]), dim=-1)
    found = information_of_units(
        layers.transpose(0, 1).flatten(1), train_labels[:train_samples], bins=bins
    )
    return found.view(len(layers), -1).mean(-1)
