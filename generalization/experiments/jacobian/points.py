"""Loss, confidence and sensitivity of networks at single test points."""

import pandas as pd
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.derivatives.input_jacobian import input_jacobian_norm
from generalization.measures.jacobian_norm import jacobian_norm
from generalization.measures.output_entropy import output_entropy
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.networks.softmax_losses import softmax_losses


@reads_networks
@torch.no_grad()
def points(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
) -> pd.DataFrame:
    """Losses and Jacobian norms at each test point (Novak et al. 2018, §4.4, §A.3, §A.5.6, §A.5.7).

    Logits and products with weights are in the dtype of the weights; all else is float64, and
    written so that nothing cancels: where σ_y, the probability of the true class, rounds to 1, its
    loss, its distance from 1 and its derivative still have the precision of the logits.

    Returns:
        One row per network and point: ``network``, ``point`` (0 … N − 1) and

        ``classes``
            Number K of classes.
        ``cross_entropy``
            −ln σ_y, in nats.
        ``squared_loss``
            ‖σ − e_y‖², from 0 to 2.
        ``correct``
            1 where the largest logit is that of the true class, else 0.
        ``jacobian_norm``
            ‖J‖_F with J = ∂σ/∂xᵀ, in probability per unit of input.
        ``true_row_norm``
            ‖J_y‖₂, J_y the row of the true class.
        ``logit_gram_m``
            tr(ΠGΠ) / (K − 1), with G = ∂f/∂xᵀ (∂f/∂xᵀ)ᵀ the Gram matrix of the gradients of the
            logits and Π = I − 11ᵀ/K: the mean square length of these gradients, in logits² per
            squared unit of input, after subtraction of their mean. Its mean over points is the M of
            §A.3. The paper's own, tr G / K, changes when a function of x is added to all logits,
            which changes no probability and thus no Jacobian.
        ``least_confidence``
            1 − max_k σ_k.
        ``entropy``
            −Σ_k σ_k ln σ_k, in nats.
    """
    logits = logits_of(networks, inputs).double()
    classes = logits.shape[-1]
    centered = input_jacobian_norm(networks, inputs, _centering)
    columns = {
        **softmax_losses(logits, labels),
        "correct": (logits.argmax(-1) == labels).long(),
        "jacobian_norm": jacobian_norm(networks, inputs),
        "true_row_norm": input_jacobian_norm(networks, inputs, _true_row, labels),
        "logit_gram_m": centered.square() / max(classes - 1, 1),
        "least_confidence": _least_confidence(logits),
        "entropy": output_entropy(networks, inputs),
    }
    network, point = torch.meshgrid(*map(torch.arange, logits.shape[:2]), indexing="ij")
    columns = {"network": network, "point": point} | columns
    table = pd.DataFrame({name: values.flatten().cpu() for name, values in columns.items()})
    table.insert(2, "classes", classes)
    return table


def _least_confidence(
    logits: Float64[Tensor, "networks samples classes"],
) -> Float64[Tensor, "networks samples"]:
    """Sum of all probabilities but the largest."""
    return logits.softmax(-1).sort(descending=True).values[..., 1:].sum(-1)


def _true_row(
    logits: Float[Tensor, "*networks samples classes"], labels: Int64[Tensor, "samples"]
) -> tuple[Tensor, Tensor]:
    """Row σ_y (e_y − σ) of the softmax's Jacobian for the true class.

    1 − σ_y is the sum of the other probabilities and the largest entry of the row, which is divided
    by it in float64, before it is rounded to the dtype of the logits.
    """
    probabilities = logits.double().softmax(-1)
    true = labels.expand(logits.shape[:-1]).unsqueeze(-1)
    row = -probabilities.scatter(-1, true, 0.0)
    others = -row.sum(-1, keepdim=True)
    row.scatter_(-1, true, others)
    others = others.clamp_min(torch.finfo(torch.float64).tiny)
    scale = others * probabilities.gather(-1, true)
    return (row / others).to(logits.dtype).unsqueeze(-2), scale.squeeze(-1)


def _centering(logits: Float[Tensor, "*batch classes"]) -> tuple[Tensor, Tensor]:
    """Projection Π = I − 11ᵀ/K at every point, unscaled."""
    classes = logits.shape[-1]
    projection = torch.eye(classes, dtype=logits.dtype, device=logits.device) - 1 / classes
    scale = torch.ones(logits.shape[:-1], dtype=torch.float64, device=logits.device)
    return projection.expand(*logits.shape, -1), scale
