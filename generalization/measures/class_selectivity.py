"""Mean class selectivity of hidden units."""

from warnings import warn

import torch
from jaxtyping import Float64
from torch import Tensor, nn

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
        R numbers from 0 to 1; NaN if a unit has negative activations, as with tanh, and, for a
        module, a warning.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    layers = unit_activations(networks, inputs)
    lowest = min(float(layer.amin()) for layer in layers)
    if isinstance(networks, nn.Module) and lowest < 0:
        # A warning, since a study has a row for every network.
        warn(
            f"class_selectivity needs hidden activations of at least 0, not of {lowest:.3g}.",
            stacklevel=2,
        )
    found = [class_selectivities(layer, labels) for layer in layers]
    return torch.cat(found, dim=-1).mean(-1)
