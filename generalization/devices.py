"""Devices and memory budgets.

All memory budgets of the package are defined here; they change results only by rounding. torch is
imported only where a device is chosen.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from generalization.errors import InputError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# Gigabytes of a GPU that a process may use; all that are free if it is not set.
MEMORY_SETTING = "GENERALIZATION_GPU_GB"


class Budget(NamedTuple):
    """Amount of data to process at a time on a CPU and on a GPU.

    Attributes:
        cpu: Amount on a CPU.
        gpu: Amount on a GPU, if its memory allows.
        peak: Bytes of GPU memory that are taken at most per unit of the budget.
    """

    cpu: int
    gpu: int
    peak: int = 16

    def on(self, device: torch.device) -> int:
        """Return the budget of a device."""
        if device.type == "cpu":
            return self.cpu
        return max(1, min(self.gpu >> _halvings.get(), usable_memory(device) // self.peak))


# On a CPU the data should fit in its cache; a GPU needs large products to be fully used.
BUDGETS = {
    # Bytes: weights, gradients and the activations of a batch, of the networks of one stack. The
    # best stacks of six shapes from 64-50-10 to 784-200-200-200-10 took 1.5 to 4.5 MiB. A GPU takes
    # all networks, because launching a kernel costs more there than a product does.
    "training": Budget(2**22, 2**62),
    # Bytes: rows backpropagated from the logits, for some samples and then for some networks.
    "input_jacobian": Budget(2**21, 2**27),
    # Bytes: Jacobians of hidden layers for some samples, if all units were active. The fewer the
    # samples, the less padding for inactive units.
    "hidden_jacobians": Budget(2**21, 2**28),
    # Bytes: Jacobians of preactivations for some samples.
    "preactivation_jacobians": Budget(2**22, 2**28),
    # Bytes: tangents of the layers of a module, for some samples and directions.
    "layer_changes": Budget(2**23, 2**28),
    # Bytes: rows of cotangents in one product, over samples first and then over networks.
    "cotangents": Budget(2**21, 2**28),
    # Bytes: gradients of all logits of a module by all parameters, per sample.
    "logit_gradients": Budget(2**27, 2**27),
    # Bytes: per-sample gradients by all parameters of a module.
    "parameter_gradients": Budget(2**26, 2**26),
    # Bytes: some columns of the Jacobians of all samples.
    "jacobian_columns": Budget(2**26, 2**26),
    # Numbers of any precision: operands of one elementwise operation.
    # Breakpoints of deep networks take up to 150 bytes each: the deeper, the more there are.
    "operation": Budget(2**18, 2**26, 256),
    # Numbers: activations of one layer; 4 MiB and 1 GiB in float32.
    "activations": Budget(2**20, 2**28),
    # Numbers: the widest layer at all vertices of some closed polygons, or that of a module with
    # its Jacobian at some points.
    "polygons": Budget(2**21, 2**29, 128),
    # Numbers: float64 logits of some networks for all inputs.
    "logits": Budget(2**24, 2**24),
    # Numbers: Gram matrices of some networks over samples; 128 MiB in float64.
    "grams": Budget(2**24, 2**24),
    # Numbers: points on the loops of some images; 128 MiB in float32.
    "loop_points": Budget(2**25, 2**25),
}

# Numbers of samples at a time, independent of their size.
SAMPLES_PER_CHUNK = 1024  # Keeps the activations of a whole training set out of memory.
SAMPLES_PER_BACKWARD = 512  # Activations of these keep their graph.
SLOPES_PER_CHUNK = 2048  # Keeps the slopes of a whole test set out of memory.
MODULE_SAMPLES = 256  # Samples in the graph of a module, for one backward pass per logit.
DIRECTIONS_PER_CHUNK = 128  # Input directions in one forward-mode derivative of a module.
IMAGES_PER_CHUNK = 1000  # Images normalized together in float64.


# Share of the free memory that the activations of one batch of a user's network may take.
SHARE_OF_MEMORY = 0.25

# Numbers in double precision, 32 MB: random draws that a statistic holds at a time.
BLOCK_NUMBERS = 4_000_000

_most_samples: ContextVar[int | None] = ContextVar("most_samples", default=None)
_halvings: ContextVar[int] = ContextVar("halvings", default=0)


@contextmanager
def at_most(samples: int) -> Iterator[None]:
    """Work on at most so many samples at a time, as for large networks that are not of a study.

    Raises:
        InputError: If it is not positive.
    """
    if samples < 1:
        raise InputError(f"batch_size must be positive, not {samples!r}.")
    token = _most_samples.set(samples)
    try:
        yield
    finally:
        _most_samples.reset(token)


def samples_at_once(samples: int) -> int:
    """Return a number of samples at a time, or less where ``at_most`` or halved memory says so."""
    return max(1, min(samples, _most_samples.get() or samples) >> _halvings.get())


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device, or in the memory of this machine."""
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    names = os.sysconf_names
    if "SC_AVPHYS_PAGES" in names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 2**31  # ASSUME: 2 GiB are free where the system does not tell, as on macOS.


