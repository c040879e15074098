"""Projection-weighted canonical correlation of two layers."""

from jaxtyping import Float64, Inexact
from torch import Tensor

from generalization.refusals import refuses_by_name
from generalization.representations.bases import Basis
from generalization.representations.canonical import canonical_directions, held_out_correlations
from generalization.representations.null_levels import null_mean_correlation
from generalization.representations.products import Products, prepared
from generalization.representations.representation import Representation, Values, joined
from generalization.representations.score import Score, score


@refuses_by_name
def pwcca(
    a: Values | Representation,
    b: Values | Representation,
    *,
    products: Products | None = None,
) -> Score:
    """Return the mean canonical correlation, weighted by projections of ``a`` (Morcos et al. 2018).

    Σ_i α_i ρ_i with α_i ∝ Σ_j |⟨h_i, x_j⟩|, where h_i are the canonical variates of ``a`` and x_j
    its centered units. It is asymmetric, and invariant to invertible affine maps of ``b``, to
    permutations of the units of ``a`` and to isotropic scaling of ``a``.

    With h = Q_a U, ⟨h_i, x_j⟩ are the entries of Uᴴ Q_aᴴ X. If several ρ are equal, their variates
    are defined only up to rotation, which leaves their total weight somewhat undetermined.

    Args:
        a: Activations of the layer that determines the weights, datapoints × units.

    Returns:
        The score. The held-out value uses the weights of the other half.
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
    """Return Σ_j |⟨h_i, x_j⟩|, to which α is proportional.

    Args:
        basis: Basis of a layer.
        directions: Orthonormal directions U in that basis.
    """
    return (directions.mH @ basis.loadings).abs().sum(1)


def _mean(values: Float64[Tensor, "directions"], weights: Float64[Tensor, "directions"]) -> float:
    return (values @ weights / weights.sum()).item()
