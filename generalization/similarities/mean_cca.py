"""Mean canonical correlation of two layers."""

from generalization.representations.canonical import canonical_correlations, held_out_correlations
from generalization.representations.null_levels import null_correlations, null_mean_correlation
from generalization.representations.products import Products, prepared
from generalization.representations.published_cca import leading_mean, published_correlations
from generalization.representations.representation import Representation, Values, joined
from generalization.representations.score import Score, score


def mean_cca(
    a: Values | Representation,
    b: Values | Representation,
    *,
    mode: str = "exact",
    epsilon: float = 1e-10,
    threshold: float = 0.98,
    products: Products | None = None,
) -> Score:
    """Mean of the canonical correlations ρ of two layers (Hotelling 1936; Raghu et al. 2017).

    ρ are the singular values of Q_aᴴ Q_b, Q_a and Q_b orthonormal bases of the centered units; the
    mean is over the smaller of the two ranks. It does not change under invertible affine maps of
    either layer.

    Args:
        mode: ``google`` computes what github.com/google/svcca does: covariances divided by their
            largest entry, units of a rescaled variance below ``epsilon`` left out, ``epsilon`` on
            the diagonal, and the mean over the leading coefficients only. It has no held-out value.
        epsilon: Of that mode.
        threshold: Of that mode: leading coefficients are counted until they have this part of the
            sum.

    Returns:
        The score.
    """
    a, b, products = prepared(a, b, products)
    if mode == "google":
        correlations = published_correlations(a, b, joined(a, b, products), epsilon)
        null = null_correlations(a.whole.basis.rank, b.whole.basis.rank, len(a.values))
        value, null = leading_mean(correlations, threshold), leading_mean(null, threshold)
        return score(a, b, value, null, directions=len(correlations))
    bases = a.whole.basis, b.whole.basis
    correlations = canonical_correlations(*bases, joined(a, b, products))
    held_out = held_out_correlations(a, b, (a.first_half.basis, b.first_half.basis), products)
    null = null_mean_correlation(
        bases[0].rank, bases[1].rank, len(a.values), complex_valued=a.values.is_complex()
    )
    mean = correlations.mean().item()
    return score(a, b, mean, null, held_out.mean().item(), len(correlations))