@cache
def _memory_at_start(device: torch.device, setting: str) -> int:
    """Return the memory of a GPU that is free when it is first asked for, or the setting.

    Raises:
        InputError: If the setting is not a positive number.
    """
    import torch

    if not torch.cuda.is_available():
        return 2**62  # Nothing can be there.
    free = free_memory(device)
    try:
        allowed = float(setting) if setting else free / 1e9
    except ValueError:
        allowed = 0
    if not allowed > 0:
        raise InputError(f"{MEMORY_SETTING} must be a positive number, not {setting!r}.")
    # A power of two, so that a little more or less free memory changes neither blocks nor rounding.
    return 1 << (int(min(free, allowed * 1e9)).bit_length() - 1)


def usable_memory(device: torch.device) -> int:
    """Return the bytes of a device by which stacks and blocks are sized.

    Of a GPU it is a power of two, at most the memory that was free when the process began to use
    it, or the gigabytes of the environment variable ``GENERALIZATION_GPU_GB``; otherwise it is the
    free memory of this machine.

    Raises:
        InputError: If the variable is not a positive number.
    """  # noqa: DOC502
    if device.type != "cuda":
        return free_memory(device)
    return _memory_at_start(device, os.environ.get(MEMORY_SETTING, "")) >> _halvings.get()


@contextmanager
def halved_memory() -> Iterator[None]:
    """Size stacks and blocks on a GPU for half of the memory."""
    token = _halvings.set(_halvings.get() + 1)
    try:
        yield
    finally:
        _halvings.reset(token)


def halving_memory(what: str, compute: Callable[[], Result]) -> Result:
    """Compute, and if a GPU runs out of memory, tell it and compute with half of it, once.

    Args:
        what: Name of the result, for messages.
        compute: Function that sizes its blocks by budgets.

    Returns:
        Its result.

    Raises:
        InputError: If half of the memory is too little as well.
    """
    import torch

    try:
        return compute()
    except torch.OutOfMemoryError as error:
        told = first_line(error)
    # Only here have the tensors of the first attempt been released.
    log.warning("%s needs more memory than the GPU has; it goes on in half of it. %s", what, told)
    torch.cuda.empty_cache()
    try:
        with halved_memory():
            return compute()
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"{what} must fit the memory of the GPU, or half of it, but does not ({told}); "
            "device: cpu would do."
        ) from error


def first_line(error: Exception) -> str:
    """Return the first sentence of an error of torch, which goes on with advice."""
    return f"{str(error).split('. ')[0].rstrip('.')}."


