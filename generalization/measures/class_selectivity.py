"""Mean class selectivity of hidden units."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import Networks
from generalization.units.selectivity import class_selectivities


def class_selectivity(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Mean over all hidden units of ``class_selectivities`` (Morcos et al. 2018).

    The selectivity of a unit says how far it is active for one class alone.

    Returns:
        R numbers from 0 to 1; NaN where a unit has negative activations, as those of tanh.

    Raises:
        ValueError: If train_samples is less than 1.
    """
    if train_samples < 1:
        raise ValueError(f"train_samples must be at least 1, not {train_samples!r}.")
    layers = unit_activations(networks, train_inputs[:train_samples])
    found = [class_selectivities(layer, train_labels[:train_samples]) for layer in layers]
    return torch.cat(found, dim=-1).mean(-1)
