import os
import re
import subprocess
import sys
import warnings

import pytest
import torch

from generalization.devices import (
    BUDGETS,
    Budget,
    chosen_device,
    halving_memory,
    has_kernels,
    items_at_once,
    prepare_device,
    usable_memory,
)
from generalization.errors import InputError

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


@pytest.fixture
def one_gpu(monkeypatch):
    """Let torch say that there is a GPU, and what a test changes of it."""

    def described(**about):
        plain = {
            "is_available": True,
            "device_count": 1,
            "get_device_name": "NVIDIA A100",
            "get_device_capability": (8, 0),
            "get_arch_list": ["sm_75", "sm_80", "sm_90a", "compute_120"],
        }
        for name, value in (plain | about).items():
            monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
        monkeypatch.setattr(torch, "__version__", "2.13.0+cu130")
        monkeypatch.setattr(torch.version, "cuda", "13.0")
        monkeypatch.setattr("generalization.devices.driver_version", lambda: "580.65")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return described


@pytest.mark.parametrize(
    ("capability", "runs"),
    [
        *(((7, 0), False), ((7, 5), True), ((8, 6), True), ((8, 9), True), ((9, 0), True)),
        *(((9, 1), False), ((10, 0), False), ((12, 0), True), ((12, 1), True)),
    ],
)
def test_kernels_run_on_gpus_of_their_capability(capability, runs):
    assert has_kernels(capability, ["sm_75", "sm_80", "sm_90a", "compute_120", "odd"]) == runs


def test_a_gpu_that_can_be_used_is_chosen_and_told(one_gpu):
    one_gpu()
    device, why = chosen_device("auto")
    assert device == torch.device("cuda:0")
    assert why == "NVIDIA A100 with driver 580.65, the GPU that is there"
    assert chosen_device("cuda")[1] == "NVIDIA A100 with driver 580.65, as asked for"
    one_gpu(device_count=2)
    assert chosen_device("cuda:1")[0] == torch.device("cuda:1")
    assert chosen_device("cpu")[1].startswith("cpu (")


@pytest.mark.parametrize(
    ("about", "obstacle"),
    [
        (
            {"get_device_capability": (6, 1), "get_device_name": "GTX 1080"},
            "torch 2.13.0+cu130 has kernels for sm_75, sm_80, sm_90a, compute_120, but none for "
            "the capability 6.1 of GTX 1080",
        ),
        ({"is_available": False}, "torch finds no GPU"),
    ],
)
def test_auto_tells_why_it_takes_the_cpu(one_gpu, about, obstacle):
    one_gpu(**about)
    device, why = chosen_device("auto")
    assert device == CPU
    assert re.match(rf"cpu \(\w+\), since {re.escape(obstacle)}( \(a GPU is there|$)", why)
    sentence = f"device must be cpu or auto where {obstacle}, not 'cuda'."
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        chosen_device("cuda")


def test_an_old_driver_and_hidden_gpus_are_told(one_gpu, monkeypatch):
    def warn():
        warnings.warn("The NVIDIA driver on your system is too old (found 11040).", stacklevel=1)
        return False

    one_gpu()
    monkeypatch.setattr(torch.cuda, "is_available", warn)
    obstacle = "the driver is too old for CUDA 13.0 of torch 2.13.0+cu130"
    assert obstacle in chosen_device("auto")[1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "since CUDA_VISIBLE_DEVICES hides all GPUs" in chosen_device("auto")[1]
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "since torch 2.13.0+cu130 is built without support of GPUs" in chosen_device("auto")[1]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cuda:1", "device must be cpu or auto where the last GPU is cuda:0, not 'cuda:1'."),
        ("gpu", "device must be auto, cpu, cuda or cuda:<number>, not 'gpu'."),
        ("cpu:0", "device must be auto, cpu, cuda or cuda:<number>, not 'cpu:0'."),
        ("cuda:x", "device must be auto, cpu, cuda or cuda:<number>, not 'cuda:x'."),
        (
            "mps",
            "device must be auto, cpu or cuda, not 'mps', which has no double precision; measures "
            "need it.",
        ),
    ],
)
def test_other_devices_are_refused_in_a_sentence(one_gpu, name, sentence):
    one_gpu()
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        chosen_device(name)


def test_a_gpu_gives_the_same_bits_at_every_run(one_gpu, monkeypatch, caplog):
    one_gpu()
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    threads = torch.get_num_threads()
    try:
        with caplog.at_level("INFO"):
            assert prepare_device("auto", 1) == torch.device("cuda:0")
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark
        assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False
        torch.set_num_threads(threads)
    assert caplog.messages == [
        "Computing on NVIDIA A100 with driver 580.65, the GPU that is there."
    ]


def test_out_of_memory_is_caught_once(caplog):
    seen = []

    def compute(fails):
        seen.append(usable_memory(GPU))
        if len(seen) <= fails:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. And so on.")
        return "found"

    assert halving_memory("measure one", lambda: compute(1)) == "found"
    assert seen == [2**62, 2**61] and usable_memory(GPU) == 2**62
    assert caplog.messages == [
        "measure one needs more memory than the GPU has; it goes on in half of it. CUDA out of "
        "memory."
    ]
    seen.clear()
    sentence = (
        "measure one must fit the memory of the GPU, or half of it, but does not (CUDA out of "
        "memory.); device: cpu would do."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        halving_memory("measure one", lambda: compute(2))
