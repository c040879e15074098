"""Transitions relative to their expectation at initialization."""

from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Module

from generalization.measures.transitions import transitions as count_transitions
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS, ActivationFunction
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.reading import reads_stacks
from generalization.regions.trajectories import translation_loops
from generalization.samples import Images


@reads_stacks
def normalized_transitions(
    networks: FullyConnectedNetworks,
    inputs: Images,
    *,
    transitions: Float[Tensor, "networks samples"] | None = None,
    init_scale: float = 1.0,
) -> Float[Tensor, "networks samples"]:
    """Transitions of each image divided by ``expected_transitions``, their mean at initialization.

    The number of transitions grows with the number of units, whatever a network has learned (Novak
    et al. 2018, §4.3). The ratio is 1 at initialization for every size.

    Args:
        networks: R networks, with or without biases, which are zero at initialization.
        transitions: Values of ``transitions`` for these networks, if already computed.
        init_scale: Factor on the initial weights; irrelevant for ReLU.

    Returns:
        R × N ratios, in float64; NaN for images that are invariant to translation.

    Raises:
        TypeError: If networks is a module, whose initialization is unknown.
        ValueError: If the inputs are not images.
    """  # noqa: DOC502
    if isinstance(networks, Module):
        raise TypeError(
            "networks must be FullyConnectedNetworks, whose initialization is known, not "
            f"{type(networks).__name__}."
        )
    if transitions is None:
        transitions = count_transitions(networks, inputs)
    return transitions / expected_transitions(
        networks.widths, networks.activation, inputs, init_scale=init_scale
    )


def expected_transitions(
    widths: tuple[int, ...], activation: str, inputs: Images, *, init_scale: float = 1.0
) -> Float[Tensor, "samples"]:
    """Return the mean of ``transitions`` over the weights of ``initialize_fully_connected``.

    Along an edge a preactivation z and its derivative ż are jointly Gaussian, exactly so in the
    first layer, and in the limit of wide layers above it. By Rice's formula z crosses a threshold t
    with density ``p(z = t) E[|ż| | z = t]``. With W ~ N(0, gain / fan_in), the moments E[z²],
    E[z ż], E[ż²] of a layer are the gain times E[φ²], E[φ φ' ż], E[φ'² ż²] of the layer below.

    For ReLU, Rice's formula reduces to Crofton's in every layer,
    ``Σ_l n_l · width / π · ∠(x, T₁x)``, because φ halves all three moments and the density is that
    of the angle which the edge subtends at the origin.

    Args:
        init_scale: Factor on the standard deviation of every weight.

    Returns:
        N expectations, in float64.
    """
    phi = ACTIVATION_FUNCTIONS[activation]
    gain = phi.gain * init_scale**2
    # All edges have equal expectations. 32 nodes are exact to rounding up to 130 degrees.
    image, translated = translation_loops(inputs)[:, :2].double().flatten(2).unbind(dim=1)
    nodes, weights = _gauss_legendre(32, inputs.device)
    moments = _moments_of_edge(image, translated - image, nodes)
    expected = image.new_zeros(len(image))
    for units in widths[1:-1]:
        moments = [gain * moment for moment in moments]
        density = sum(_crossing_density(threshold, *moments) for threshold in phi.thresholds)
        expected += units * inputs.shape[-1] * (density @ weights)
        moments = _moments_above(phi, *moments)
    return expected


Moment = Float[Tensor, "samples nodes"]


def _moments_of_edge(
    image: Float[Tensor, "samples features"],
    step: Float[Tensor, "samples features"],
    nodes: Float[Tensor, "nodes"],
) -> tuple[Moment, Moment, Moment]:
    """Return the means over features of a², a ȧ and ȧ² at a = image + node · edge, ȧ = edge."""
    square, product, speed = (
        moment.mean(dim=1, keepdim=True) for moment in (image**2, image * step, step**2)
    )
    covariance = product + nodes * speed
    return square + nodes * (product + covariance), covariance, speed.expand_as(covariance)


def _crossing_density(
    threshold: float, variance: Moment, covariance: Moment, speed: Moment
) -> Moment:
    """Evaluate Rice's formula; ż given z = t is N(t E[z ż] / E[z²], E[ż²] − E[z ż]² / E[z²])."""
    mean = threshold * covariance / variance
    deviation = (speed - covariance**2 / variance).clamp(min=0).sqrt()
    ratio = mean / deviation / sqrt(2)
    mean_absolute = deviation * sqrt(2 / pi) * torch.exp(-(ratio**2)) + mean * torch.erf(ratio)
    return mean_absolute * torch.exp(-(threshold**2) / 2 / variance) / torch.sqrt(2 * pi * variance)


def _moments_above(
    phi: ActivationFunction, variance: Moment, covariance: Moment, speed: Moment
) -> tuple[Moment, Moment, Moment]:
    """Return E[φ²], E[φ φ' ż], E[φ'² ż²]; ż = z E[z ż] / E[z²] + a part independent of z."""
    z, probability = _gaussian_nodes(variance, phi.thresholds)
    activation = phi.function(z)
    slope = phi.derivative(activation)

    def mean(values: Tensor) -> Moment:
        return (probability * values).sum(dim=-1)

    regression = covariance / variance
    independent = speed - regression * covariance
    return (
        mean(activation**2),
        regression * mean(activation * slope * z),
        regression**2 * mean((slope * z) ** 2) + independent * mean(slope**2),
    )


def _gaussian_nodes(variance: Moment, thresholds: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Return quadrature nodes z and their probabilities under N(0, variance).

    Args:
        variance: Variances, of any shape.
        thresholds: Ascending ends of intervals, within which integrands are smooth.

    Returns:
        Nodes and probabilities, of the shape of the variances × nodes of all intervals.
    """
    far = 9 * variance.sqrt()
    ends = [-far, *(torch.full_like(far, t).clamp(-far, far) for t in thresholds), far]
    ends = torch.stack(ends, dim=-1).unsqueeze(-1)
    begin, length = ends[..., :-1, :], ends.diff(dim=-2)
    nodes, weights = _gauss_legendre(32, variance.device)
    z = begin + length * nodes
    variance = variance[..., None, None]
    probability = (
        length * weights * torch.exp(-(z**2) / 2 / variance) / torch.sqrt(2 * pi * variance)
    )
    return z.flatten(-2), probability.flatten(-2)


def _gauss_legendre(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return nodes and weights for the integral from 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return torch.tensor((nodes + 1) / 2, device=device), torch.tensor(weights / 2, device=device)
