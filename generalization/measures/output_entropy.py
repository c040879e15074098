"""Entropy of the predicted probabilities: a trivial baseline."""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.networks.sharing import once
from generalization.networks.softmax import refuse_one_logit
from generalization.samples import Inputs


@reads_networks
@torch.no_grad()
def output_entropy(networks: Networks, inputs: Inputs) -> Float64[Tensor, "networks samples"]:
    """Entropy −Σ_k σ_k ln σ_k at every point, σ the softmax (Jiang et al. 2019).

    With g_k ≥ 0 the distance of logit k below the largest and r = Σ exp(−g_k) over all but the
    largest, ln σ_k = −g_k − ln(1 + r), so that the entropy is ln(1 + r) + Σ g_k exp(−g_k) / (1 +
    r). All terms are positive and nothing cancels; the definition loses the largest class's share,
    1 − σ_k, once σ_k rounds to 1. Logits are in the dtype of the weights, the rest is float64.

    Returns:
        R × N entropies, in nats.
    """
    logits = once(logits_of, networks, inputs)
    refuse_one_logit(logits)
    logits = logits.double().sort(descending=True).values
    below = (logits[..., 1:] - logits[..., :1]).exp()
    rest = below.sum(-1)
    return rest.log1p() + torch.special.entr(below).sum(-1) / (1 + rest)
