"""Mean mutual information between hidden units and the class."""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.errors import require_positive
from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_networks
from generalization.samples import TrainInputs, TrainLabels, first_samples
from generalization.units.information import class_information as information_of_units


@reads_networks
def class_information(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
    bins: int = 20,
) -> Float64[Tensor, "networks"]:
    """Mean mutual information between hidden units and the class (Morcos et al. 2018).

    See ``generalization.units.information`` for the estimator.

    Args:
        bins: Number of bins for the activations of a unit.

    Returns:
        R numbers, in bits.
    """
    require_positive(bins=bins)
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    layers = torch.cat(unit_activations(networks, inputs), dim=-1)
    found = information_of_units(layers.transpose(0, 1).flatten(1), labels, bins=bins)
    return found.view(len(layers), -1).mean(-1)
