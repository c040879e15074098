"""Training losses and their gradients with respect to the logits.

Logits are (networks, classes, samples) here: with the samples last, sums over classes run along
contiguous memory.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy, softmax

Logits = Float[Tensor, "networks classes samples"]
Labels = Int64[Tensor, "networks samples"]


@dataclass(frozen=True)
class Loss:
    """A loss of single samples.

    Attributes:
        values: Function from logits and labels to the nonnegative loss of each network and sample.
        gradient: Function from logits and labels to the derivative by logits, written to ``out``.
    """

    values: Callable[[Logits, Labels], Float[Tensor, "networks samples"]]
    gradient: Callable[..., Logits]


def cross_entropy_values(logits: Logits, labels: Labels) -> Float[Tensor, "networks samples"]:
    """Return −ln σ_y, with σ = softmax f."""
    return cross_entropy(logits, labels, reduction="none")


def cross_entropy_gradient(logits: Logits, labels: Labels, *, out: Logits) -> Logits:
    """Return σ − e_y."""
    return _subtract_one_hot(torch.softmax(logits, 1, out=out), labels)


# ASSUME: the ℓ2 loss is ‖softmax(f) − e_y‖²; the paper only states "ℓ2-loss".
def squared_values(logits: Logits, labels: Labels) -> Float[Tensor, "networks samples"]:
    """Return ‖σ − e_y‖², from 0 to 2."""
    return _subtract_one_hot(softmax(logits, 1), labels).square().sum(1)


def squared_gradient(logits: Logits, labels: Labels, *, out: Logits) -> Logits:
    """Return 2 σ ∘ (r − σᵀr) with r = σ − e_y, since ∂σ/∂f = diag σ − σσᵀ."""
    probabilities = softmax(logits, 1)
    _subtract_one_hot(out.copy_(probabilities), labels)
    mean = (probabilities * out).sum(1, keepdim=True)
    return out.sub_(mean).mul_(probabilities).mul_(2)


def _subtract_one_hot(probabilities: Logits, labels: Labels) -> Logits:
    """Subtract e_y in place."""
    return probabilities.scatter_(1, labels.unsqueeze(1), -1.0, reduce="add")


LOSSES = {
    "cross_entropy": Loss(cross_entropy_values, cross_entropy_gradient),
    "squared": Loss(squared_values, squared_gradient),
}