def items_at_once(budget: str, size: int, device: torch.device) -> int:
    """Return the number of items that fit a budget, at least one.

    Args:
        budget: Name of a budget in ``BUDGETS``.
        size: Size of one item, in the unit of the budget.
        device: Device of the items.
    """
    return max(1, BUDGETS[budget].on(device) // max(1, size))


def origin(device: torch.device) -> dict[str, str]:
    """Return on what numbers are computed: the same bits are promised for the same of all three.

    Returns:
        ``device``, the model of the GPU or the vector instructions of the CPU; ``driver`` of the
        GPU, or empty; and ``torch``, its version.
    """
    import torch

    if device.type != "cuda" or not torch.cuda.is_available():
        name, driver = f"{device.type} ({torch.backends.cpu.get_cpu_capability()})", ""
    else:
        name, driver = torch.cuda.get_device_name(device), driver_version()
    return {"device": name, "driver": driver, "torch": str(torch.__version__)}


def described(origin: Mapping[str, str | int]) -> str:
    """Return what ``origin`` returned in words."""
    driver = f" with driver {origin['driver']}" if origin["driver"] else ""
    return f"{origin['device']}{driver}, torch {origin['torch']}"


def driver_version() -> str:
    """Return the version of the driver of NVIDIA; ``unknown`` where the system does not tell."""
    with suppress(OSError):
        about = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
        if found := re.search(r"\b\d{3}\.\d+(\.\d+)?\b", about):
            return found[0]
    return "unknown"


def prepare_device(name: str, threads: int) -> torch.device:
    """Choose the device of this process, tell it, and set its precision, threads and determinism.

    Products of float32 matrices stay float32: TF32 is switched off. On a GPU, cuBLAS and cuDNN use
    algorithms that give the same bits at every run.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1`` (the second GPU), or ``auto`` for a GPU if one can be
            used.
        threads: Number of CPU threads of this process.

    Returns:
        The device.

    Raises:
        InputError: If it is none of these, or cannot be used.
    """  # noqa: DOC502
    import torch

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device, why = chosen_device(name)
    if device.type == "cuda":
        # Read when the library of matrix products is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False
    log.log(logging.WARNING if "cannot" in why else logging.INFO, "Computing on %s.", why)
    return device


def chosen_device(name: str) -> tuple[torch.device, str]:
    """Return the device of a name, and what was chosen and why.

    Args:
        name: As for ``prepare_device``.

    Raises:
        InputError: If it is none of these, or cannot be used.
    """
    import torch

    require_known(name)
    kind, _, number = name.partition(":")
    cpu = torch.device("cpu")
    if kind == "cpu":
        return cpu, f"{origin(cpu)['device']}, as asked for"
    gpu = torch.device("cuda", int(number or 0))
    obstacle = obstacle_to(gpu)
    if obstacle and kind == "cuda":
        raise InputError(f"device must be cpu or auto where {obstacle}, not {name!r}.")
    if obstacle:
        there = any(Path("/dev").glob("nvidia[0-9]*"))
        found = " (a GPU is there, which cannot be used)" if there else ""
        return cpu, f"{origin(cpu)['device']}, since {obstacle}{found}"
    why = "as asked for" if kind == "cuda" else "the GPU that is there"
    return gpu, f"{origin(gpu)['device']} with driver {driver_version()}, {why}"


def require_known(name: str) -> None:
    """Refuse devices on which nothing here is computed.

    Raises:
        InputError: If it is not ``auto``, ``cpu``, ``cuda`` or ``cuda:<number>``.
    """
    if name.partition(":")[0] == "mps":
        raise InputError(
            "device must be auto, cpu or cuda, not 'mps', which has no double precision; measures "
            "need it."
        )
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise InputError(f"device must be auto, cpu, cuda or cuda:<number>, not {name!r}.")


def obstacle_to(gpu: torch.device) -> str:
    """Return why a GPU cannot be used, as a clause; empty if it can."""
    import torch

    version = torch.__version__
    if not torch.version.cuda and not torch.version.hip:
        return f"torch {version} is built without support of GPUs"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"}:
        return "CUDA_VISIBLE_DEVICES hides all GPUs"
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        said = "; ".join(first_line(one.message).rstrip(".") for one in warned)
        if "too old" in said:
            return f"the driver is too old for CUDA {torch.version.cuda} of torch {version}"
        return f"torch finds no GPU{said and f' ({said})'}"
    if gpu.index >= torch.cuda.device_count():
        return f"the last GPU is cuda:{torch.cuda.device_count() - 1}"
    if torch.version.hip:
        return ""
    major, minor = torch.cuda.get_device_capability(gpu)
    kernels = torch.cuda.get_arch_list()
    if has_kernels((major, minor), kernels):
        return ""
    return (
        f"torch {version} has kernels for {', '.join(kernels)}, but none for the capability "
        f"{major}.{minor} of {torch.cuda.get_device_name(gpu)}"
    )


def has_kernels(capability: tuple[int, int], kernels: Sequence[str]) -> bool:
    """Return whether one of the kernels of a build of torch runs on a GPU.

    Machine code (``sm_86``) runs on GPUs of the same major capability that are not older, except
    for that of one architecture (``sm_90a``); code that is compiled when it is loaded
    (``compute_86``) runs on all that are not older.

    Args:
        capability: Major and minor capability of the GPU.
        kernels: Architectures of the build, as ``torch.cuda.get_arch_list`` returns them.
    """
    for kernel in kernels:
        kind, _, number = kernel.partition("_")
        found = re.fullmatch(r"(\d+)(\d)([af]?)", number)
        if found is None:
            continue
        built = int(found[1]), int(found[2])
        if found[3] == "a":
            if capability == built:
                return True
        elif built <= capability and (kind == "compute" or built[0] == capability[0]):
            return True
    return False
