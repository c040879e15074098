import subprocess
import sys

import pytest
import torch

from generalization.devices import BUDGETS, Budget, items_at_once

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("size", "cpu", "gpu"), [(1, 10, 100), (3, 3, 33), (10, 1, 10), (11, 1, 9), (0, 10, 100)]
)
def test_as_many_items_as_fit_and_at_least_one(monkeypatch, size, cpu, gpu):
    monkeypatch.setitem(BUDGETS, "items", Budget(cpu=10, gpu=100))
    assert items_at_once("items", size, CPU) == cpu
    assert items_at_once("items", size, GPU) == gpu


@pytest.mark.parametrize("name", BUDGETS)
def test_no_gpu_has_less_than_a_cpu(name):
    assert 0 < BUDGETS[name].cpu <= BUDGETS[name].gpu


def test_budgets_are_read_without_torch():
    code = "import sys, generalization.datasets.normalization; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
