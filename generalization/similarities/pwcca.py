"""Projection weighted canonical correlation of two layers."""

from jaxtyping import Float64, Inexact
from torch import Tensor

from generalization.representations.bases import Basis
from generalization.representations.canonical import canonical_directions, held_out_correlations
from generalization.representations.null_levels import null_mean_correlation
from generalization.representations.products import Products, prepared
from generalization.representations.representation import Representation, Values, joined
from generalization.representations.score import Score, score


def pwcca(
    a: Values | Representation,
    b: Values | Representation,
    *,
    products: Products | None = None,
) -> Score:
    """Mean of canonical correlations, weighted by what they explain of ``a`` (Morcos et al. 2018).

    Σ_i α_i ρ_i with α_i ∝ Σ_j |⟨h_i, x_j⟩|, h_i the canonical variates of ``a`` and x_j its
    centered units. Exchanging the layers changes it. It does not change under invertible affine
    maps of ``b``, nor under permutations of the units of ``a`` and scalings of ``a`` as a whole.

    With h = Q_a U, ⟨h_i, x_j⟩ are the entries of Uᴴ Q_aᴴ X. Where several ρ are equal, their
    variates and thus their weights may be turned among themselves, which leaves the share of all
    of them undetermined to some extent.

    Args:
        a: The layer whose units weigh, datapoints × units.

    Returns:
        The score. On the held-out half, the weights are those of the other half too.
    """
    a, b, products = prepared(a, b, products)
    bases = a.whole.basis, b.whole.basis
    u, correlations, _ = canonical_directions(*bases, joined(a, b, products))
    weights = projection_weights(bases[0], u)
    value = _mean(correlations, weights)
    fitted = a.first_half.basis, b.first_half.basis
    directions = canonical_directions(*fitted, products[0])
    held_out = held_out_correlations(a, b, fitted, products, directions)
    held_out = _mean(held_out, projection_weights(fitted[0], directions[0]))
    null = null_mean_correlation(
        bases[0].rank, bases[1].rank, len(a.values), complex_valued=a.values.is_complex()
    )
    norm = weights.sum().sqrt().item()
    return score(a, b, value, null, held_out, len(correlations), (norm, norm))


def projection_weights(
    basis: Basis, directions: Inexact[Tensor, "rank directions"]
) -> Float64[Tensor, "directions"]:
    """Σ_j |⟨h_i, x_j⟩|, to which α is proportional.

    Args:
        basis: Of a layer.
        directions: U, orthonormal, in that basis.
    """
    return (directions.mH @ basis.loadings).abs().sum(1)


def _mean(values: Float64[Tensor, "directions"], weights: Float64[Tensor, "directions"]) -> float:
    return (values @ weights / weights.sum()).item()
