"""Norms of the weights of layers, their products and sums (Jiang et al. 2019).

The kernel of a convolution is reshaped to a matrix of output channels × entries of a window, as in
the public code of Jiang et al. 2019 and Dziugaite et al. 2020. Its spectral norm is not that of the
convolution as a linear map, which is at most √(h w) times as large for windows of h × w, since each
input is in at most h w windows.

Biases are omitted, and normalizations are folded into the weights. Products and sums are returned
as logarithms. The factor 1/√m of the underlying bounds is omitted, since the number of training
samples is a hyper-parameter of the networks. γ is that of ``margin_percentile``; measures that
divide by it are NaN where it is not positive. Values are those of the weights as given, whatever
type stores them: norms and stable ranks are continuous, and rounding to half precision changes them
by about as much as the weights. All measures are invariant to permuting units, those of the
initialization too to permuting the units of both networks.
"""

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.measures.margins import Margins, training_gamma
from generalization.networks.layer_weights import (
    frobenius_norms,
    layer_weights,
    spectral_norms,
    spectral_norms_of,
    weight_changes,
)
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_weights
from generalization.samples import TrainInputs, TrainLabels


@reads_weights
def spectral_product(networks: Networks) -> Float64[Tensor, "networks"]:
    """Logarithm Σ_l ln ‖W_l‖₂² of the product of squared spectral norms.

    Source: Jiang et al. 2019, Eq. 32.

    Invariant to rescaling layers against each other; multiplying the logits by c adds 2 ln c.
    Independent of the data.

    Returns:
        R logarithms.
    """
    return _log_squares(spectral_norms_of(networks)).sum(1)


@reads_weights
def spectral_product_over_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    training_margin: Margins | None = None,
) -> Float64[Tensor, "networks"]:
    """Logarithm of Π_l ‖W_l‖₂² / γ² (Jiang et al. 2019, Eq. 31).

    Invariant to rescaling layers against each other and to scaling the logits.

    Returns:
        R logarithms.
    """
    gamma = training_gamma(networks, train_inputs, train_labels, training_margin)
    return spectral_product(networks) - 2 * gamma.log()


@reads_weights
def spectral_sum(networks: Networks) -> Float64[Tensor, "networks"]:
    """Logarithm of L (Π_l ‖W_l‖₂²)^{1/L}, the sum of squared norms of balanced layers.

    Source: Jiang et al. 2019, Eq. 35.

    It ranks networks of one depth as ``spectral_product`` does, and has the same invariances.

    Returns:
        R logarithms.
    """
    return _balanced_sum(spectral_norms_of(networks))


@reads_weights
def spectral_sum_over_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    training_margin: Margins | None = None,
) -> Float64[Tensor, "networks"]:
    """Logarithm of L (Π_l ‖W_l‖₂² / γ²)^{1/L} (Jiang et al. 2019, Eq. 34).

    Arguments, invariances and results are those of ``spectral_product_over_margin``.
    """
    gamma = training_gamma(networks, train_inputs, train_labels, training_margin)
    return _balanced_sum(spectral_norms_of(networks), gamma)


@reads_weights
def frobenius_product(networks: Networks) -> Float64[Tensor, "networks"]:
    """Logarithm Σ_l ln ‖W_l‖_F² of the product of squared Frobenius norms.

    Source: Jiang et al. 2019, Eq. 37.

    Arguments, invariances and results are those of ``spectral_product``.
    """
    return _log_squares(frobenius_norms(layer_weights(networks, every_layer=True))).sum(1)


@reads_weights
def frobenius_product_over_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    training_margin: Margins | None = None,
) -> Float64[Tensor, "networks"]:
    """Logarithm of Π_l ‖W_l‖_F² / γ² (Jiang et al. 2019, Eq. 36).

    Arguments, invariances and results are those of ``spectral_product_over_margin``.
    """
    gamma = training_gamma(networks, train_inputs, train_labels, training_margin)
    return frobenius_product(networks) - 2 * gamma.log()


@reads_weights
def frobenius_sum(networks: Networks) -> Float64[Tensor, "networks"]:
    """Logarithm of L (Π_l ‖W_l‖_F²)^{1/L} (Jiang et al. 2019, Eq. 39).

    Arguments, invariances and results are those of ``spectral_product``.
    """
    return _balanced_sum(frobenius_norms(layer_weights(networks, every_layer=True)))


@reads_weights
def frobenius_sum_over_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    training_margin: Margins | None = None,
) -> Float64[Tensor, "networks"]:
    """Logarithm of L (Π_l ‖W_l‖_F² / γ²)^{1/L} (Jiang et al. 2019, Eq. 38).

    Arguments, invariances and results are those of ``spectral_product_over_margin``.
    """
    gamma = training_gamma(networks, train_inputs, train_labels, training_margin)
    return _balanced_sum(frobenius_norms(layer_weights(networks, every_layer=True)), gamma)


@reads_weights
def stable_rank_sum(networks: Networks) -> Float64[Tensor, "networks"]:
    """Sum Σ_l ‖W_l‖_F² / ‖W_l‖₂² of the stable ranks of layers.

    Source: Jiang et al. 2019, Eq. 33, "fro over spec".

    Invariant to scaling any layer. Independent of the data.

    Returns:
        R numbers from L to the sum of the smaller sides of the L matrices.
    """
    return (
        (frobenius_norms(layer_weights(networks, every_layer=True)) / spectral_norms_of(networks))
        .square()
        .sum(1)
    )


@reads_weights
def spectral_distance(
    networks: Networks, initial_networks: Networks
) -> Float64[Tensor, "networks"]:
    """Distance Σ_l ‖W_l − W_l⁰‖₂² from initialization.

    Source: Jiang et al. 2019, Eq. 41, "dist spec init".

    With Frobenius norms it would be the square of ``distance_from_initialization``, for folded
    weights.

    Returns:
        R distances.

    Raises:
        ValueError: If the two have weights of different shapes.
    """  # noqa: DOC502
    return (
        spectral_norms(weight_changes(networks, initial_networks, every_layer=True)).square().sum(1)
    )


def _log_squares(norms: Float64[Tensor, "networks layers"]) -> Float64[Tensor, "networks layers"]:
    return 2 * norms.log()


def _balanced_sum(
    norms: Float64[Tensor, "networks layers"], gamma: Float64[Tensor, "networks"] | float = 1.0
) -> Float64[Tensor, "networks"]:
    """Logarithm of L (Π_l norm_l² / γ²)^{1/L}."""
    layers = norms.shape[1]
    product = _log_squares(norms).sum(1) - 2 * torch.as_tensor(gamma).to(norms).log()
    return math.log(layers) + product / layers
