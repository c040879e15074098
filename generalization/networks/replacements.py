"""What the activation of an ablated unit is replaced by."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

# In the order in which they take more of the unit's part away: nothing is left of it by the first.
MODES = ("zero", "mean", "class_mean")


def check_mode(mode: str) -> None:
    """Refuse what units cannot be replaced by.

    Raises:
        ValueError: If the mode is unknown.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be among {', '.join(MODES)}, not {mode!r}.")


def replacements(
    activations: Float[Tensor, "networks samples units"],
    labels: Int64[Tensor, "samples"],
    mode: str,
) -> Float[Tensor, "networks groups units"]:
    """What units are replaced by, one row for each group of samples (Morcos et al. 2018).

    Args:
        activations: Of a reference set, before any unit is ablated.
        labels: Of the reference set.
        mode: ``zero``; ``mean``, of the unit over the reference set; ``class_mean``, over those
            samples that have the same label.

    Returns:
        One group for all samples, or one for each class. That of a class which the reference set
        lacks is NaN.
    """
    if mode == "zero":
        return torch.zeros_like(activations[:, :1])
    if mode == "mean":
        return activations.mean(1, keepdim=True)
    members = one_hot(labels).T.to(activations.dtype)
    return (members / members.sum(1, keepdim=True)) @ activations


def groups_of(labels: Int64[Tensor, "samples"], mode: str) -> Int64[Tensor, "samples"]:
    """The group of every sample."""
    return labels if mode == "class_mean" else torch.zeros_like(labels)
