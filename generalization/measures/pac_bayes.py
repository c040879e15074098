"""Flatness and PAC-Bayes bounds: robustness of the training error to random weight noise.

Noise is added to weights only, not to biases; normalizations are folded into the weights. σ is the
noise level at which the training error, averaged over draws, rises by 0.1; all levels and networks
share the same draws. σ is a *standard deviation*: the public code of Dziugaite et al. 2020 passes
variances where a standard deviation is expected, and reports the square root of the true σ.

m is the number of all training samples, w⁰ the initial weights. Values are NaN where σ is beyond
the limits of ``level_of_rise``.

Args:
    generator: Source of the noise, on the CPU; all networks and levels share the same noise.
    draws: Number of noise draws.
    reference: Weights v that a bound is of, or their changes.
    level: σ.
    samples: m.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Generator, Tensor

from generalization.errors import require_positive
from generalization.networks.error_rise import Level, level_of_rise
from generalization.networks.layer_weights import Weights as LayerWeights
from generalization.networks.layer_weights import layer_weights, weight_changes, weight_vectors
from generalization.networks.modules import Networks, number_of_networks
from generalization.networks.perturbed_weights import Weights, errors_with, scaled, weights_by_name
from generalization.networks.reading import reads_weights
from generalization.samples import TrainInputs, TrainLabels, first_samples
from generalization.standard_errors import tell_standard_error

# ASSUME: ε = 1e-3 keeps magnitude-aware noise from vanishing at weights near 0 (Dziugaite et al.
# 2020).
SMALLEST_NOISE = 1e-3


@reads_weights
def pac_bayes_flatness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """Inverse variance 1/σ² of the largest tolerable Gaussian weight noise.

    Source: Jiang et al. 2019, Eq. 53.

    The noise is u ~ N(0, σ² I). σ is not invariant to rescaling layers against each other.

    Returns:
        R numbers, in inverse squared weights.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    return _of_level(lambda level: level.pow(-2), noise_level(networks, *first, generator, draws))


