"""Devices and memory budgets.

All memory budgets of the package are defined here; they change results only by rounding. torch is
imported only where a device is chosen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from generalization.errors import InputError

if TYPE_CHECKING:
    import torch


class Budget(NamedTuple):
    """Amount of data to process at a time on a CPU and on a GPU."""

    cpu: int
    gpu: int

    def on(self, device: torch.device) -> int:
        """Return the budget of a device."""
        return self.cpu if device.type == "cpu" else self.gpu


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
    "operation": Budget(2**18, 2**26),
    # Numbers: activations of one layer; 4 MiB and 1 GiB in float32.
    "activations": Budget(2**20, 2**28),
    # Numbers: the widest layer at all vertices of some closed polygons, or that of a module with
    # its Jacobian at some points.
    "polygons": Budget(2**21, 2**29),
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
    """Return a number of samples at a time, or less where ``at_most`` says so."""
    return min(samples, _most_samples.get() or samples)


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device, or in the memory of this machine."""
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    names = os.sysconf_names
    if "SC_AVPHYS_PAGES" in names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 2**31  # ASSUME: 2 GiB are free where the system does not tell, as on macOS.


def items_at_once(budget: str, size: int, device: torch.device) -> int:
    """Return the number of items that fit a budget, at least one.

    Args:
        budget: Name of a budget in ``BUDGETS``.
        size: Size of one item, in the unit of the budget.
        device: Device of the items.
    """
    return max(1, BUDGETS[budget].on(device) // max(1, size))


def prepare_device(name: str, threads: int) -> torch.device:
    """Choose the device of this process and set its precision and threads.

    Products of float32 matrices stay float32: TF32 is switched off.

    Args:
        name: ``cpu``, ``cuda``, or ``auto`` for a GPU if there is one.
        threads: Number of CPU threads of this process.

    Returns:
        The device.

    Raises:
        InputError: If a GPU is requested and there is none.
    """
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device must be 'cpu' or 'auto' on a machine without a GPU, not 'cuda'.")
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
