"""L-BFGS takes memory for a block of samples, however many there are and however many layers."""

import pytest
import torch
from oracles.blobs import blobs
from oracles.pretended_gpu import pretended_gpu

from generalization.devices import BUDGETS
from generalization.hyperparameters import Hyperparameters
from generalization.training import train_ensemble

MEMORY = 2**22  # Bytes of the GPU that may be used.
SAMPLES, WIDTH = 16_384, 64
CHOSEN = {"dataset": "blobs", "optimizer": "lbfgs", "width": WIDTH, "max_steps": 1}


def peak(samples, depth):
    """The most bytes that training takes on the GPU, beside the data."""
    data = blobs(train=samples, noise=3.0)
    hyperparameters = Hyperparameters(**CHOSEN, depth=depth, kept_steps=())
    with pretended_gpu() as gpu:
        train_ensemble(data, hyperparameters, (1,), device="cuda")
    return gpu.peak - sum(one.nbytes for one in vars(data).values() if torch.is_tensor(one))


@pytest.mark.parametrize("depth", [3, 8])
def test_memory_is_that_of_a_block_of_samples(depth, monkeypatch):
    monkeypatch.setenv("GENERALIZATION_GPU_GB", str(MEMORY / 1e9))
    budget = BUDGETS["activations"]
    allowed = budget.peak * min(budget.gpu, MEMORY // budget.peak)
    of_all_samples = 4 * SAMPLES * WIDTH * (depth - 1)
    assert peak(SAMPLES, depth) - peak(16, depth) < allowed < of_all_samples
