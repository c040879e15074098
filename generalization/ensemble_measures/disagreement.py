"""Disagreement of two networks on unlabelled test inputs, and what it predicts of accuracy.

All depend on the order of the logits only, hence are invariant to permuting units, to rescaling
layers against each other and to scaling the logits.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.ensemble_measures import LogitsA, LogitsB, Pairs, refuse_others
from generalization.errors import InputError
from generalization.refusals import refuses_by_name


@refuses_by_name
def disagreement(logits_a: LogitsA, logits_b: LogitsB) -> Pairs:
    """Fraction of test inputs to which two networks assign different classes (Jiang et al. 2022).

    For an ensemble that is calibrated as a whole, its mean over pairs is the test error
    (generalization disagreement equality).

    Returns:
        R × S numbers from 0 to 1; NaN where logits are not finite.

    Raises:
        InputError: If there are no logits of several classes.
    """
    refuse_others("classes", logits_a=logits_a, logits_b=logits_b)
    if logits_a.shape[2] < 2:
        raise InputError(f"logits must be of at least two classes, not {logits_a.shape[2]}.")
    classes_a, classes_b = logits_a.argmax(-1), logits_b.argmax(-1)
    # One network at a time: R × S × N truth values of thousands of inputs would not fit a cache.
    rates = torch.stack([(one != classes_b).double().mean(1) for one in classes_a])
    finite_a, finite_b = (one.isfinite().all(2).all(1) for one in (logits_a, logits_b))
    return rates.where(finite_a.unsqueeze(1) & finite_b, torch.nan)


@refuses_by_name
def agreement_gap(
    logits_a: LogitsA,
    logits_b: LogitsB,
    train_accuracy_a: Float64[Tensor, "networks_a"],
    train_accuracy_b: Float64[Tensor, "networks_b"],
) -> Pairs:
    """Mean train accuracy of two networks minus their agreement on unlabelled test inputs.

    The agreement 1 − ``disagreement`` is the test accuracy that the generalization disagreement
    equality predicts without labels (Jiang et al. 2022), so this is its prediction of the
    generalization gap.

    Returns:
        R × S numbers from −1 to 1; NaN where logits are not finite.
    """
    agreement = 1 - disagreement(logits_a, logits_b)
    return (train_accuracy_a[:, None] + train_accuracy_b) / 2 - agreement


@refuses_by_name
def independent_error(logits_a: LogitsA, logits_b: LogitsB) -> Pairs:
    """Error of two equally accurate networks, were their errors independent and uniform.

    With error e, K classes, and errors that are independent and uniform over the K − 1 wrong
    classes, two networks agree with probability A = (1 − e)² + e²/(K − 1); solved for the smaller
    e, which needs no label (Platanios et al. 2014 for two classes). Agreement below 1/K, that of
    chance, counts as 1/K.

    Returns:
        R × S numbers from 0 to 1 − 1/K; NaN where logits are not finite.
    """
    agreement = 1 - disagreement(logits_a, logits_b)
    chance = 1 - 1 / logits_a.shape[-1]
    # e = c (1 − √((A − 1/K) / c)) with c = 1 − 1/K.
    return chance * (1 - ((agreement - (1 - chance)).clamp_min(0) / chance).sqrt())
