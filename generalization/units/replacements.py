"""Replacements for the activations of ablated units."""

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

# In order of how much of the activations they preserve.
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
    """Return the replacements of units, one row per group of samples (Morcos et al. 2018).

    Args:
        activations: Activations of a reference set without ablation.
        labels: Labels of the reference set.
        mode: ``zero``; ``mean``, over the reference set; or ``class_mean``, over the samples with
            the same label.

    Returns:
        No group, one group of all samples, or one per class, with 0 for classes that do not occur.
    """
    members = group_members(labels, mode).to(activations.dtype)
    return (members / members.sum(1, keepdim=True).clamp(min=1)) @ activations


def group_members(labels: Int64[Tensor, "samples"], mode: str) -> Int64[Tensor, "groups samples"]:
    """Return the one-hot group membership of samples as a matrix."""
    if mode == "class_mean":
        return one_hot(labels).T
    return labels.new_ones(int(mode == "mean"), len(labels))
