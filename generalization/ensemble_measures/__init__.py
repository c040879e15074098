"""Measures of an ensemble: one number per pair of networks that differ only in their seed.

Each file holds the measure of its name, or a family that shares its computation; the catalog lists
the families. The parameters of a measure name what it sees of two blocks of R and S networks, see
``generalization.measure_pairs``; settings are keyword-only. A measure returns R × S values. Pairs
of an ensemble share networks, so that only their mean is a value of the ensemble: it is never that
of each network.

Args:
    logits_a: Logits of R networks at test inputs.
    logits_b: Logits of S networks at the same inputs.
    train_accuracy_a: Fraction of the training labels that each of R networks predicts.
    train_accuracy_b: Fraction of the training labels that each of S networks predicts.
    features_a: Activations of the last hidden layer of R networks at test inputs.
    features_b: Activations of the last hidden layer of S networks at the same inputs.
"""

from jaxtyping import Float, Float64
from torch import Tensor

from generalization.errors import InputError
from generalization.refusals import with_article

LogitsA = Float[Tensor, "networks_a samples classes"]
LogitsB = Float[Tensor, "networks_b samples classes"]
FeaturesA = Float[Tensor, "networks_a samples units"]
FeaturesB = Float[Tensor, "networks_b samples units"]
Pairs = Float64[Tensor, "networks_a networks_b"]


def refuse_others(third: str, **blocks: Tensor) -> None:
    """Refuse what is not known of a block of networks at samples.

    Args:
        third: Name of the third axis.
        blocks: Values by the name of the argument, of shape (networks, samples, third).

    Raises:
        InputError: If one is no tensor of three axes.
    """
    for name, values in blocks.items():
        shape = tuple(values.shape) if isinstance(values, Tensor) else ()
        if len(shape) != 3:
            found = f"of shape {shape}" if shape else with_article(type(values).__name__)
            raise InputError(f"{name} must be of shape (networks, samples, {third}), not {found}.")
