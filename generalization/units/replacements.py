"""What the activation of an ablated unit is replaced by."""

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
        No group, one for all samples, or one for each class: 0 if the reference set lacks it.
    """
    members = members_of(labels, mode).to(activations.dtype)
    return (members / members.sum(1, keepdim=True).clamp(min=1)) @ activations


def members_of(labels: Int64[Tensor, "samples"], mode: str) -> Int64[Tensor, "groups samples"]:
    """Which samples belong to each of the groups: 1, or else 0."""
    if mode == "class_mean":
        return one_hot(labels).T
    return labels.new_ones(int(mode == "mean"), len(labels))
