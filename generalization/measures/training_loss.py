"""Cross-entropy on the training set: a trivial baseline."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.networks.sharing import once
from generalization.samples import Inputs


@reads_networks
@torch.no_grad()
def training_loss(
    networks: Networks, train_inputs: Inputs, train_labels: Int64[Tensor, "samples"]
) -> Float64[Tensor, "networks"]:
    """Mean cross-entropy on the whole training set, in eval mode.

    Computed as −ln σ_y = ln(1 + exp(m)) with m = ln Σ_{j≠y} exp(f_j) − f_y, which is accurate where
    the label is almost certain; ln Σ_j exp(f_j) − f_y would be a small difference of large numbers.
    Logits are in the dtype of the weights, the rest is float64.

    Source: this project's own baseline, because a measure that only tells how well a network
    fits is of no use.

    Args:
        train_inputs: Training set, in the dtype of the weights.
        train_labels: Classes from 0.

    Returns:
        R losses, in nats.
    """
    logits = once(logits_of, networks, train_inputs).double()
    is_label = one_hot(train_labels, logits.shape[-1]).bool()
    of_label = logits[:, is_label]
    of_others = logits.masked_fill(is_label, -torch.inf).logsumexp(-1)
    return torch.logaddexp(of_others - of_label, torch.zeros_like(of_label)).mean(-1)