@reads_weights
def pac_bayes_from_initialization(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """PAC-Bayes bound ‖w − w⁰‖² / 4σ² + ln(m/σ) + 10 (Jiang et al. 2019, Eq. 48, "pacbayes-init").

    σ is that of ``pac_bayes_flatness``.

    Returns:
        R numbers.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    found = noise_level(networks, *first, generator, draws)
    changes = weight_changes(networks, initial_networks)
    return _of_level(lambda level: isotropic_bound(changes, level, len(train_inputs)), found)


@reads_weights
def pac_bayes_from_origin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """PAC-Bayes bound ‖w‖² / 4σ² + ln(m/σ) + 10 (Jiang et al. 2019, Eq. 49, "pacbayes-orig").

    σ is that of ``pac_bayes_flatness``.

    Returns:
        R numbers.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    found = noise_level(networks, *first, generator, draws)
    weights = layer_weights(networks)
    return _of_level(lambda level: isotropic_bound(weights, level, len(train_inputs)), found)


@reads_weights
def magnitude_aware_flatness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """Inverse 1/σ² of the largest tolerable noise relative to weights.

    Source: Jiang et al. 2019, Eq. 61, "mag".

    The noise of weight w_i has the standard deviation √(σ² w_i² + ε²), ε = 10⁻³. Except for ε, σ is
    invariant to rescaling layers against each other.

    Returns:
        R numbers, without unit.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    found = noise_level(networks, *first, generator, draws, magnitude_aware=True)
    return _of_level(lambda level: level.pow(-2), found)


@reads_weights
def magnitude_aware_from_initialization(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """Magnitude-aware PAC-Bayes bound with the initial weights as prior mean.

    Source: Jiang et al. 2019, Eq. 56.

    ¼ Σ_i ln[(ε² + (σ² + 1) ‖w − w⁰‖²/ω) / (ε² + σ² (w_i − w_i⁰)²)] + ln(m/σ) + 10, with ω the
    number of weights and σ that of ``magnitude_aware_flatness``.

    Returns:
        R numbers.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    found = noise_level(networks, *first, generator, draws, magnitude_aware=True)
    changes = weight_changes(networks, initial_networks)
    return _of_level(
        lambda level: magnitude_aware_bound(changes, changes, level, len(train_inputs)), found
    )


@reads_weights
def magnitude_aware_from_origin(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """Magnitude-aware PAC-Bayes bound with ‖w‖² in place of ‖w − w⁰‖² (Jiang et al. 2019, Eq. 57).

    Otherwise equal to ``magnitude_aware_from_initialization``.

    Returns:
        R numbers.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    found = noise_level(networks, *first, generator, draws, magnitude_aware=True)
    changes = weight_changes(networks, initial_networks)
    return _of_level(
        lambda level: magnitude_aware_bound(
            layer_weights(networks), changes, level, len(train_inputs)
        ),
        found,
    )


def noise_level(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    generator: Generator,
    draws: int,
    *,
    magnitude_aware: bool = False,
) -> Level:
    """Find the level σ of Gaussian noise at which the mean training error rises by 0.1.

    Args:
        magnitude_aware: Whether noise is proportional to the weights.

    Raises:
        ValueError: If draws is less than 1.
    """  # noqa: DOC502
    require_positive(draws=draws)
    own = weights_by_name(networks)
    noises = [
        {
            name: torch.randn(value.shape[1:], generator=generator).to(value)
            for name, value in own.items()
        }
        for _ in range(draws)
    ]
    before = errors_with(networks, own, train_inputs, train_labels)

    def rise(levels: Float64[Tensor, "networks"]) -> Float64[Tensor, "draws networks"]:
        errors = []
        for noise in noises:
            weights = _noisy_weights(own, noise, levels, magnitude_aware=magnitude_aware)
            errors.append(errors_with(networks, weights, train_inputs, train_labels))
        return torch.stack(errors) - before

    return level_of_rise(rise, number_of_networks(networks), train_inputs.device)


def _of_level(
    function: Callable[[Float64[Tensor, "networks"]], Float64[Tensor, "networks"]], found: Level
) -> Float64[Tensor, "networks"]:
    """Return a function of σ, and tell its standard error over draws, to first order in σ's."""
    with torch.enable_grad():
        level = found.level.detach().requires_grad_()
        values = function(level)
        (slopes,) = torch.autograd.grad(values.sum(), level)
    tell_standard_error((slopes * found.standard_error).abs())
    return values.detach()


def _noisy_weights(
    own: Weights, noise: Weights, levels: Float64[Tensor, "networks"], *, magnitude_aware: bool
) -> Weights:
    """Add noise of these levels to the weights."""
    if not magnitude_aware:
        return {name: w + scaled(levels, noise[name].expand_as(w)) for name, w in own.items()}
    deviations = {
        name: (scaled(levels.square(), w.square()) + SMALLEST_NOISE**2).sqrt()
        for name, w in own.items()
    }
    return {name: w + deviations[name] * noise[name] for name, w in own.items()}


def isotropic_bound(
    reference: LayerWeights,
    level: Float64[Tensor, "networks"],
    samples: int,
    factor: float = 1.0,
) -> Float64[Tensor, "networks"]:
    """Return c ‖v‖² / 4σ² + ln(m/σ) + 10.

    Args:
        factor: c.
    """
    square = weight_vectors(reference).square().sum(1)
    return _bound(factor * square / (4 * level.square()), level, samples)


def magnitude_aware_bound(
    reference: LayerWeights,
    changes: LayerWeights,
    level: Float64[Tensor, "networks"],
    samples: int,
    excess: float = 1.0,
) -> Float64[Tensor, "networks"]:
    """Return ¼ Σ_i ln[(ε² + (σ² + c) ‖v‖²/ω) / (ε² + σ² (w_i − w_i⁰)²)] + ln(m/σ) + 10.

    Args:
        changes: w − w⁰.
        excess: c.
    """
    mean_square = weight_vectors(reference).square().mean(1)
    square, floor = level.square(), SMALLEST_NOISE**2
    prior = (floor + (square + excess) * mean_square).log().unsqueeze(1)
    posterior = (floor + square.unsqueeze(1) * weight_vectors(changes).square()).log()
    return _bound((prior - posterior).sum(1) / 4, level, samples)


def _bound(
    complexity: Float64[Tensor, "networks"], level: Float64[Tensor, "networks"], samples: int
) -> Float64[Tensor, "networks"]:
    """Add ln(m/σ) + 10 to a complexity."""
    return complexity + (samples / level).log() + 10
