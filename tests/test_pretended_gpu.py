"""The pretended GPU refuses what a GPU refuses, and nothing else."""

import numpy as np
import pytest
import torch
from oracles.pretended_gpu import GPU, pretended_gpu


@pytest.fixture
def gpu():
    with pretended_gpu(memory=2**12) as gpu:
        yield gpu


@pytest.mark.parametrize(
    "refused",
    [
        lambda a: a @ torch.ones(4, 5),
        lambda a: torch.cat((a, torch.ones(3, 4))),
        lambda a: a.index_select(0, torch.tensor([0])),
        lambda a: torch.ones(3)[torch.zeros(1, dtype=torch.long, device=GPU)],
        lambda a: torch.ones(3, 4).copy_(a).add_(a),
        lambda a: a.numpy(),
        lambda a: np.asarray(a),
        lambda a: torch.randn(3, device=GPU, generator=torch.Generator()),
        lambda a: a.normal_(generator=torch.Generator()),
        lambda a: torch.histogram(a, 3),
        lambda a: torch.empty(2**12, device=GPU),
    ],
)
def test_what_a_gpu_refuses_is_refused(gpu, refused):
    with pytest.raises((RuntimeError, TypeError, NotImplementedError)):
        refused(torch.ones(3, 4, device=GPU))


def test_what_a_gpu_allows_is_computed_there(gpu):
    a = torch.ones(3, 4, device="cuda")
    found = [a + torch.tensor(2.0), a.mT @ a, a[torch.tensor([0])], a.new_zeros(2), a.to(a.dtype)]
    found += [torch.where(a > 0, a, torch.tensor(0.0)), torch.func.grad(torch.sum)(a)]
    found += [torch.vmap(torch.sum)(a), torch.tensor([1.0], device=a.device), torch.zeros_like(a)]
    assert all(one.device == GPU and one.is_cuda for one in found)
    assert not (a.cpu().is_cuda or torch.ones(3).is_cuda or torch.randn(2).is_cuda)
    assert a.sum().item() == 12 and a.tolist() == [[1.0] * 4] * 3


def test_memory_is_that_of_what_is_alive(gpu):
    a = torch.ones(100, device=GPU)
    assert gpu.used() == 400
    b = a[:50] + 1
    assert gpu.used() == gpu.peak == 600
    del a, b
    assert gpu.used() == 0 and gpu.peak == 600
