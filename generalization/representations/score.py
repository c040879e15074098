"""Score of a similarity: its value with chance level, held-out value and status."""

from __future__ import annotations

import math
from dataclasses import dataclass

from generalization.representations.representation import Representation

FEWEST_SAMPLES_PER_UNIT = 5


@dataclass(frozen=True)
class Score:
    """Similarity of two layers.

    Attributes:
        value: Similarity from 0 to 1, 1 = same; debiased ones may be negative.
        null: Chance level, the expected value for independent layers. For feature maps, since
            pixels of one image are dependent, it is the mean over some exchanges of images.
        samples: Number of datapoints.
        units_a: Number of units of layer a.
        units_b: Number of units of layer b.
        held_out: Mean correlation on half of the samples along directions fitted on the other
            half; NaN where no directions are fitted.
        directions: Number of pairs of directions that the value is a mean over.
        norms: Norms relative to which the value is an inner product, by which the values of
            frequencies are combined, see ``compared_layers``.
        status: ``ok``; or ``few_samples`` for fewer than five images per unit of the wider layer,
            where much of the value may be chance. Without a value: ``constant`` if a layer is
            constant over samples, ``not_finite`` if it has activations that are not finite,
            ``sizes_differ`` if feature maps differ in the number of pixels.
    """

    value: float
    null: float
    samples: int
    units_a: int
    units_b: int
    held_out: float
    directions: int
    norms: tuple[float, float]
    status: str


def score(
    a: Representation,
    b: Representation,
    value: float,
    null: float,
    held_out: float = math.nan,
    directions: int = 1,
    norms: tuple[float, float] | None = None,
) -> Score:
    """Return the score of a pair of layers; the norms of a mean over directions are √directions."""
    norms = norms or (math.sqrt(directions), math.sqrt(directions))
    samples = len(a.values)
    if not (a.finite and b.finite):
        status = "not_finite"
    elif is_constant(a, b):
        status = "constant"
    else:
        enough = samples // a.positions >= FEWEST_SAMPLES_PER_UNIT * max(a.units, b.units)
        status = "ok" if enough else "few_samples"
    if is_constant(a, b):
        value, null, held_out = math.nan, math.nan, math.nan
    units = a.units, b.units
    return Score(value, null, samples, *units, held_out, directions, norms, status)


def is_constant(a: Representation, b: Representation) -> bool:
    """Return whether all units of one of two layers are constant."""
    return 0 in (a.values.shape[1], b.values.shape[1])
