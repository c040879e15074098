"""Canonical correlations with the regularization of the published code of Raghu et al. 2017."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float64, Inexact
from torch import Tensor

from generalization.representations.representation import Representation


def published_correlations(
    a: Representation,
    b: Representation,
    product: Inexact[Tensor, "coordinates_a coordinates_b"],
    epsilon: float,
) -> Float64[np.ndarray, "directions"]:
    """Return ρ of github.com/google/svcca: the singular values of S_aa^{−½} S_ab S_bb^{−½}.

    Covariances are divided by the largest entry of S_aa and of S_bb, units with a rescaled variance
    below ε are omitted, and ε is added to all others. Any ε shrinks ρ.

    Args:
        epsilon: Regularization ε.
    """
    product = product if a.mixing is None else a.mixing.mH @ product
    product = product if b.mixing is None else product @ b.mixing
    (root_a, kept_a), (root_b, kept_b) = (
        _inverse_root(one.whole.unit_gram, epsilon) for one in (a, b)
    )
    return torch.linalg.svdvals(root_a @ product[kept_a][:, kept_b] @ root_b).cpu().numpy()


def leading_mean(correlations: Float64[np.ndarray, "directions"], threshold: float) -> float:
    """Average the leading coefficients that make up the share ``threshold`` of the sum."""
    parts = np.cumsum(correlations) / max(correlations.sum(), np.finfo(float).tiny)
    leading = int((parts < threshold).sum()) + 1
    return float(correlations[:leading].mean()) if len(correlations) else math.nan


def _inverse_root(gram: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Return S^{−½} in units of the unscaled Gram matrix, and the mask of units kept."""
    largest = gram.abs().max()
    kept = gram.diagonal().real / largest >= epsilon
    scaled = gram[kept][:, kept] / largest
    scaled = scaled + epsilon * torch.eye(len(scaled), dtype=gram.dtype, device=gram.device)
    eigenvalues, vectors = torch.linalg.eigh(scaled)
    positive = eigenvalues > 1e-15 * eigenvalues[-1:]
    vectors = vectors[:, positive]
    return vectors * eigenvalues[positive].rsqrt() @ vectors.mH / largest.sqrt(), kept
