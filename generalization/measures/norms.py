"""Norms of the weights of layers, their products and sums, and norms of paths.

A kernel of a convolution is taken as the matrix of its output channels by what a window holds, as
in the public codes of Jiang et al. 2019 and Dziugaite et al. 2020. Its spectral norm is not that of
the convolution as a linear map, which is at most √(h w) times as large for windows of h × w, since
no input is in more windows than that.

Biases are left out, and normalizations are folded into the weights. Products and sums are returned
as logarithms; complexities are not, since that of an untrained network may be 0. The factor 1/√m of
the bounds that these norms come from is left out: the number of training points is a
hyper-parameter of the networks.
"""

import math

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn
from torch.nn import functional

from generalization.errors import InputError
from generalization.measures.margins import known_margins, margin_percentile
from generalization.networks.activation_functions import is_piecewise_linear
from generalization.networks.linearized_layers import KEEPING_FEATURES, flat_layers
from generalization.networks.modules import Networks

SMOOTH = (nn.Tanh, nn.Sigmoid, nn.Softplus, nn.ELU, nn.GELU, nn.SiLU)

Matrices = list[Float64[Tensor, "networks _ _"]]


def spectral_product(networks: Networks) -> Float64[Tensor, "networks"]:
    """Logarithm Σ_l ln ‖W_l‖₂² of the product of squared spectral norms (Jiang et al. 2019).

    Permuting units changes nothing, nor does rescaling layers against each other; multiplying the
    logits by c adds 2 ln c. Nothing depends on the data.

    Returns:
        R logarithms.
    """
    return _log_squares(spectral_norms(matrices_of(networks))).sum(1)


def spectral_product_over_margin(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    training_margin: Float64[Tensor, "networks train_samples"] | None = None,
) -> Float64[Tensor, "networks"]:
    """Logarithm of Π_l ‖W_l‖₂² / γ², γ of ``margin_percentile`` (Jiang et al. 2019).

    Permuting units, rescaling layers against each other and multiplying the logits change nothing.

    Returns:
        R logarithms; NaN where γ is not positive.
    """
    margins = known_margins(networks, train_inputs, train_labels, training_margin)
    return spectral_product(networks) - 2 * margin_percentile(margins).log()


def spectral_sum(networks: Networks) -> Float64[Tensor, "networks"]:
    """Logarithm of L (Π_l ‖W_l‖₂²)^{1/L}, the sum of squares of balanced layers (ibid.).

    It orders networks of the same depth as ``spectral_product`` does, and has its invariances.

    Returns:
        R logarithms.
    """
    return _balanced_sum(spectral_norms(matrices_of(networks)))


def spectral_sum_over_margin(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    training_margin: Float64[Tensor, "networks train_samples"] | None = None,
) -> Float64[Tensor, "networks"]:
    """Logarithm of L (Π_l ‖W_l‖₂² / γ²)^{1/L} (ibid.).

    Arguments, invariances and results are those of ``spectral_product_over_margin``.
    """
    margins = known_margins(networks, train_inputs, train_labels, training_margin)
    return _balanced_sum(spectral_norms(matrices_of(networks)), margin_percentile(margins))


def frobenius_product(networks: Networks) -> Float64[Tensor, "networks"]:
    """Logarithm Σ_l ln ‖W_l‖_F² of the product of squared Frobenius norms (ibid.).

    Arguments, invariances and results are those of ``spectral_product``.
    """
    return _log_squares(frobenius_norms(matrices_of(networks))).sum(1)


def frobenius_product_over_margin(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    training_margin: Float64[Tensor, "networks train_samples"] | None = None,
) -> Float64[Tensor, "networks"]:
    """Logarithm of Π_l ‖W_l‖_F² / γ² (ibid.).

    Arguments, invariances and results are those of ``spectral_product_over_margin``.
    """
    margins = known_margins(networks, train_inputs, train_labels, training_margin)
    return frobenius_product(networks) - 2 * margin_percentile(margins).log()


def frobenius_sum(networks: Networks) -> Float64[Tensor, "networks"]:
    """Logarithm of L (Π_l ‖W_l‖_F²)^{1/L} (ibid.).

    Arguments, invariances and results are those of ``spectral_product``.
    """
    return _balanced_sum(frobenius_norms(matrices_of(networks)))


def frobenius_sum_over_margin(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    training_margin: Float64[Tensor, "networks train_samples"] | None = None,
) -> Float64[Tensor, "networks"]:
    """Logarithm of L (Π_l ‖W_l‖_F² / γ²)^{1/L} (ibid.).

    Arguments, invariances and results are those of ``spectral_product_over_margin``.
    """
    margins = known_margins(networks, train_inputs, train_labels, training_margin)
    return _balanced_sum(frobenius_norms(matrices_of(networks)), margin_percentile(margins))


