"""Weights of layers in double precision, their change since initialization, and their norms.

Biases, scales and shifts of normalizations are no weights, whatever their shape. Nor are parameters
of parts that are no layers of torch where they can only be added or scale: class tokens, positions
and scales of layers. The kernel of a convolution is reshaped to the matrix with one row per output
channel and one column per entry of its window.
"""

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from generalization.networks.modules import Networks
from generalization.networks.sharing import once
from generalization.precision import rounded_to

Weights = list[Float64[Tensor, "networks ..."]]
Matrices = list[Float64[Tensor, "networks _ _"]]
NORMALIZATIONS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
LAYERS = (nn.Linear, nn.Bilinear, _ConvNd, nn.RNNBase, nn.RNNCellBase)
LAYERS += (nn.Embedding, nn.EmbeddingBag, nn.MultiheadAttention)


def layer_weights(networks: Networks, *, every_layer: bool = False) -> Weights:
    """Return the weights of every layer, with a leading network axis.

    Args:
        every_layer: Whether weights that several layers of a module share, or a layer under several
            names, count once for each: layer by layer a network is what it is with copies of them,
            while its vector of parameters has them once.
    """
    if isinstance(networks, nn.Module):
        return list(_weights_by_name(networks, every_layer).values())
    return [weight.detach().double() for weight in networks.weights]


def named_weights(module: nn.Module, *, every_layer: bool = False) -> dict[str, nn.Parameter]:
    """Return the parameters of a module that are weights of layers, by name.

    Shared ones are there once, or once for every layer, as of ``layer_weights``.
    """
    weights = {
        f"{prefix}.{name}" if prefix else name
        for prefix, part in module.named_modules(remove_duplicate=False)
        for name, parameter in part.named_parameters(recurse=False)
        if _is_weight(part, name, parameter)
    }
    named = module.named_parameters(remove_duplicate=not every_layer)
    return {name: parameter for name, parameter in named if name in weights}


def _is_weight(part: nn.Module, name: str, parameter: Tensor) -> bool:
    """Return whether a parameter of a part multiplies what a layer is given."""
    if parameter.dim() < 2 or "bias" in name or isinstance(part, NORMALIZATIONS):
        return False
    if isinstance(part, LAYERS) or parameter.dim() == 2:
        return True
    # 1 × N × D are added to all samples; C × 1 × 1 and the like scale, or are added.
    is_vector = sum(size > 1 for size in parameter.shape) < 2
    return not is_vector and (parameter.dim() > 3 or parameter.shape[0] > 1)


def _weights_by_name(module: nn.Module, every_layer: bool) -> dict[str, Float64[Tensor, "1 ..."]]:
    named = named_weights(module, every_layer=every_layer)
    groups = {
        f"{prefix}.weight" if prefix else "weight": part.groups
        for prefix, part in module.named_modules(remove_duplicate=False)
        if isinstance(part, _ConvTransposeNd)
    }
    weights = {name: one.detach().double() for name, one in named.items()}
    for name in groups.keys() & weights.keys():
        # Of the shape inputs × outputs of a group: to one row per output.
        split = weights[name].unflatten(0, (groups[name], -1))
        weights[name] = split.transpose(1, 2).flatten(0, 1)
    return {name: one.unsqueeze(0) for name, one in weights.items()}


def weight_changes(
    networks: Networks, initial_networks: Networks, *, every_layer: bool = False
) -> Weights:
    """Return the differences between weights and initial weights.

    Args:
        every_layer: As in ``layer_weights``.

    Raises:
        ValueError: If they have different shapes.
    """
    weights, initial = (
        layer_weights(one, every_layer=every_layer) for one in (networks, initial_networks)
    )
    if isinstance(networks, nn.Module) and isinstance(initial_networks, nn.Module):
        # A weight that was made of others stands behind those of its layer that were not.
        named = _weights_by_name(initial_networks, every_layer)
        names = _weights_by_name(networks, every_layer)
        initial = [named[name] for name in names] if named.keys() == names.keys() else initial
    shapes = [tuple(weight.shape) for weight in weights]
    initial_shapes = [tuple(weight.shape) for weight in initial]
    if shapes != initial_shapes:
        raise ValueError(
            f"initial_networks must have weights of shapes {shapes}, not {initial_shapes}."
        )
    return [w - w0 for w, w0 in zip(weights, initial, strict=True)]


def weight_vectors(weights: Weights) -> Float64[Tensor, "networks weights"]:
    """Concatenate the weights of all layers to one vector per network."""
    return torch.cat([weight.flatten(1) for weight in weights], dim=1)


def matrices(weights: Weights) -> Matrices:
    """Reshape the weights of every layer to matrices."""
    return [weight.flatten(2) for weight in weights]


def gram_eigenvalues(
    matrix: Float64[Tensor, "networks rows columns"],
) -> Float64[Tensor, "networks smaller"]:
    """Return the eigenvalues of the smaller of the two Gram matrices, in ascending order."""
    wide = matrix if matrix.shape[1] <= matrix.shape[2] else matrix.mT
    return torch.linalg.eigvalsh(wide @ wide.mT)


def weight_precisions(networks: Networks) -> list[list[torch.dtype]]:
    """Return for every layer the precision to which the weights of each network were rounded.

    Of weights into which normalizations were folded it is that before, see ``folded_module``.
    """
    if not isinstance(networks, nn.Module):
        return [[rounded_to(one) for one in weight.detach()] for weight in networks.weights]
    weights = named_weights(networks, every_layer=True).values()
    return [[getattr(one, "rounded_to", None) or rounded_to(one.detach())] for one in weights]


def rounding_norms(
    matrix: Float64[Tensor, "networks rows columns"], precisions: list[torch.dtype]
) -> Float64[Tensor, "networks"]:
    """Return what the spectral norm of independent roundings of the entries hardly exceeds.

    It is that of the longest row and column of the errors (Bandeira & van Handel 2016), which are
    at most eps/2 of the entries.

    Args:
        precisions: Precision of the entries, by network.
    """
    eps = [torch.finfo(one).eps for one in precisions]
    longest = matrix.norm(dim=2).amax(1) + matrix.norm(dim=1).amax(1)
    return longest * torch.tensor(eps, dtype=matrix.dtype, device=matrix.device) / 2


def spectral_norms(weights: Weights) -> Float64[Tensor, "networks layers"]:
    """Return the largest singular value of every layer, from the Gram matrix.

    The largest eigenvalue is accurate to the last digits: squaring costs digits of small ones only.
    """
    norms = [gram_eigenvalues(matrix)[:, -1].sqrt() for matrix in matrices(weights)]
    return torch.stack(norms, dim=1)


def weight_spectra(networks: Networks) -> list[Float64[Tensor, "networks _"]]:
    """Return the ascending ``gram_eigenvalues`` of every layer."""
    weights = layer_weights(networks, every_layer=True)
    return [gram_eigenvalues(matrix) for matrix in matrices(weights)]


def spectral_norms_of(networks: Networks) -> Float64[Tensor, "networks layers"]:
    """Return the ``spectral_norms`` of the weights of every layer."""
    return torch.stack([values[:, -1].sqrt() for values in once(weight_spectra, networks)], dim=1)


def frobenius_norms(weights: Weights) -> Float64[Tensor, "networks layers"]:
    """Return the Frobenius norm of every layer."""
    return torch.stack([weight.flatten(1).norm(dim=1) for weight in weights], dim=1)
