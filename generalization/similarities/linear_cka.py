"""Linear centered kernel alignment of two layers."""

import math

from jaxtyping import Inexact
from torch import Tensor

from generalization.refusals import refuses_by_name
from generalization.representations.products import Products, prepared
from generalization.representations.representation import Representation, Values, joined
from generalization.representations.score import Score, is_constant, score


@refuses_by_name
def linear_cka(
    a: Values | Representation,
    b: Values | Representation,
    *,
    debiased: bool = False,
    products: Products | None = None,
) -> Score:
    """Return ⟨K, L⟩ / (‖K‖ ‖L‖) of the centered linear kernels of layers (Kornblith et al. 2019).

    K = X Xᴴ and L = Y Yᴴ are never formed, since ⟨K, L⟩ = ‖Xᴴ Y‖_F². It is invariant to
    translations, rotations and isotropic scaling of a layer.

    Args:
        debiased: Whether the three products are estimated without bias (Song et al. 2012, Eq. 5),
            such that independent layers have mean 0; values may then be negative.

    Returns:
        The score. Its null level is the mean over all permutations of the datapoints of one layer:
        tr K tr L / ((N − 1) ‖K‖ ‖L‖), and 0 if debiased. No directions are fitted, so there is no
        held-out value.

    Example:
        >>> import numpy as np
        >>> one = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> round(linear_cka(one, one[:, :1]).value, 4)
        0.7071
    """
    a, b, products = prepared(a, b, products)
    if is_constant(a, b):
        return score(a, b, math.nan, math.nan)
    inner = _squared_norm(_unit_products(a, joined(a, b, products), b))
    squares = [_squared_norm(one.whole.unit_gram) for one in (a, b)]
    if debiased:
        inner = _unbiased(inner, a, b)
        squares = [_unbiased(one, layer, layer) for one, layer in zip(squares, (a, b), strict=True)]
        if min(squares) <= 0:
            return score(a, b, math.nan, 0.0)
    norms = math.sqrt(squares[0]), math.sqrt(squares[1])
    value = inner / math.prod(norms)
    if debiased:
        return score(a, b, value, 0.0, norms=norms)
    traces = a.lengths.sum().item() * b.lengths.sum().item()
    null = traces / ((len(a.values) - 1) * math.prod(norms))
    return score(a, b, value, null, norms=norms)


def _unit_products(
    a: Representation, product: Inexact[Tensor, "coordinates_a coordinates_b"], b: Representation
) -> Inexact[Tensor, "units_a units_b"]:
    """Return Xᴴ Y of units from that of coordinates."""
    product = product if a.mixing is None else a.mixing.mH @ product
    return product if b.mixing is None else product @ b.mixing


def _squared_norm(product: Tensor) -> float:
    return product.abs().square().sum().item()


def _unbiased(inner: float, a: Representation, b: Representation) -> float:
    """Return N (N − 3) times the unbiased estimate of ⟨K, L⟩ / N².

    With K̃ and L̃ the kernels without their diagonals k and l, it is
    tr K̃L̃ + 1ᵀK̃1 1ᵀL̃1 / ((N − 1)(N − 2)) − 2 · 1ᵀK̃L̃1 / (N − 2). The rows of K and L sum to 0, so
    that K̃1 = −k.
    """
    n = len(a.values)
    if n < 4:
        return math.nan
    diagonal = (a.lengths @ b.lengths).item()
    sums = a.lengths.sum().item() * b.lengths.sum().item()
    return inner - diagonal + sums / ((n - 1) * (n - 2)) - 2 * diagonal / (n - 2)
