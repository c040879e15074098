"""All layers of one network compared with all layers of another."""

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
EXCHANGES = 4  # Of images, of which the mean is what feature maps have by chance.


def represented_layer(
    activations: Tensor, convolution: str = "channels", size: Sequence[int] = (1, 1)
) -> Layer:
    """A layer as representations, made once for all comparisons.

    Args:
        activations: Samples × units, or samples × channels × height × width. Samples of even and
            odd position are the two halves.
        convolution: How feature maps become matrices, see ``layer_matrices``.

    Returns:
        One, or as many as frequencies.
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
    """Every layer of one network compared with every layer of another.

    Values v_f of frequencies are joined to Σ_f v_f k_f l_f / √(Σ_f k_f² Σ_f l_f²) with the norms k
    and l of their scores: the mean over all canonical correlations, by their weights of PWCCA, and
    the centered kernel alignment of layers of which different frequencies are uncorrelated.

    Args:
        layers_a: Of one network.
        layers_b: Of another, of the same samples.
        settings: Of the similarity.

    Yields:
        Positions of the two layers, the score of a and b, and that of b and a.
    """
    of_size_a, of_size_b = _by_size(layers_a), _by_size(layers_b)
    for size_a, places_a in of_size_a.items():
        for size_b, places_b in of_size_b.items():
            chosen_a, chosen_b = [layers_a[i] for i in places_a], [layers_b[j] for j in places_b]
            products = _products(chosen_a, chosen_b) if size_a == size_b else None
            exchanged = _exchanged_products(chosen_a, chosen_b) if size_a == size_b else []
            for row, i in enumerate(places_a):
                for column, j in enumerate(places_b):
                    a, b = layers_a[i], layers_b[j]
                    if products is None:
                        yield i, j, _of_different_sizes(a, b), _of_different_sizes(b, a)
                        continue
                    shared = [one[row][column] for one in products]
                    scores = _both_orders(similarity, a, b, shared, asymmetric, settings)
                    nulls = [
                        _both_orders(similarity, a, b, [one[row][column]], asymmetric, settings)
                        for one in exchanged
                    ]
                    yield i, j, *(_with_null(*one) for one in zip(scores, *nulls, strict=True))


def _by_size(layers: Sequence[Layer]) -> dict[tuple[int, tuple[int, int]], list[int]]:
    """Positions of layers of as many frequencies and datapoints."""
    places: dict[tuple[int, tuple[int, int]], list[int]] = {}
    for place, layer in enumerate(layers):
        places.setdefault((len(layer), layer[0].sizes), []).append(place)
    return places


def _products(layers_a: Sequence[Layer], layers_b: Sequence[Layer]) -> list[list[list[Products]]]:
    """Frequency → layer a → layer b → products."""
    return [
        cross_products(one_a, one_b)
        for one_a, one_b in zip(
            zip(*layers_a, strict=True), zip(*layers_b, strict=True), strict=True
        )
    ]


def _exchanged_products(
    layers_a: Sequence[Layer], layers_b: Sequence[Layer]
) -> list[list[list[Products]]]:
    """Exchange → layer a → layer b → products, of feature maps; of others there are none."""
    first = layers_a[0][0]
    if first.positions == 1 or min(first.sizes) // first.positions <= EXCHANGES:
        return []
    one_a, one_b = ([layer[0] for layer in layers] for layers in (layers_a, layers_b))
    return [
        cross_products(one_a, one_b, place / (EXCHANGES + 1)) for place in range(1, EXCHANGES + 1)
    ]


def _with_null(score: Score, *exchanged: Score) -> Score:
    """The score with the mean of its values after exchanges, if there are any."""
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
    """Join the scores of frequencies that vary, see ``compared_layers``."""
    first = scores[0]
    there = [score for score in scores if not math.isnan(score.value)]
    if len(there) < 2:
        return there[0] if there else first
    norms = np.array([score.norms for score in there])
    whole = np.sqrt(np.square(norms).sum(0))
    joined = {
        key: float(norms.prod(1) @ [getattr(score, key) for score in there] / whole.prod())
        for key in ("value", "null", "held_out")
    }
    return Score(
        **joined,
        samples=first.samples,
        units_a=first.units_a,
        units_b=first.units_b,
        directions=sum(score.directions for score in there),
        norms=tuple(whole),
        status=there[0].status,
    )


def _exchanged(score: Score) -> Score:
    return replace(score, units_a=score.units_b, units_b=score.units_a)


def _of_different_sizes(a: Layer, b: Layer) -> Score:
    about = {"units_a": a[0].units, "units_b": b[0].units, "held_out": math.nan}
    about |= {"directions": 0, "norms": (0.0, 0.0), "status": "sizes_differ"}
    nothing = Score(math.nan, math.nan, 0, **about)
    return replace(nothing, samples=min(len(a[0].values), len(b[0].values)))
