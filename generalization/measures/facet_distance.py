"""Distance of test inputs to the border of their activation region."""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.devices import SAMPLES_PER_CHUNK, samples_at_once
from generalization.errors import warn_of_no_value
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.reading import reads_stacks
from generalization.regions.activation_patterns import facet_distances
from generalization.samples import Inputs


@reads_stacks
@torch.no_grad()
def facet_distance(
    networks: FullyConnectedNetworks, inputs: Inputs
) -> Float64[Tensor, "networks samples"]:
    """Distance of every input to the nearest facet of its activation region.

    min_{l,i} |z_{l,i} − t| / ‖∂z_{l,i}/∂x‖ over hidden units i of layers l and thresholds t of the
    activation function: the radius of the largest ball around the input in which the network is
    affine (Hanin & Rolnick 2019). Invariant to permuting units, to
    rescaling layers against each other and to scaling the logits; without biases, proportional to
    the scale of the inputs.

    Returns:
        R × N distances in units of the input; infinite where no hidden unit depends on the input,
        NaN for smooth activation functions, which have no linear regions.
    """
    if not networks.phi.piecewise_linear or networks.depth == 1:
        warn_of_no_value("needs piecewise linear activations and a hidden layer")
        missing = torch.full((len(networks), len(inputs)), torch.nan, dtype=torch.float64)
        return missing.to(inputs.device)
    chunks = inputs.split(samples_at_once(SAMPLES_PER_CHUNK))
    of_networks = []
    for member in range(len(networks)):
        network = networks[[member]]
        of_networks.append(torch.cat([_nearest(network, chunk) for chunk in chunks], dim=1))
    return torch.cat(of_networks)


def _nearest(network: FullyConnectedNetworks, inputs: Tensor) -> Float64[Tensor, "1 samples"]:
    """Return the minimum over all hidden units of a stack of one."""
    layers = facet_distances(network, network.preactivations(inputs)[:-1])
    return torch.cat(layers, dim=2).amin(2)
