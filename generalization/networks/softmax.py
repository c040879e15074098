"""The softmax of logits, which measures refuse to take of a single one."""

from jaxtyping import Float, Float64
from torch import Tensor

from generalization.errors import InputError


def softmax(logits: Float[Tensor, "*batch classes"]) -> Float64[Tensor, "*batch classes"]:
    """Return the probabilities σ_k = exp f_k / Σ_j exp f_j in float64.

    Args:
        logits: Logits f, classes last.
    """
    refuse_one_logit(logits)
    return logits.double().softmax(-1)


def refuse_one_logit(logits: Float[Tensor, "*batch classes"]) -> None:
    """Refuse logits whose softmax is 1 whatever they are.

    Raises:
        InputError: If there are fewer than two.
    """
    classes = logits.shape[-1]
    if classes < 2:
        raise InputError(f"The softmax needs at least two logits, not {classes}.")
