"""Flatness: how far weights may move, at random or at worst, before the training error rises.

Weights alone are moved, biases are not; normalizations are folded into the weights. The level of
the noise is found by bisection, with the same draws at every level and for all networks. Noise has
the *standard deviation* σ: the public code of Dziugaite et al. 2020 passes variances where one is
expected, and reports the square root of the true one. If no level within the limits of the search
lets the error rise as far, there is no value and a warning says so.

Args:
    draws: Number of draws of noise.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from generalization.networks.modules import Networks, number_of_networks
from generalization.networks.perturbed_weights import Weights, logits_with, weights_by_name

# ASSUME: a rise of the training error by 0.1, as Jiang et al. 2019 and Dziugaite et al. 2020.
RISE = 0.1
LEAST_LEVEL, LARGEST_LEVEL = 2.0**-20, 2.0**10
HALVINGS = 15  # Of the interval between one power of two and the next.
# ASSUME: ε = 1e-3 keeps the magnitude-aware noise of weights near 0 from vanishing (ibid.).
LEAST_NOISE = 1e-3

# From a level for every network to the rise of the error, (draws, networks).
Rise = Callable[[Float64[Tensor, "networks"]], Float64[Tensor, "draws networks"]]


class Level(NamedTuple):
    """Level at which the mean rise is reached, its standard error over draws, whether it exists."""

    level: Float64[Tensor, "networks"]
    standard_error: Float64[Tensor, "networks"]
    exists: Bool[Tensor, "networks"]


def pac_bayes_flatness(
    networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """Inverse 1/σ² of the largest Gaussian noise that weights bear (Jiang et al. 2019).

    σ is the level at which weights w + u, u ~ N(0, σ² I), have 0.1 more training error than w, in
    the mean over draws. Rescaling layers against each other changes it.

    Returns:
        R numbers, in inverse squared weights; NaN where σ is beyond the limits of the search.
    """
    found = pac_bayes_level(
        networks, train_inputs, train_labels, generator, train_samples=train_samples, draws=draws
    )
    return found.level.pow(-2)


def pac_bayes_from_initialization(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """PAC-Bayes bound ‖w − w⁰‖² / 4σ² + ln(m/σ) + 10 (Jiang et al. 2019, "pacbayes-init").

    m is the number of all training points. Other arguments are those of ``pac_bayes_flatness``.

    Returns:
        R numbers; NaN where σ is beyond the limits of the search.
    """
    found = pac_bayes_level(
        networks, train_inputs, train_labels, generator, train_samples=train_samples, draws=draws
    )
    square = _distances(networks, initial_networks).square().sum(1)
    return _bound(square / (4 * found.level.square()), found.level, len(train_inputs))


def pac_bayes_from_origin(
    networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """PAC-Bayes bound ‖w‖² / 4σ² + ln(m/σ) + 10 (Jiang et al. 2019, "pacbayes-orig").

    Arguments are those of ``pac_bayes_flatness``.

    Returns:
        R numbers; NaN where σ is beyond the limits of the search.
    """
    found = pac_bayes_level(
        networks, train_inputs, train_labels, generator, train_samples=train_samples, draws=draws
    )
    square = _vectors(weights_by_name(networks)).square().sum(1)
    return _bound(square / (4 * found.level.square()), found.level, len(train_inputs))


def magnitude_aware_flatness(
    networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """Inverse 1/σ² of the largest noise in proportion to weights (Jiang et al. 2019, "mag").

    Noise of weight w_i has the standard deviation √(σ² w_i² + ε²), ε = 10⁻³. Arguments and results
    are those of ``pac_bayes_flatness``; σ has no unit. But for ε, rescaling layers against each
    other changes nothing.
    """
    found = pac_bayes_level(
        networks,
        train_inputs,
        train_labels,
        generator,
        train_samples=train_samples,
        draws=draws,
        magnitude_aware=True,
    )
    return found.level.pow(-2)


def magnitude_aware_from_initialization(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """Magnitude-aware PAC-Bayes bound with the initial weights as prior mean (ibid.).

    ¼ Σ_i ln[(ε² + (σ² + 1) ‖w − w⁰‖²/ω) / (ε² + σ² (w_i − w_i⁰)²)] + ln(m/σ) + 10, ω the number of
    weights. Arguments and results are those of ``pac_bayes_from_initialization``.
    """
    found = pac_bayes_level(
        networks,
        train_inputs,
        train_labels,
        generator,
        train_samples=train_samples,
        draws=draws,
        magnitude_aware=True,
    )
    moved = _distances(networks, initial_networks).square()
    complexity = _magnitude_aware(moved.mean(1), moved, found.level)
    return _bound(complexity, found.level, len(train_inputs))


def magnitude_aware_from_origin(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
) -> Float64[Tensor, "networks"]:
    """Magnitude-aware PAC-Bayes bound with ‖w‖² in place of ‖w − w⁰‖² (ibid.).

    Arguments and results are those of ``pac_bayes_from_initialization``.
    """
    found = pac_bayes_level(
        networks,
        train_inputs,
        train_labels,
        generator,
        train_samples=train_samples,
        draws=draws,
        magnitude_aware=True,
    )
    moved = _distances(networks, initial_networks).square()
    mean_square = _vectors(weights_by_name(networks)).square().mean(1)
    complexity = _magnitude_aware(mean_square, moved, found.level)
    return _bound(complexity, found.level, len(train_inputs))


def worst_case_flatness(
    networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
) -> Float64[Tensor, "networks"]:
    """Inverse 1/α² of the largest box of weights without 0.1 more error (Jiang et al. 2019).

    α is the level at which the worst w + u, |u_i| ≤ α, has 0.1 more training error than w. The
    worst u is sought by ascent along the signs of the gradient of the loss, clipped to the box: a
    worse one may exist, so that α is an upper estimate.

    Args:
        ascent_steps: Number of steps of the ascent, each of twice the way to the border by it.

    Returns:
        R numbers, in inverse squared weights; NaN where α is beyond the limits of the search.
    """
    found = worst_case_level(
        networks,
        train_inputs,
        train_labels,
        train_samples=train_samples,
        ascent_steps=ascent_steps,
    )
    return found.level.pow(-2)


def magnitude_aware_worst_case_flatness(
    networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
) -> Float64[Tensor, "networks"]:
    """Inverse 1/α² of the largest box |u_i| ≤ α |w_i| without 0.1 more error (ibid.).

    Rescaling layers against each other changes nothing. Arguments and results are those of
    ``worst_case_flatness``; α has no unit.
    """
    found = worst_case_level(
        networks,
        train_inputs,
        train_labels,
        train_samples=train_samples,
        ascent_steps=ascent_steps,
        magnitude_aware=True,
    )
    return found.level.pow(-2)


def adaptive_sharpness(
    networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
    radius: float = 0.5,
) -> Float64[Tensor, "networks"]:
    """Rise of the training loss at the worst u with ‖u / |w|‖₂ ≤ ρ (Kwon et al. 2021).

    The worst u is sought from v = u / |w| on the sphere: v ← ρ g / ‖g‖, with g the gradient by v
    where v is. The rise found is a lower estimate. Rescaling layers against each other changes
    nothing.

    Args:
        ascent_steps: Number of gradients taken; the largest loss on the way counts.
        radius: ρ, without unit.

    Returns:
        R numbers, in nats.
    """
    inputs, labels = _first(train_inputs, train_labels, train_samples)
    own = weights_by_name(networks)
    before = _losses(networks, own, inputs, labels).detach()
    moved, worst = own, before
    for _ in range(ascent_steps):
        gradients = _gradients(networks, moved, inputs, labels)
        by_ratio = {name: gradients[name] * own[name].abs() for name in own}
        norms = _vectors(by_ratio).norm(dim=1).clamp_min(torch.finfo(torch.float64).tiny)
        moved = {
            name: own[name] + _times(radius / norms, own[name].abs() * by_ratio[name])
            for name in own
        }
        worst = torch.maximum(worst, _losses(networks, moved, inputs, labels).detach())
    return worst - before


def pac_bayes_level(
    networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    generator: Generator,
    *,
    train_samples: int = 1000,
    draws: int = 10,
    magnitude_aware: bool = False,
) -> Level:
    """Level of the Gaussian noise that lets the training error rise by 0.1 in the mean over draws.

    Args:
        generator: Source of the noise, on the CPU; all networks and levels see the same.
        magnitude_aware: Whether noise is in proportion to weights.

    Raises:
        ValueError: If draws or train_samples is less than 1.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws!r}.")
    inputs, labels = _first(train_inputs, train_labels, train_samples)
    own = weights_by_name(networks)
    noises = [
        {
            name: torch.randn(value.shape[1:], generator=generator).to(value)
            for name, value in own.items()
        }
        for _ in range(draws)
    ]
    before = _errors(networks, own, inputs, labels)

    def rise(levels: Float64[Tensor, "networks"]) -> Float64[Tensor, "draws networks"]:
        def perturbed(noise: Weights) -> Weights:
            if magnitude_aware:
                deviations = {
                    name: (_times(levels.square(), w.square()) + LEAST_NOISE**2).sqrt()
                    for name, w in own.items()
                }
                return {name: w + deviations[name] * noise[name] for name, w in own.items()}
            return {name: w + _times(levels, noise[name].expand_as(w)) for name, w in own.items()}

        errors = [_errors(networks, perturbed(noise), inputs, labels) for noise in noises]
        return torch.stack(errors) - before

    return level_of_rise(rise, number_of_networks(networks), train_inputs.device)


