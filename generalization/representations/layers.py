"""Comparison of all layers of one network with all layers of another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from generalization.representations.convolutions import layer_matrices
from generalization.representations.products import Products, cross_products
from generalization.representations.representation import Representation, represented_halves
from generalization.representations.score import Score

Layer = list[Representation]
EXCHANGES = 4  # Number of exchanges of images, whose mean is the chance level of feature maps.


def represented_layer(
    activations: Tensor, convolution: str = "channels", size: Sequence[int] = (1, 1)
) -> Layer:
    """Compute the representations of a layer, once for all comparisons.

    Args:
        activations: Samples × units, or samples × channels × height × width. Samples of even and
            odd index form the two halves.
        convolution: Layout of feature maps, see ``layer_matrices``.

    Returns:
        One representation, or one per frequency.
    """
    halves = (layer_matrices(activations[start::2], convolution, size) for start in (0, 1))
    return [
        represented_halves(first.flatten(0, 1), second.flatten(0, 1), first.shape[1])
        for first, second in zip(*halves, strict=True)
    ]


def compared_layers(
    similarity: Callable[..., Score],
    layers_a: Sequence[Layer],
    layers_b: Sequence[Layer],
    *,
    asymmetric: bool = False,
    **settings: Any,
) -> Iterator[tuple[int, int, Score, Score]]:
    """Compare every layer of one network with every layer of another.

    The values v_f of frequencies are combined to Σ_f v_f k_f l_f / √(Σ_f k_f² Σ_f l_f²) with the
    norms k and l of their scores. This is the mean over all canonical correlations, weighted for
    PWCCA, and the centered kernel alignment of layers whose frequencies are uncorrelated.

    Args:
        layers_a: Layers of one network.
        layers_b: Layers of another network on the same samples.
        settings: Settings of the similarity.

    Yields:
        Indices of the two layers, the score of a and b, and that of b and a.
    """
    by_size_a, by_size_b = _by_size(layers_a), _by_size(layers_b)
    for size_a, indices_a in by_size_a.items():
        for size_b, indices_b in by_size_b.items():
            chosen_a, chosen_b = [layers_a[i] for i in indices_a], [layers_b[j] for j in indices_b]
            products = _products(chosen_a, chosen_b) if size_a == size_b else None
            exchanged = _exchanged_products(chosen_a, chosen_b) if size_a == size_b else []
            for row, i in enumerate(indices_a):
                for column, j in enumerate(indices_b):
                    a, b = layers_a[i], layers_b[j]
                    if products is None:
                        yield i, j, _incomparable_score(a, b), _incomparable_score(b, a)
                        continue
                    shared = [one[row][column] for one in products]
                    scores = _both_orders(similarity, a, b, shared, asymmetric, settings)
                    nulls = [
                        _both_orders(similarity, a, b, [one[row][column]], asymmetric, settings)
                        for one in exchanged
                    ]
                    yield i, j, *(_with_null(*one) for one in zip(scores, *nulls, strict=True))


def _by_size(layers: Sequence[Layer]) -> dict[tuple[int, tuple[int, int]], list[int]]:
    """Group the indices of layers by the number of frequencies and datapoints."""
    indices: dict[tuple[int, tuple[int, int]], list[int]] = {}
    for index, layer in enumerate(layers):
        indices.setdefault((len(layer), layer[0].sizes), []).append(index)
    return indices


def _products(layers_a: Sequence[Layer], layers_b: Sequence[Layer]) -> list[list[list[Products]]]:
    """Compute products: frequency → layer a → layer b → products."""
    return [
        cross_products(one_a, one_b)
        for one_a, one_b in zip(
            zip(*layers_a, strict=True), zip(*layers_b, strict=True), strict=True
        )
    ]


def _exchanged_products(
    layers_a: Sequence[Layer], layers_b: Sequence[Layer]
) -> list[list[list[Products]]]:
    """Compute exchange → layer a → layer b → products; no exchanges unless for feature maps."""
    first = layers_a[0][0]
    if first.positions == 1 or min(first.sizes) // first.positions <= EXCHANGES:
        return []
    one_a, one_b = ([layer[0] for layer in layers] for layers in (layers_a, layers_b))
    return [
        cross_products(one_a, one_b, shift / (EXCHANGES + 1)) for shift in range(1, EXCHANGES + 1)
    ]


def _with_null(score: Score, *exchanged: Score) -> Score:
    """Set the chance level of a score to its mean value after exchanges, if there are any."""
    if not exchanged:
        return score
    return replace(score, null=float(np.mean([one.value for one in exchanged])))


def _both_orders(
    similarity: Callable[..., Score],
    a: Layer,
    b: Layer,
    shared: Sequence[Products],
    asymmetric: bool,
    settings: dict[str, Any],
) -> tuple[Score, Score]:
    forward = _joined_score([
        similarity(one, other, products=products, **settings)
        for one, other, products in zip(a, b, shared, strict=True)
    ])
    if not asymmetric:
        return forward, _exchanged(forward)
    return forward, _joined_score([
        similarity(other, one, products=tuple(half.mH for half in products), **settings)
        for one, other, products in zip(a, b, shared, strict=True)
    ])


def _joined_score(scores: Sequence[Score]) -> Score:
    """Combine the scores of non-constant frequencies, see ``compared_layers``."""
    first = scores[0]
    defined = [score for score in scores if not math.isnan(score.value)]
    if len(defined) < 2:
        return defined[0] if defined else first
    norms = np.array([score.norms for score in defined])
    whole = np.sqrt(np.square(norms).sum(0))
    joined = {
        key: float(norms.prod(1) @ [getattr(score, key) for score in defined] / whole.prod())
        for key in ("value", "null", "held_out")
    }
    return Score(
        **joined,
        samples=first.samples,
        units_a=first.units_a,
        units_b=first.units_b,
        directions=sum(score.directions for score in defined),
        norms=tuple(whole),
        status=defined[0].status,
    )


def _exchanged(score: Score) -> Score:
    return replace(score, units_a=score.units_b, units_b=score.units_a)


def _incomparable_score(a: Layer, b: Layer) -> Score:
    about = {"units_a": a[0].units, "units_b": b[0].units, "held_out": math.nan}
    about |= {"directions": 0, "norms": (0.0, 0.0), "status": "sizes_differ"}
    nothing = Score(math.nan, math.nan, 0, **about)
    return replace(nothing, samples=min(len(a[0].values), len(b[0].values)))
