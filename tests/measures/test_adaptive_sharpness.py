import math

import pytest
from oracles.flat_networks import linear, one_point

from generalization.measures.adaptive_sharpness import adaptive_sharpness


@pytest.mark.parametrize("radius", [0.1, 0.4])
def test_adaptive_sharpness_of_one_point(radius):
    # The margin w − v falls by ρ √(w² + v²) at worst.
    inputs, labels = one_point(3)
    value = adaptive_sharpness(linear((2.0, 1.0)), inputs, labels, radius=radius).item()
    loss = [math.log1p(math.exp(-margin)) for margin in (1, 1 - radius * 5**0.5)]
    assert value == pytest.approx(loss[1] - loss[0], rel=1e-9)
