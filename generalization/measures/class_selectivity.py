"""Mean class selectivity of hidden units."""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.errors import warn_of_no_value
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
        R numbers from 0 to 1; NaN, with a warning, if a unit has negative activations, as with
        tanh.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    layers = unit_activations(networks, inputs)
    selectivities = [class_selectivities(layer, labels) for layer in layers]
    values = torch.cat(selectivities, dim=-1).mean(-1)
    smallest = min(layer.min().item() for layer in layers)
    reason = f"needs hidden activations of at least 0, not {smallest:.3g}"
    warn_of_no_value(reason, values.isnan().reshape(-1).tolist())
    return values