def worst_case_level(
    networks: Networks,
    train_inputs: Float[Tensor, "_train_samples *features"],
    train_labels: Int64[Tensor, "_train_samples"],
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
    magnitude_aware: bool = False,
) -> Level:
    """Half width of the box in which the worst weights let the training error rise by 0.1.

    Arguments are those of ``worst_case_flatness``; the standard error is 0, since nothing is drawn.
    """
    inputs, labels = _first(train_inputs, train_labels, train_samples)
    own = weights_by_name(networks)
    widths = {name: w.abs() if magnitude_aware else torch.ones_like(w) for name, w in own.items()}
    before = _errors(networks, own, inputs, labels)

    def rise(levels: Float64[Tensor, "networks"]) -> Float64[Tensor, "1 networks"]:
        moved, worst = own, before
        for _ in range(ascent_steps):
            gradients = _gradients(networks, moved, inputs, labels)
            moved = {
                name: _clipped(
                    moved[name] + _times(2 * levels / ascent_steps, steps),
                    own[name],
                    _times(levels, widths[name]),
                )
                for name, steps in ((n, widths[n] * gradients[n].sign()) for n in own)
            }
            worst = torch.maximum(worst, _errors(networks, moved, inputs, labels))
        return (worst - before).unsqueeze(0)

    return level_of_rise(rise, number_of_networks(networks), train_inputs.device)


