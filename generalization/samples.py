"""Samples that measures are evaluated on: their shapes, and the choice of the first ones."""

from jaxtyping import Float, Int64
from torch import Tensor

from generalization.errors import require_positive, warn_of_method

# Test inputs of any shape, test images, and the training set.
Inputs = Float[Tensor, "samples *features"]
Images = Float[Tensor, "samples channels height width"]
TrainInputs = Float[Tensor, "train_samples *features"]
TrainLabels = Int64[Tensor, "train_samples"]


def first_samples(train_samples: int, *tensors: Tensor) -> list[Tensor]:
    """Return the first ``train_samples`` rows of each tensor, such as inputs and their labels.

    A warning says so where there are more.

    Raises:
        ValueError: If train_samples is less than 1.
    """  # noqa: DOC502
    require_positive(train_samples=train_samples)
    if train_samples < len(tensors[0]):
        how = f"at the first {train_samples} of {len(tensors[0])} training samples"
        warn_of_method("sampled", how)
    return [tensor[:train_samples] for tensor in tensors]
