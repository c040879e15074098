"""Sensitivities at training inputs and at test inputs, by counts of active units."""

import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generalization.derivatives.path_bounds import theorem_3_2
from generalization.devices import SAMPLES_PER_CHUNK, samples_at_once
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.reading import reads_stacks
from generalization.regions.activation_patterns import activation_pattern, log_membership
from generalization.regions.active_units import active_units

OF_POINTS = ["active_mean", "active_variance", "log_maximal", "log_empirical"]
COLUMNS = [
    "network",
    "log_norm",
    *(f"{name}_{part}" for part in ("train", "test") for name in OF_POINTS),
]


@reads_stacks
@torch.no_grad()
def train_test_sensitivity(
    networks: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples *features"],
    train_inputs: Float[Tensor, "train_samples *features"],
) -> pd.DataFrame:
    """Sensitivities on both sets of inputs, from which Daróczy 2020, §4, estimates the test loss.

    None of them depends on a label. They are for piecewise-linear activation functions and paths
    through hidden units: tanh, and networks without hidden layers, have no rows. Preactivations are
    in the dtype of the weights, all else is float64.

    Args:
        train_inputs: Training points, of which the first N are used; all, if there are fewer.

    Returns:
        One row per network: ``network`` and, all logarithms natural,

        ``log_norm``
            Logarithm of the layer-wise norm w = Π_l max |W_l| (Eqs 1 and 5).

        and for each of the parts ``_train`` and ``_test``

        ``active_mean``, ``active_variance``
            Mean μ and variance s² over points of the number of active hidden units.
        ``log_maximal``
            Logarithm of the maximal sensitivity for these (Eqs 2 and 6), see ``theorem_3_2``.
        ``log_empirical``
            Expectation E = mean_x[Σ_l ln n_l⁺(x) + Σ_{l,i} ln σ(|z_{l,i}(x)|)] (Eq. 7), for ReLU:
            the logarithm of the number of active paths and ``log_membership`` of the point in its
            own region. −∞ if a layer has no active unit at one of the points.
    """
    if not networks.phi.piecewise_linear or networks.depth == 1:
        return pd.DataFrame(columns=COLUMNS)
    maxima = [weight.abs().amax(dim=(1, 2)).double() for weight in networks.weights]
    maxima = torch.stack(maxima, dim=-1).log()
    columns = {"network": torch.arange(len(networks)), "log_norm": maxima.sum(-1)}
    for part, points in (("train", train_inputs[: len(inputs)]), ("test", inputs)):
        found = _at_points(networks, points, maxima)
        columns |= {f"{name}_{part}": values for name, values in found.items()}
    return pd.DataFrame({name: values.cpu().numpy() for name, values in columns.items()})


def _at_points(
    networks: FullyConnectedNetworks,
    points: Float[Tensor, "samples *features"],
    log_maxima: Float64[Tensor, "networks layers"],
) -> dict[str, Float64[Tensor, "networks"]]:
    """Columns that depend on points, by name."""
    units = active_units(networks, points).double()
    totals = units.sum(-1)
    # ASSUME: the ratio of logarithms in Eq. 6 is of the whole bound, constants included, for the
    # sum of logits, which the author differentiates; what is printed leaves constants out.
    maximal = theorem_3_2(networks.widths, units, log_maxima, reduction="sum")
    empirical = units.log().sum(-1) + _log_memberships(networks, points)
    found = totals.mean(-1), totals.var(-1, correction=0), maximal, empirical.mean(-1)
    return dict(zip(OF_POINTS, found, strict=True))


def _log_memberships(
    networks: FullyConnectedNetworks, points: Float[Tensor, "samples *features"]
) -> Float64[Tensor, "networks samples"]:
    """Values of ``log_membership`` of points in their own activation regions."""
    thresholds = networks.phi.thresholds
    rows = []
    for network in networks:
        for chunk in points.split(samples_at_once(SAMPLES_PER_CHUNK)):
            z = network.preactivations(chunk)[:-1]
            rows.append(log_membership(z, activation_pattern(z, thresholds), thresholds)[0])
    return torch.cat(rows).view(len(networks), len(points))
