"""Path norm: sum over all paths through a network of the products of their squared weights.

Biases are omitted, and normalizations are folded into the weights.

Args:
    networks: A stack of R networks, or an ``nn.Sequential`` of linear layers, convolutions,
        poolings and activation functions.
"""

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from torch.nn import functional

from generalization.errors import InputError
from generalization.measures.margins import Margins, training_gamma
from generalization.networks.activation_functions import is_piecewise_linear
from generalization.networks.layer_weights import layer_weights
from generalization.networks.linearized_layers import KEEPING_FEATURES, flat_layers
from generalization.networks.modules import Networks, kind_of
from generalization.networks.reading import reads_weights
from generalization.samples import TrainInputs, TrainLabels

SMOOTH = (nn.Tanh, nn.Sigmoid, nn.Softplus, nn.ELU, nn.GELU, nn.SiLU)


@reads_weights
def path_norm(networks: Networks, train_inputs: TrainInputs) -> Float64[Tensor, "networks"]:
    """Root of the sum over all paths from an input to a logit of Π w² (Neyshabur et al. 2015).

    The sum is 1ᵀ W_L² … W_1² 1 with elementwise squares: one forward pass without activation
    functions. Average pooling has the weights of a mean; max-pooling keeps the entry of a window
    with the largest sum. Invariant to permuting units and to rescaling units, hence layers, against
    the next layer; proportional to the logits.

    Args:
        train_inputs: Training inputs, which determine the shape of the input.

    Returns:
        R norms.

    Raises:
        InputError: If a module has another layer.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 1, bias=False), nn.ReLU(), nn.Linear(1, 1))
        >>> for parameter in network.parameters():
        ...     _ = nn.init.constant_(parameter, 2.0)
        >>> path_norm(network, torch.zeros(1, 2))  # Two paths, each with weights 2 and 2.
        tensor([5.6569], dtype=torch.float64)
    """  # noqa: DOC502
    ones = torch.ones_like(train_inputs[:1], dtype=torch.float64)
    if isinstance(networks, nn.Module):
        return _module_paths(networks, ones).sum(1).sqrt()
    paths = ones.flatten(1).unsqueeze(2).expand(len(networks), -1, 1)
    for weight in layer_weights(networks):
        paths = weight.square() @ paths
    return paths.sum((1, 2)).sqrt()


@reads_weights
def path_norm_over_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    training_margin: Margins | None = None,
) -> Float64[Tensor, "networks"]:
    """Path norm divided by the margin γ of ``margin_percentile`` (Jiang et al. 2019, Eq. 43).

    Invariant to permuting units, to rescaling layers against each other and to scaling the logits.

    Returns:
        R numbers, in inverse logits; NaN where γ is not positive.

    Raises:
        InputError: If a module has a layer that ``path_norm`` does not know.
    """  # noqa: DOC502
    gamma = training_gamma(networks, train_inputs, train_labels, training_margin)
    return path_norm(networks, train_inputs) / gamma


@torch.no_grad()
def _module_paths(
    module: nn.Module, paths: Float64[Tensor, "1 *features"]
) -> Float64[Tensor, "1 classes"]:
    """Return the sum over the paths to every logit.

    Raises:
        InputError: If there is a layer of another kind, or one with a hook.
    """
    for layer in flat_layers(module):
        if layer._forward_hooks or layer._forward_pre_hooks:
            raise InputError(
                "networks must have layers without hooks for a path norm, unlike a "
                f"{kind_of(layer)}."
            )
        if isinstance(layer, nn.Linear):
            paths = functional.linear(paths, layer.weight.double().square())
        elif isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros":
            placing = (layer.stride, layer.padding, layer.dilation, layer.groups)
            paths = functional.conv2d(paths, layer.weight.double().square(), None, *placing)
        elif isinstance(layer, nn.AvgPool2d):
            window = torch.Size(nn.modules.utils._pair(layer.kernel_size)).numel()
            paths = layer(paths) / window
        elif isinstance(layer, (nn.MaxPool2d, *KEEPING_FEATURES)):
            paths = layer(paths)
        elif not (is_piecewise_linear(layer) or isinstance(layer, SMOOTH)):
            raise InputError(
                "networks must be sequences of linear layers, convolutions, poolings and "
                f"activation functions for a path norm, not with {kind_of(layer)}."
            )
    return paths
