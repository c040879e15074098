"""Singular vector canonical correlation of two layers."""

from numbers import Real

from generalization.errors import InputError
from generalization.refusals import refuses_by_name
from generalization.representations.canonical import canonical_correlations, held_out_correlations
from generalization.representations.null_levels import null_mean_correlation
from generalization.representations.products import Products, prepared
from generalization.representations.representation import Representation, Values, joined
from generalization.representations.score import Score, score


@refuses_by_name
def svcca(
    a: Values | Representation,
    b: Values | Representation,
    *,
    explained_variance: float = 0.99,
    products: Products | None = None,
) -> Score:
    """Return the mean canonical correlation of the leading principal subspaces of two layers.

    Singular vector canonical correlation analysis (Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017):
    a singular value decomposition of each layer, then canonical correlations between the subspaces
    that are kept. The subspace of a centered layer is spanned by the fewest left singular vectors
    whose squared singular values, the variances, reach a given share of their sum. (The tutorial of
    github.com/google/svcca sums singular values without squaring, which keeps more.) It is
    invariant to translations, rotations and isotropic scaling of a layer.

    Args:
        explained_variance: Share of the variance of each layer to keep.

    Returns:
        The score. On the held-out half, the directions kept are those of the other half too.

    Raises:
        InputError: If there are fewer than two samples, or no part of the variance is kept.
    """
    if not isinstance(explained_variance, Real) or not 0 < explained_variance <= 1:
        raise InputError(
            f"explained_variance must be above 0 and at most 1, not {explained_variance!r}."
        )
    a, b, products = prepared(a, b, products)
    bases = a.whole.principal(explained_variance), b.whole.principal(explained_variance)
    correlations = canonical_correlations(*bases, joined(a, b, products))
    fitted = (one.first_half.principal(explained_variance) for one in (a, b))
    held_out = held_out_correlations(a, b, tuple(fitted), products)
    null = null_mean_correlation(
        bases[0].rank, bases[1].rank, len(a.values), complex_valued=a.values.is_complex()
    )
    mean = correlations.mean().item()
    return score(a, b, mean, null, held_out.mean().item(), len(correlations))
