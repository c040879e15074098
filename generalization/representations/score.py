"""A similarity of two layers, with what tells whether it means something."""

from __future__ import annotations

import math
from dataclasses import dataclass

from generalization.representations.representation import Representation

FEWEST_SAMPLES_PER_UNIT = 5


@dataclass(frozen=True)
class Score:
    """Similarity of two layers.

    Attributes:
        value: From 0 to 1, 1 = same; a debiased one may be below 0.
        null: What it would be if the layers were independent. Pixels of one image are not: of
            feature maps it is the mean over some exchanges of images.
        samples: Datapoints.
        units_a: Units of the one layer.
        units_b: Units of the other.
        held_out: Mean correlation on half of the samples along directions fitted on the other
            half; NaN where no directions are fitted.
        directions: Pairs of directions that the value is a mean over.
        norms: Norms relative to which the value is an inner product: by them values of frequencies
            are joined, see ``compared_layers``.
        status: ``ok``; ``few_samples``, fewer than five per unit of the wider layer, so that much
            of the value may be chance; images count, not pixels. Where there is no value:
            ``constant``, a layer says the same of all samples; ``not_finite``, it does not say
            numbers; ``sizes_differ``, feature maps have not as many pixels.
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
    """The score of a pair of layers; a mean over directions has the norms √directions."""
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
    """Return whether one of two layers has no unit that varies."""
    return 0 in (a.values.shape[1], b.values.shape[1])
