"""What tests of modules share."""

import pytest
import torch


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(12, 4, generator=generator), torch.arange(12) % 3
