"""Replacements for the activations of ablated units."""

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

# In the order in which they take more of the unit's part away: nothing is left of it by the first.
MODES = ("zero", "mean", "class_mean")


def check_mode(mode: str) -> None:
    """Refuse an unknown mode of replacement.

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
    """Return the replacements of units, one row for each group of samples (Morcos et al. 2018).

    Args:
        activations: Of a reference set, before any unit is ablated.
        labels: Of the reference set.
        mode: ``zero``; ``mean``, of the unit over the reference set; ``class_mean``, over those
            samples that have the same label.

    Returns:
        No group, one for all samples, or one for each class: 0 if the reference set lacks it.
    """
    members = group_members(labels, mode).to(activations.dtype)
    return (members / members.sum(1, keepdim=True).clamp(min=1)) @ activations


def group_members(labels: Int64[Tensor, "samples"], mode: str) -> Int64[Tensor, "groups samples"]:
    """Return a matrix of 1 for the members of each group of samples, and of 0 for others."""
    if mode == "class_mean":
        return one_hot(labels).T
    return labels.new_ones(int(mode == "mean"), len(labels))
