"""Cross-entropy and squared loss of the softmax, without cancellation."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor


def softmax_losses(
    logits: Float64[Tensor, "networks samples classes"], labels: Int64[Tensor, "samples"]
) -> dict[str, Float64[Tensor, "networks samples"]]:
    """Compute −ln σ_y and ‖σ − e_y‖² of σ = softmax f for each sample, as sums of positive terms.

    With m the largest logit, −ln σ_y = (m − f_y) + ln(1 + Σ exp(f_j − m)) over all but the largest,
    and ‖σ − e_y‖² = (Σ σ_j)² + Σ σ_j² over all but the true class.

    Args:
        logits: Logits f of each network for each sample.
        labels: True class y of each sample.

    Returns:
        ``cross_entropy``, in nats, and ``squared_loss``.
    """
    largest, *_ = below = logits.sort(descending=True).values.unbind(-1)
    rest = sum((logit - largest).exp() for logit in below[1:]) + torch.zeros_like(largest)
    true = labels.expand(logits.shape[:2]).unsqueeze(-1)
    rivals = logits.softmax(-1).scatter(-1, true, 0.0)
    return {
        "cross_entropy": largest - logits.gather(-1, true).squeeze(-1) + rest.log1p(),
        "squared_loss": rivals.sum(-1).square() + rivals.square().sum(-1),
    }
