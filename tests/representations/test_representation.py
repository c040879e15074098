"""What every comparison of a layer needs is computed once."""

import pytest
import torch

from generalization.representations.representation import represented

GENERATOR = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
@pytest.mark.parametrize("units", [1, 128, 300])
def test_gram_matrices_are_those_of_both_centered_halves(units, dtype):
    layer = 3 + torch.randn(41, units, generator=GENERATOR, dtype=dtype)
    wide = torch.complex128 if dtype.is_complex else torch.float64
    for gram, half in zip(represented(layer).grams, (layer[0::2], layer[1::2]), strict=True):
        centered = half.to(wide) - half.to(wide).mean(0)
        torch.testing.assert_close(gram, centered.mH @ centered, rtol=1e-12, atol=1e-12)