def stable_rank_sum(networks: Networks) -> Float64[Tensor, "networks"]:
    """Sum Σ_l ‖W_l‖_F² / ‖W_l‖₂² of the stable ranks of layers (ibid., "fro over spec").

    Permuting units, multiplying layers by anything and the data change nothing.

    Returns:
        R numbers from L to the sum of the smaller sides of the L matrices.
    """
    weights = matrices_of(networks)
    return (frobenius_norms(weights) / spectral_norms(weights)).square().sum(1)


def spectral_complexity_from_origin(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    training_margin: Float64[Tensor, "networks train_samples"] | None = None,
) -> Float64[Tensor, "networks"]:
    """Complexity Π_l ‖W_l‖₂² Σ_l (‖W_l‖_F² / ‖W_l‖₂²) / γ² (Pitas et al. 2017, "spec-orig").

    Arguments and invariances are those of ``spectral_product_over_margin``.

    Returns:
        R complexities; NaN where γ is not positive.
    """
    product = spectral_product_over_margin(
        networks, train_inputs, train_labels, training_margin=training_margin
    )
    return product.exp() * stable_rank_sum(networks)


def spectral_complexity_from_initialization(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    training_margin: Float64[Tensor, "networks train_samples"] | None = None,
) -> Float64[Tensor, "networks"]:
    """Complexity Π_l ‖W_l‖₂² Σ_l (‖W_l − W_l⁰‖_F² / ‖W_l‖₂²) / γ² (ibid., "spec-init").

    Permuting the units of both changes nothing; rescaling layers against each other moves them
    away from where they began.

    Returns:
        R complexities; NaN where γ is not positive.

    Raises:
        ValueError: If the two have weights of different shapes.
    """  # noqa: DOC502
    moved = frobenius_norms(_differences(networks, initial_networks))
    ranks = (moved / spectral_norms(matrices_of(networks))).square().sum(1)
    product = spectral_product_over_margin(
        networks, train_inputs, train_labels, training_margin=training_margin
    )
    return product.exp() * ranks


def bartlett_complexity(networks: Networks) -> Float64[Tensor, "networks"]:
    """Spectral complexity R with reference 0 (Bartlett et al. 2017, Eq. 1.2).

        R = Π_l ‖W_l‖₂ (Σ_l (‖W_lᵀ‖_{2,1} / ‖W_l‖₂)^{2/3})^{3/2}

    with ‖Wᵀ‖_{2,1} the sum of the norms of the rows of W, which are units. Permuting units and
    rescaling layers against each other change nothing.

    Returns:
        R complexities.
    """
    weights = matrices_of(networks)
    return _bartlett(weights, weights)


def bartlett_complexity_from_initialization(
    networks: Networks, initial_networks: Networks
) -> Float64[Tensor, "networks"]:
    """Spectral complexity with the initial weights as reference (ibid.).

    ‖W_lᵀ‖_{2,1} becomes ‖(W_l − W_l⁰)ᵀ‖_{2,1}. Permuting the units of both changes nothing.

    Returns:
        R complexities; 0 for untrained networks.

    Raises:
        ValueError: If the two have weights of different shapes.
    """  # noqa: DOC502
    return _bartlett(matrices_of(networks), _differences(networks, initial_networks))


def bartlett_complexity_over_margin(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    training_margin: Float64[Tensor, "networks train_samples"] | None = None,
) -> Float64[Tensor, "networks"]:
    """Bound R √(Σ_i ‖x_i‖²) / (γ m) over m training points (ibid., Theorem 1.1).

    Of networks without biases, permuting units, rescaling layers against each other, multiplying
    the logits and the inputs change nothing. Other arguments are those of
    ``spectral_product_over_margin``.

    Returns:
        R numbers; NaN where γ is not positive.
    """
    margins = known_margins(networks, train_inputs, train_labels, training_margin)
    size = train_inputs.double().norm() / len(train_inputs)
    return bartlett_complexity(networks) * size / margin_percentile(margins)


def spectral_distance(
    networks: Networks, initial_networks: Networks
) -> Float64[Tensor, "networks"]:
    """Distance Σ_l ‖W_l − W_l⁰‖₂² from initialization (Jiang et al. 2019, "dist spec init").

    The same of Frobenius norms is the square of ``distance_from_initialization`` of the folded
    weights. Permuting the units of both changes nothing.

    Returns:
        R distances.

    Raises:
        ValueError: If the two have weights of different shapes.
    """  # noqa: DOC502
    return spectral_norms(_differences(networks, initial_networks)).square().sum(1)


