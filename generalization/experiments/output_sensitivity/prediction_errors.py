"""Cross-entropy and squared errors of networks on the test set."""

import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from generalization.networks.differentiability import needs_logits
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.networks.softmax_losses import softmax_losses


@reads_networks
@torch.no_grad()
def prediction_errors(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
) -> pd.DataFrame:
    """Mean losses of each network, to test L ≈ √(L_MSE / 2) (Forouzesh et al. 2020).

    At every point −ln σ_y ≥ √(‖σ − e_y‖² / 2), with equality only where σ_y = 1: the K − 1 rivals
    share the probability 1 − σ_y, so that ‖σ − e_y‖² ≤ 2 (1 − σ_y)², and 1 − σ_y ≤ −ln σ_y. The
    inequality holds for the mean over points of the roots; the root of the mean, which the paper
    uses, is larger than that, and may be larger than the cross-entropy.

    Returns:
        One row per network: ``network`` and, as means over points,

        ``cross_entropy``
            −ln σ_y, in nats.
        ``squared_error``
            ‖σ − e_y‖², from 0 to 2.
        ``lower_bound``
            √(‖σ − e_y‖² / 2), which is below the cross-entropy.
        ``squared_logit_error``
            ‖f − e_y‖², of the logits f, from which the authors' code computes its squared error.
    """
    needs_logits()
    logits = logits_of(networks, inputs).double()
    losses = softmax_losses(logits, labels)
    errors = logits - one_hot(labels, logits.shape[-1])
    columns = losses | {
        "lower_bound": (losses["squared_loss"] / 2).sqrt(),
        "squared_logit_error": errors.square().sum(-1),
    }
    means = {name: values.mean(-1).cpu() for name, values in columns.items()}
    table = pd.DataFrame(means).rename(columns={"squared_loss": "squared_error"})
    table.insert(0, "network", range(len(table)))
    return table
