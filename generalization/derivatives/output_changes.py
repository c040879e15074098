"""Variance of the change of outputs under input noise."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor, nn

from generalization.devices import items_at_once
from generalization.errors import require_positive
from generalization.networks.modules import Networks, logits_of
from generalization.networks.softmax import softmax

# Map from logits (…, classes) to outputs (…, outputs), linear or the softmax.
Outputs = Callable[[Float64[Tensor, "*batch classes"]], Float64[Tensor, "*batch outputs"]]


class PixelNoise(NamedTuple):
    """Gaussian noise whose standard deviation is given in pixels.

    Attributes:
        pixel_deviations: Pixels per unit of input, for each input.
        generator: Source of the noise, on the CPU, which all networks share.
        pixel_noise_std: Standard deviation σ in pixels, which range from 0 to 1.
        draws: Number of noise draws per input.
    """

    pixel_deviations: Float64[Tensor, "samples"]
    generator: Generator
    pixel_noise_std: float
    draws: int


def mean_logit(logits: Float64[Tensor, "*batch classes"]) -> Float64[Tensor, "*batch 1"]:
    """Return the mean logit f̄ = 1ᵀf / K, a single output."""
    return logits.mean(-1, keepdim=True)


def single_logits(logits: Float64[Tensor, "*batch classes"]) -> Float64[Tensor, "*batch classes"]:
    """Return the logits over √K, such that their variances sum to the mean variance of a logit."""
    return logits / logits.shape[-1] ** 0.5


def centered_logits(logits: Float64[Tensor, "*batch classes"]) -> Float64[Tensor, "*batch classes"]:
    """Return the centered logits (f − f̄) / √(K − 1).

    For uncorrelated logits their variances sum to the mean variance of a logit.
    """
    centered = logits - logits.mean(-1, keepdim=True)
    return centered / max(logits.shape[-1] - 1, 1) ** 0.5


def probabilities(logits: Float64[Tensor, "*batch classes"]) -> Float64[Tensor, "*batch classes"]:
    """Return the softmax of the logits."""
    return softmax(logits)


@torch.no_grad()
def output_variance(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    noise: PixelNoise,
    outputs: Outputs,
) -> tuple[Float64[Tensor, "networks"], Float64[Tensor, "networks"]]:
    """Return the variance Σ_j Var[g_j(x + ε) − g_j(x)] over inputs and noise, and standard error.

    These are population variances over all pairs of an input x and a draw of ε ~ N(0, σ²I)
    (Forouzesh, Salehi & Thiran 2020). The standard error treats inputs as independent, but not the
    draws at one input: with q the mean over draws of Σ_j (e_j − E e_j)², it is that of the mean of
    q over inputs, √(Var q / N).

    Logits are in the dtype of the weights, all else is float64. All networks share the noise.

    Args:
        noise: Distribution of ε.
        outputs: Map from logits to the outputs g.

    Returns:
        R sums of variances, and R standard errors.

    Raises:
        ValueError: If there are no draws, or no noise.
    """
    require_positive(draws=noise.draws)
    if not noise.pixel_noise_std > 0:
        raise ValueError(f"pixel_noise_std must be positive, not {noise.pixel_noise_std!r}.")
    found = [_variance(stack, inputs, noise, outputs) for stack in _groups(networks, inputs)]
    values, errors = zip(*found, strict=True)
    return torch.cat(values), torch.cat(errors)


def _groups(networks: Networks, inputs: Tensor) -> Iterator[Networks]:
    """Split a stack such that the logits of all inputs fit the memory budget."""
    if isinstance(networks, nn.Module):
        yield networks
        return
    classes = logits_of(networks, inputs[:1]).shape[-1]
    members = items_at_once("logits", classes * len(inputs), inputs.device)
    yield from (networks[first : first + members] for first in range(0, len(networks), members))


def _variance(
    networks: Networks, inputs: Tensor, noise: PixelNoise, outputs: Outputs
) -> tuple[Tensor, Tensor]:
    """Compute ``output_variance`` from the first two moments of the changes at every input."""
    scale = (noise.pixel_noise_std / noise.pixel_deviations).to(inputs)
    scale = scale.view(-1, *[1] * (inputs.dim() - 1))
    generator, draws = noise.generator.clone_state(), noise.draws
    before = outputs(logits_of(networks, inputs).double())
    sums, squares = torch.zeros_like(before), before.new_zeros(before.shape[:-1])
    for _ in range(draws):
        drawn = torch.randn(inputs.shape, generator=generator).to(inputs)
        changes = outputs(logits_of(networks, drawn.mul_(scale).add_(inputs)).double()) - before
        sums += changes / draws
        squares += changes.square().sum(-1) / draws
    means = sums.mean(1, keepdim=True)
    # Mean over draws of Σ_j (e_j − m_j)², for every input.
    spread = squares - 2 * (means * sums).sum(-1) + means.square().sum(-1)
    return spread.mean(1), spread.std(1, correction=0) / len(inputs) ** 0.5
