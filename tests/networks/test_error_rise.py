import re

import pytest
import torch
from oracles.flat_networks import seeded
from torch.testing import assert_close

from generalization.errors import NoValue
from generalization.networks.error_rise import level_of_rise


def test_level_at_which_a_quadratic_rise_reaches_its_threshold():
    # E ½ uᵀ H u = ½ σ² tr H is 0.1 at σ² = 0.2 / tr H.
    traces = torch.tensor([1e-3, 1.0, 400.0]).double()
    noises = torch.randn(3000, 3, generator=seeded(), dtype=torch.float64)
    scaled = noises / noises.square().mean(0).sqrt()

    def rise(levels):
        return (levels * scaled).square() * traces / 2

    found = level_of_rise(rise, 3)
    assert_close(found.level, (0.2 / traces).sqrt(), rtol=1e-4, atol=0)
    expected = found.level / 2 * scaled.square().std(0) / 3000**0.5
    assert_close(found.standard_error, expected, rtol=0.02, atol=0)


def test_level_beyond_the_limits_has_no_value_and_is_told():
    slopes = torch.tensor([0.0, 1.0, 1e9]).double()
    sentence = "the training error rises by 0.1 at no level from 9.5e-07 to 1024"
    with pytest.warns(NoValue, match=f"^{re.escape(sentence)}$") as told:
        found = level_of_rise(lambda levels: (levels * slopes).unsqueeze(0), 3)
    assert told[0].message.networks == [True, False, True]
    assert found.exists.tolist() == [False, True, False]
    assert found.level[[0, 2]].isnan().all()
    assert found.level[1].item() == pytest.approx(0.1, rel=1e-4)
