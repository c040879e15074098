"""Response of hidden layers to small input noise, to first order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn
from torch.func import jvp, vmap

from generalization.derivatives.input_jacobian import logits_and_slopes
from generalization.derivatives.preactivation_jacobians import (
    preactivation_jacobians,
    without_features,
)
from generalization.devices import DIRECTIONS_PER_CHUNK, items_at_once
from generalization.networks.differentiability import needs_derivatives
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import (
    last_hidden_layer,
    module_activations,
    network_modules,
)
from generalization.networks.modules import Networks

OfLayers = Float64[Tensor, "networks samples hidden_layers"]


@dataclass(frozen=True)
class LayerNoise:
    """Norms of the activations h of hidden layers and of their Jacobians A = ∂h/∂x.

    Attributes:
        signal: Norm ‖h‖₂.
        jacobian_norm: Norm ‖A‖_F, that of Novak et al. 2018 for a layer instead of the output.
        noise: Norm ‖(I − ĥĥᵀ)A‖_F = √(‖A‖_F² − ‖ĥᵀA‖²) of the Jacobian orthogonal to ĥ = h/‖h‖.
    """

    signal: OfLayers
    jacobian_norm: OfLayers
    noise: OfLayers

    @property
    def noise_to_signal(self) -> OfLayers:
        """Ratio ρ = (‖A‖_F² − ‖ĥᵀA‖²) / ‖h‖²; NaN where no unit is active.

        For N copies h(x + σξ), ξ ~ N(0, I), in the limit of small σ, the first singular vector is
        ĥ, s_1² = N‖h‖², and Σ_{i>1} s_i² = Nσ²(‖A‖_F² − ‖ĥᵀA‖²) in expectation. The share of their
        squares outside the first component is therefore ρσ².
        """
        return (self.noise / self.signal).square()


@torch.no_grad()
def layer_noise(
    networks: Networks, inputs: Float[Tensor, "samples *features"], *, last: bool = False
) -> LayerNoise:
    """Compute signal and noise of every hidden layer at every input.

    In a stack Jacobians are multiplied from the input up, A_l = D_l W_l A_{l-1}, with as many
    columns as the first layer has units, see ``without_features``, which changes neither ‖A‖ nor
    ‖ĥᵀA‖. In a module they are computed for every direction of the input. Products are in the dtype
    of the weights, sums of squares are float64. ĥĥᵀA is subtracted before squaring to avoid
    cancellation.

    Args:
        last: Whether only the last hidden layer is wanted, see ``last_hidden_layer``.
    """
    if isinstance(networks, FullyConnectedNetworks):
        folded = networks.folded()
        found = [_network_norms(folded[[member]], inputs) for member in range(len(folded))]
        found = [norms[:, -1:] for norms in found] if last else found
    else:
        layers = last_hidden_layer if last else module_activations
        found = [_module_norms(module, inputs, layers) for module in network_modules(networks)]
    return LayerNoise(*torch.stack(found).unbind(-1))


def _network_norms(
    network: FullyConnectedNetworks, inputs: Float[Tensor, "samples *features"]
) -> Float64[Tensor, "samples hidden_layers quantities"]:
    """Compute the norms of a stack of one, in blocks of samples whose Jacobians fit the cache."""
    first, *weights = (weight[0] for weight in network.weights[:-1])
    first = without_features(first)
    units = max(network.widths[1:-1])
    bytes_per_point = units * first.shape[1] * first.element_size()
    points = items_at_once("preactivation_jacobians", bytes_per_point, first.device)
    return torch.cat([
        _point_norms(network, first, weights, some) for some in inputs.flatten(1).split(points)
    ])


def _point_norms(
    network: FullyConnectedNetworks,
    first: Tensor,
    weights: Sequence[Tensor],
    inputs: Float[Tensor, "samples features"],
) -> Float64[Tensor, "samples hidden_layers quantities"]:
    _, slopes = logits_and_slopes(network, inputs)
    slopes = [slope[0] for slope in slopes]
    hidden = [network.phi.function(z)[0] for z in network.preactivations(inputs)[:-1]]
    jacobians = preactivation_jacobians(first, weights, slopes)
    layers = [
        _norms(activations, (jacobian * slope.mT.unsqueeze(2)).transpose(0, 1))
        for activations, slope, jacobian in zip(hidden, slopes, jacobians, strict=True)
    ]
    return torch.stack(layers, dim=1)


def _module_norms(
    module: nn.Module,
    inputs: Float[Tensor, "samples *features"],
    layers: Callable[[nn.Module, Tensor], Iterable[Tensor]],
) -> Float64[Tensor, "samples hidden_layers quantities"]:
    """Compute the norms of a module, sample by sample, in all directions.

    Args:
        layers: Function from a module and inputs to the activations of layers.
    """
    needs_derivatives("inputs", forward="inputs")
    basis = torch.eye(inputs[0].numel(), dtype=inputs.dtype, device=inputs.device)

    def activations(point: Tensor) -> tuple[Tensor, ...]:
        return tuple(layer.flatten(1) for layer in layers(module, point))

    def of_point(point: Tensor) -> Tensor:
        def derivative(direction: Tensor) -> tuple[Tensor, ...]:
            return jvp(activations, (point,), (direction.view_as(point),))[1]

        jacobians = vmap(derivative, chunk_size=DIRECTIONS_PER_CHUNK)(basis)
        pairs = zip(activations(point), jacobians, strict=True)
        return torch.stack([_norms(h, jacobian.transpose(0, 1).mT) for h, jacobian in pairs], 1)

    # Tangents are allocated for the whole storage that a sample is a view of; a copy has its own.
    return torch.cat([of_point(point.clone()) for point in inputs.split(1)])


def _norms(
    activations: Float[Tensor, "samples units"],
    jacobian: Float[Tensor, "samples units columns"],
) -> Float64[Tensor, "samples quantities"]:
    """Return ‖h‖, ‖A‖_F and ‖(I − ĥĥᵀ)A‖_F."""
    signal = torch.linalg.vector_norm(activations, dim=1, dtype=torch.float64)
    along = (activations / signal.to(activations.dtype).unsqueeze(1)).unsqueeze(2)
    across = jacobian - along * (along.mT @ jacobian)
    norms = (
        torch.linalg.vector_norm(matrix, dim=(1, 2), dtype=torch.float64)
        for matrix in (jacobian, across)
    )
    return torch.stack([signal, *norms], dim=1)
