"""Products of all layers of two networks, in one matrix product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from generalization.errors import InputError
from generalization.representations.representation import Representation, Values, represented

Products = tuple[Tensor, Tensor]


def cross_products(
    layers_a: Sequence[Representation], layers_b: Sequence[Representation], exchange: float = 0.0
) -> list[list[Products]]:
    """Return AᴴB of the centered coordinates for all pairs of layers of two networks.

    Args:
        layers_a: Layers of one network with equally many datapoints.
        layers_b: Layers of another network with as many datapoints.
        exchange: Fraction of samples by which those of ``layers_b`` are shifted cyclically within
            each half, so that samples do not correspond.

    Returns:
        For every layer a, for every layer b: the product over each half of the datapoints.
    """
    halves = [_blocks(layers_a, layers_b, half, exchange) for half in (0, 1)]
    return [list(zip(*rows, strict=True)) for rows in zip(*halves, strict=True)]


def prepared(
    a: Values | Representation, b: Values | Representation, products: Products | None
) -> tuple[Representation, Representation, Products]:
    """Return two layers and their products, computed unless given.

    Raises:
        InputError: If they do not have the same number of datapoints, at least two.
    """
    a, b = represented(a), represented(b)
    if a.sizes != b.sizes:
        raise InputError(
            f"activations must be of the same samples, not of {len(a.values)} and {len(b.values)}."
        )
    if len(a.values) < 2:
        raise InputError(f"activations must be of at least 2 samples, not {len(a.values)}.")
    return a, b, products or cross_products([a], [b])[0][0]


def _blocks(
    layers_a: Sequence[Representation],
    layers_b: Sequence[Representation],
    half: int,
    exchange: float,
) -> Iterator[tuple[Tensor, ...]]:
    widths_a, widths_b = (
        [layer.values.shape[1] for layer in layers] for layers in (layers_a, layers_b)
    )
    joined_a, joined_b = (_side_by_side(layers, half) for layers in (layers_a, layers_b))
    if exchange:
        positions = layers_b[0].positions
        joined_b = joined_b.roll(round(exchange * len(joined_b) / positions) * positions, 0)
    product = joined_a.mH @ joined_b
    for rows in product.split(widths_a):
        yield rows.split(widths_b, 1)


def _side_by_side(layers: Sequence[Representation], half: int) -> Tensor:
    """Concatenate the centered coordinates of one half of all layers."""
    widths = [layer.values.shape[1] for layer in layers]
    first = layers[0].means[half]
    joined = first.new_empty(layers[0].sizes[half], sum(widths))
    for layer, columns in zip(layers, joined.split(widths, 1), strict=True):
        layer.half(half, out=columns)
    return joined
