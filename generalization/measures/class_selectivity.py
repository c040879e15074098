"""Mean class selectivity of hidden units."""

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from generalization.errors import InputError
from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_networks
from generalization.samples import TrainInputs, TrainLabels, first_samples
from generalization.units.selectivity import class_selectivities


@reads_networks
def class_selectivity(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Mean of ``class_selectivities`` over all hidden units (Morcos et al. 2018).

    A unit is selective if it is active for one class only.

    Returns:
        R numbers from 0 to 1; NaN for networks of a stack with negative activations, as of tanh.

    Raises:
        InputError: If a module has negative activations, for which selectivity means nothing.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    layers = unit_activations(networks, inputs)
    lowest = min(float(layer.amin()) for layer in layers)
    if isinstance(networks, nn.Module) and lowest < 0:
        raise InputError(
            f"class_selectivity needs hidden activations of at least 0, not of {lowest:.3g}."
        )
    found = [class_selectivities(layer, labels) for layer in layers]
    return torch.cat(found, dim=-1).mean(-1)