def path_norm(
    networks: Networks, train_inputs: Float[Tensor, "train_samples *features"]
) -> Float64[Tensor, "networks"]:
    """Root of the sum over all paths from an input to a logit of Π w² (Neyshabur et al. 2015).

    That is 1ᵀ W_L² … W_1² 1 with squares of single weights: one pass without activation functions.
    Weights of average pooling are those of a mean; of the window of a maximum, the path with the
    largest sum goes on. Permuting units and rescaling single units, hence layers, against the next
    layer change nothing; multiplying the logits multiplies it.

    Args:
        networks: A stack of R networks, or an ``nn.Sequential`` of linear layers, convolutions,
            poolings and activation functions.
        train_inputs: Training inputs, of which only the shape matters.

    Returns:
        R norms.

    Raises:
        InputError: If a module has another layer.
    """  # noqa: DOC502
    ones = torch.ones_like(train_inputs[:1], dtype=torch.float64)
    if isinstance(networks, nn.Module):
        return _module_paths(networks, ones).sum(1).sqrt()
    paths = ones.flatten(1).unsqueeze(2).expand(len(networks), -1, 1)
    for weight in matrices_of(networks):
        paths = weight.square() @ paths
    return paths.sum((1, 2)).sqrt()


def path_norm_over_margin(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    training_margin: Float64[Tensor, "networks train_samples"] | None = None,
) -> Float64[Tensor, "networks"]:
    """Path norm divided by the margin γ of ``margin_percentile`` (Jiang et al. 2019).

    Permuting units, rescaling layers against each other and multiplying the logits change nothing.

    Args:
        networks: As for ``path_norm``.

    Returns:
        R numbers, in inverse logits; NaN where γ is not positive.

    Raises:
        InputError: If a module has a layer that ``path_norm`` does not know.
    """  # noqa: DOC502
    margins = known_margins(networks, train_inputs, train_labels, training_margin)
    return path_norm(networks, train_inputs) / margin_percentile(margins)


def matrices_of(networks: Networks) -> Matrices:
    """Weights of every layer in float64 as matrices, kernels as output channels by windows."""
    if isinstance(networks, nn.Module):
        weights = [value.unsqueeze(0) for value in networks.parameters() if value.dim() > 1]
    else:
        weights = list(networks.weights)
    return [weight.detach().double().flatten(2) for weight in weights]


def spectral_norms(matrices: Matrices) -> Float64[Tensor, "networks layers"]:
    """Largest singular value of every matrix, from the smaller of its two Gram matrices.

    The largest eigenvalue is right to the last digits: squaring costs digits of small ones only.
    """
    return torch.stack([_gram_eigenvalues(matrix)[:, -1].sqrt() for matrix in matrices], dim=1)


def frobenius_norms(matrices: Matrices) -> Float64[Tensor, "networks layers"]:
    """Frobenius norm of every matrix."""
    return torch.stack([matrix.flatten(1).norm(dim=1) for matrix in matrices], dim=1)


def _gram_eigenvalues(
    matrix: Float64[Tensor, "networks rows columns"],
) -> Float64[Tensor, "networks smaller"]:
    wide = matrix if matrix.shape[1] <= matrix.shape[2] else matrix.mT
    return torch.linalg.eigvalsh(wide @ wide.mT)


def _differences(networks: Networks, initial_networks: Networks) -> Matrices:
    """Weights less initial weights.

    Raises:
        ValueError: If they have different shapes.
    """
    weights, initial = matrices_of(networks), matrices_of(initial_networks)
    shapes = [tuple(weight.shape) for weight in weights]
    initial_shapes = [tuple(weight.shape) for weight in initial]
    if shapes != initial_shapes:
        raise ValueError(
            f"initial_networks must have weights of shapes {shapes}, not {initial_shapes}."
        )
    return [w - w0 for w, w0 in zip(weights, initial, strict=True)]


def _log_squares(norms: Float64[Tensor, "networks layers"]) -> Float64[Tensor, "networks layers"]:
    return 2 * norms.log()


def _balanced_sum(
    norms: Float64[Tensor, "networks layers"], gamma: Float64[Tensor, "networks"] | float = 1.0
) -> Float64[Tensor, "networks"]:
    """Logarithm of L (Π_l norm_l² / γ²)^{1/L}."""
    layers = norms.shape[1]
    product = _log_squares(norms).sum(1) - 2 * torch.as_tensor(gamma).to(norms).log()
    return math.log(layers) + product / layers


def _bartlett(weights: Matrices, moved: Matrices) -> Float64[Tensor, "networks"]:
    norms = spectral_norms(weights)
    rows = torch.stack([matrix.norm(dim=2).sum(1) for matrix in moved], dim=1)
    return norms.log().sum(1).exp() * (rows / norms).pow(2 / 3).sum(1).pow(1.5)


@torch.no_grad()
def _module_paths(
    module: nn.Module, paths: Float64[Tensor, "1 *features"]
) -> Float64[Tensor, "1 classes"]:
    """Sums over the paths to every logit.

    Raises:
        InputError: If there is a layer whose paths are not known.
    """
    for layer in flat_layers(module):
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
                f"activation functions for a path norm, not with {type(layer).__name__}."
            )
    return paths
