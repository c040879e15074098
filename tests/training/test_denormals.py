import pytest
import torch

from generalization.training.denormals import are_denormals_flushed, denormals_flushed


@pytest.mark.parametrize("before", [False, True])
def test_denormals_are_flushed_inside_only(before):
    if not torch.set_flush_denormal(before):
        pytest.skip("this CPU cannot flush denormal numbers")
    try:
        with pytest.raises(KeyboardInterrupt), denormals_flushed():
            momentum = torch.full((1000,), 1e-30)
            for _ in range(1000):
                momentum.mul_(0.9)
            assert (momentum == 0).all()
            raise KeyboardInterrupt
        assert are_denormals_flushed() == before
    finally:
        torch.set_flush_denormal(False)


def test_without_it_momentum_never_ends():
    momentum = torch.full((1000,), 1e-30)
    for _ in range(1000):
        momentum.mul_(0.9)
    assert (momentum > 0).all()
