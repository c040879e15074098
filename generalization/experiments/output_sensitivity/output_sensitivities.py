"""Output sensitivities of networks, with standard errors and closed forms."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor

from generalization.derivatives import output_changes
from generalization.derivatives.initial_moments import (
    initial_variances,
    mean_square_gradient,
    variance_of_biases,
    wide_sensitivity,
)
from generalization.derivatives.input_jacobian import Cotangents, input_jacobian_norm
from generalization.derivatives.output_changes import Outputs, PixelNoise, output_variance
from generalization.hyperparameters import Hyperparameters
from generalization.measures.jacobian_norm import softmax_jacobian_rows
from generalization.networks.differentiability import needs_logits
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks

# Variant → the outputs of which it is the variance, and its expectation before training relative
# to that of single logits; K classes.
VARIANTS = {
    "mean": (output_changes.mean_logit, lambda classes: 1 / classes),
    "per_output": (output_changes.single_logits, lambda classes: 1.0),
    "centered": (output_changes.centered_logits, lambda classes: float(classes > 1)),
    "softmax": (output_changes.probabilities, lambda classes: np.nan),
}


@reads_networks
def output_sensitivities(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    pixel_deviations: Float64[Tensor, "samples"],
    shared_generator: Generator,
    hyperparameters: Hyperparameters,
    *,
    pixel_noise_std: float = 0.1,
    draws: int = 1,
) -> pd.DataFrame:
    """Output sensitivities (Forouzesh, Salehi & Thiran 2020) beside their closed forms.

    The variants are ``mean``, ``per_output``, ``centered`` and ``softmax``: the measures
    ``output_sensitivity``, ``output_sensitivity_per_output``, ``centered_output_sensitivity`` and
    ``softmax_output_sensitivity``, with the same noise.

    Args:
        shared_generator: Source of the noise, on the CPU.
        hyperparameters: Those of the networks. Expectations before training are of fully connected
            ReLU networks.

    Returns:
        One row per network and variant: ``network``, ``variant``, and

        ``classes``
            Their number K.
        ``value``, ``standard_error``
            The measure, and its standard error over points and noise.
        ``small_noise``
            Its limit for little noise, see ``small_noise_variance``.
        ``ratio``
            value / small_noise.
        ``expected_before``
            The expectation of ``small_noise`` over initial weights, at any finite widths: σ² times
            ``mean_square_gradient``, divided by K for ``mean``: initial logits are uncorrelated.
        ``expected_before_wide``
            The expectation of ``value`` for wide networks, see ``wide_sensitivity``.
        ``input_ratio``
            C = E[x_j²] / E[ε_j²], the ratio of inputs to noise.
        ``variance_of_biases``
            Σ, see the function of that name: before training the variance of a logit over networks
            is C times the expected ``per_output`` for little noise, plus Σ.

        Columns without a closed form are empty.

    Raises:
        ValueError: If there are no draws, or no noise.
    """  # noqa: DOC502
    needs_logits()
    known = _known_before_training(
        networks, inputs, pixel_noise_std / pixel_deviations, hyperparameters
    )
    noise = PixelNoise(pixel_deviations, shared_generator, pixel_noise_std, draws)
    tables = []
    for variant, (outputs, share) in VARIANTS.items():
        value, error = output_variance(networks, inputs, noise, outputs)
        limit = small_noise_variance(
            networks, inputs, pixel_deviations, outputs, pixel_noise_std=pixel_noise_std
        )
        columns = {"value": value, "standard_error": error, "small_noise": limit}
        columns |= {"ratio": value / limit}
        table = pd.DataFrame({name: column.cpu().numpy() for name, column in columns.items()})
        table = table.assign(
            expected_before=known.expected * share(known.classes),
            expected_before_wide=known.expected_wide * share(known.classes),
            input_ratio=known.input_ratio,
            variance_of_biases=known.variance_of_biases,
        )
        table.insert(0, "classes", known.classes)
        table.insert(0, "variant", variant)
        tables.append(table.rename_axis("network").reset_index())
    return pd.concat(tables).sort_values("network", kind="stable", ignore_index=True)


def small_noise_variance(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    pixel_deviations: Float64[Tensor, "samples"],
    outputs: Outputs,
    *,
    pixel_noise_std: float,
) -> Float64[Tensor, "networks"]:
    """Limit of ``output_variance`` for little noise, E_x σ_x² ‖∂g/∂x‖_F².

    There g(x + ε) − g(x) = (∂g/∂x) ε, of mean 0 at every point. The remainder is of order σ⁴, and
    so is the variance over points of the mean change at a point.

    Args:
        networks: A stack of R networks, or a module.
        inputs: N points.
        outputs: Function of the logits.
        pixel_noise_std: σ_x in pixels.

    Returns:
        R numbers.
    """
    rows = softmax_jacobian_rows if outputs is output_changes.probabilities else _rows_of(outputs)
    norms = input_jacobian_norm(networks, inputs, rows)
    return (norms * (pixel_noise_std / pixel_deviations)).square().mean(1)


class _Known(NamedTuple):
    """Columns of ``output_sensitivities`` that all networks of an ensemble share."""

    classes: int
    input_ratio: float
    expected: float
    expected_wide: float
    variance_of_biases: float


def _known_before_training(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    noise_stds: Float64[Tensor, "samples"],
    hyperparameters: Hyperparameters,
) -> _Known:
    """Expectations for single logits, with noise in units of the inputs."""
    flat, deviations = inputs.flatten(1).double().cpu().numpy(), noise_stds.cpu().numpy()
    variance = np.square(deviations).mean()
    ratio = np.square(flat).mean() / variance
    classes = logits_of(networks, inputs[:1]).shape[-1]
    if not isinstance(networks, FullyConnectedNetworks) or networks.activation != "relu":
        return _Known(classes, ratio, np.nan, np.nan, np.nan)
    widths, initial = networks.widths, initial_variances(networks.widths, hyperparameters)
    return _Known(
        classes=classes,
        input_ratio=ratio,
        expected=variance * mean_square_gradient(widths, initial),
        expected_wide=wide_sensitivity(widths, initial, flat, deviations),
        variance_of_biases=variance_of_biases(widths, initial),
    )


def _rows_of(outputs: Outputs) -> Cotangents:
    """Matrix A of outputs that are A f, at every point: the outputs of the unit vectors."""

    def rows(logits: Tensor) -> tuple[Tensor, Tensor]:
        batch, classes = logits.shape[:-1], logits.shape[-1]
        matrix = outputs(torch.eye(classes, dtype=logits.dtype, device=logits.device)).mT
        scale = torch.ones(batch, dtype=torch.float64, device=logits.device)
        return matrix.expand(*batch, *matrix.shape), scale

    return rows
