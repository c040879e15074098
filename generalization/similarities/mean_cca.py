"""Mean canonical correlation of two layers."""

from generalization.errors import InputError
from generalization.refusals import refuses_by_name
from generalization.representations.canonical import canonical_correlations, held_out_correlations
from generalization.representations.null_levels import null_correlations, null_mean_correlation
from generalization.representations.products import Products, prepared
from generalization.representations.published_cca import leading_mean, published_correlations
from generalization.representations.representation import Representation, Values, joined
from generalization.representations.score import Score, score

MODES = ("exact", "google")


@refuses_by_name
def mean_cca(
    a: Values | Representation,
    b: Values | Representation,
    *,
    mode: str = "exact",
    epsilon: float = 1e-10,
    threshold: float = 0.98,
    products: Products | None = None,
) -> Score:
    """Return the mean canonical correlation of layers (Hotelling 1936; Raghu et al. 2017).

    The correlations ρ are the singular values of Q_aᴴ Q_b, with Q_a and Q_b orthonormal bases of
    the centered units; the mean is over the smaller of the two ranks. It is invariant to invertible
    affine maps of either layer.

    Args:
        mode: ``google`` reproduces github.com/google/svcca: covariances divided by their largest
            entry, units with a rescaled variance below ``epsilon`` omitted, ``epsilon`` added to
            the diagonal, and the mean over leading coefficients only. It has no held-out value.
        epsilon: Regularization in mode ``google``.
        threshold: Share of the sum of coefficients that the leading ones must reach, in mode
            ``google``.

    Returns:
        The score.

    Raises:
        InputError: If the mode is unknown.
    """
    if mode not in MODES:
        raise InputError(f"mode must be among {', '.join(MODES)}, not {mode!r}.")
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