def level_of_rise(rise: Rise, networks: int, device: torch.device | None = None) -> Level:
    """Level at which the mean rise over draws reaches 0.1, by bisection, for every network.

    From 1 on, levels are doubled or halved until the rise is on the other side; the interval
    between is then halved. Its standard error is that of the mean rise divided by the slope of the
    rise between levels a fifth below and above.

    Args:
        rise: Must be the same function at every call: draws must not change.
        networks: Number R of networks.
        device: Of the levels.

    Returns:
        Levels; NaN, with a warning, where the rise is on one side from 2⁻²⁰ to 2¹⁰.
    """
    level = torch.ones(networks, dtype=torch.float64, device=device)
    too_far = rise(level).mean(0) > RISE
    low, high = level.where(~too_far, torch.nan), level.where(too_far, torch.nan)
    while True:
        open_below = low.isnan() & (high > LEAST_LEVEL)
        open_above = high.isnan() & (low < LARGEST_LEVEL)
        if not (open_below | open_above).any():
            break
        level = torch.where(open_below, high / 2, torch.where(open_above, low * 2, level))
        too_far = rise(level).mean(0) > RISE
        low = torch.where(
            open_below & ~too_far, level, torch.where(open_above & ~too_far, level, low)
        )
        high = torch.where(
            open_above & too_far, level, torch.where(open_below & too_far, level, high)
        )
    exists = low.isfinite() & high.isfinite()
    low, high = low.where(exists, 1.0), high.where(exists, 1.0)
    for _ in range(HALVINGS):
        level = (low + high) / 2
        too_far = rise(level).mean(0) > RISE
        low, high = low.where(too_far, level), level.where(too_far, high)
    level = (low + high) / 2
    if not exists.all():
        warnings.warn(
            f"the rise of the training error by {RISE} must be at a level from {LEAST_LEVEL} to "
            f"{LARGEST_LEVEL}, which it is not for {int((~exists).sum())} of {networks} networks.",
            stacklevel=2,
        )
    error = _standard_error(rise, level)
    return Level(level.where(exists, torch.nan), error.where(exists, torch.nan), exists)


def _standard_error(rise: Rise, level: Float64[Tensor, "networks"]) -> Float64[Tensor, "networks"]:
    """Standard error of the mean rise over draws, divided by the slope of the rise."""
    rises = rise(level)
    if len(rises) == 1:
        return torch.zeros_like(level)
    slope = (rise(1.2 * level).mean(0) - rise(0.8 * level).mean(0)) / (0.4 * level)
    return rises.std(0) / len(rises) ** 0.5 / slope


def _first(inputs: Tensor, labels: Tensor, train_samples: int) -> tuple[Tensor, Tensor]:
    if train_samples < 1:
        raise ValueError(f"train_samples must be at least 1, not {train_samples!r}.")
    return inputs[:train_samples], labels[:train_samples]


def _times(factors: Float64[Tensor, "networks"], values: Tensor) -> Tensor:
    """Multiply every network by its own factor."""
    return factors.to(values.dtype).view(-1, *[1] * (values.dim() - 1)) * values


def _clipped(moved: Tensor, center: Tensor, widths: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(moved, center - widths), center + widths)


def _vectors(weights: Weights) -> Float64[Tensor, "networks weights"]:
    """All weights of every network as one vector."""
    return torch.cat([value.double().flatten(1) for value in weights.values()], dim=1)


def _distances(
    networks: Networks, initial_networks: Networks
) -> Float64[Tensor, "networks weights"]:
    """Weights less initial weights.

    Raises:
        ValueError: If they are not as many.
    """
    weights = _vectors(weights_by_name(networks))
    initial = _vectors(weights_by_name(initial_networks))
    if weights.shape != initial.shape:
        raise ValueError(
            f"initial_networks must have {weights.shape[1]} weights, not {initial.shape[1]}."
        )
    return weights - initial


def _bound(
    complexity: Float64[Tensor, "networks"], level: Float64[Tensor, "networks"], samples: int
) -> Float64[Tensor, "networks"]:
    return complexity + (samples / level).log() + 10


def _magnitude_aware(
    mean_square: Float64[Tensor, "networks"],
    moved: Float64[Tensor, "networks weights"],
    level: Float64[Tensor, "networks"],
) -> Float64[Tensor, "networks"]:
    """¼ Σ_i ln[(ε² + (σ² + 1) R²/ω) / (ε² + σ² (w_i − w_i⁰)²)]."""
    square, floor = level.square(), LEAST_NOISE**2
    prior = (floor + (square + 1) * mean_square).log().unsqueeze(1)
    return (prior - (floor + square.unsqueeze(1) * moved).log()).sum(1) / 4


@torch.no_grad()
def _errors(
    networks: Networks, weights: Weights, inputs: Tensor, labels: Tensor
) -> Float64[Tensor, "networks"]:
    """Training error of every network with these weights."""
    wrong = logits_with(networks, weights, inputs).argmax(-1) != labels
    return wrong.double().mean(1)


def _losses(
    networks: Networks, weights: Weights, inputs: Tensor, labels: Tensor
) -> Float64[Tensor, "networks"]:
    """Mean cross-entropy of every network with these weights."""
    logits = logits_with(networks, weights, inputs).double()
    losses = cross_entropy(logits.mT, labels.expand(len(logits), -1), reduction="none")
    return losses.mean(1)


def _gradients(networks: Networks, weights: Weights, inputs: Tensor, labels: Tensor) -> Weights:
    """Gradient of the loss of every network by its weights."""
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in weights.items()}
        losses = _losses(networks, leaves, inputs, labels)
        gradients = torch.autograd.grad(losses.sum(), list(leaves.values()))
    return dict(zip(leaves, gradients, strict=True))
