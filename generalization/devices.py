"""Where the numerics run, and how much they work on at a time.

Every memory budget of the package stands here. None changes a result but by rounding. Imports torch
only where a device is chosen.
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
    """How much is worked on at a time, on a CPU and on a GPU."""

    cpu: int
    gpu: int

    def on(self, device: torch.device) -> int:
        """Return the budget of a device."""
        return self.cpu if device.type == "cpu" else self.gpu


# A CPU keeps what is worked on in its cache; a GPU needs large products to be busy.
BUDGETS = {
    # Bytes: weights, gradients and the activations of a batch, of the networks of one stack. The
    # best stacks of six shapes from 64-50-10 to 784-200-200-200-10 took 1.5 to 4.5 MiB. A GPU takes
    # all networks, because launching a kernel costs more there than a product does.
    "training": Budget(2**22, 2**62),
    # Bytes: rows that are pulled back from the logits, of some points and then of some networks.
    "input_jacobian": Budget(2**21, 2**27),
    # Bytes: Jacobians of hidden layers at some points, were all units active. The fewer the points,
    # the fewer inactive units are carried along.
    "hidden_jacobians": Budget(2**21, 2**28),
    # Bytes: Jacobians of preactivations at some points.
    "preactivation_jacobians": Budget(2**22, 2**28),
    # Bytes: changes of the layers of a module, at some points in some directions.
    "layer_changes": Budget(2**23, 2**28),
    # Bytes: gradients by all parameters of a module, one per point.
    "parameter_gradients": Budget(2**26, 2**26),
    # Bytes: some columns of the Jacobians of all points.
    "jacobian_columns": Budget(2**26, 2**26),
    # Numbers, of any precision: one elementary operation.
    "operation": Budget(2**18, 2**26),
    # Numbers: activations of one layer: in float32 4 MiB and 1 GiB.
    "activations": Budget(2**20, 2**28),
    # Numbers: the widest layer at all vertices of some closed polygons, or of a module and its
    # Jacobian at some points.
    "polygons": Budget(2**21, 2**29),
    # Numbers: float64 logits of some networks at all inputs.
    "logits": Budget(2**24, 2**24),
    # Numbers: points on the loops of some images: in float32 128 MiB.
    "loop_points": Budget(2**25, 2**25),
}

# Samples at a time, whatever their size.
SAMPLES_PER_CHUNK = 1024  # Keeps the activations of a whole training set out of memory.
SLOPES_PER_CHUNK = 2048  # Samples: keeps the slopes of a whole test set out of memory.
MODULE_SAMPLES = 256  # Of which a module keeps its graph, for one backward pass per logit.
DIRECTIONS_PER_CHUNK = 128  # Of the input, through a module by forward derivatives.
IMAGES_PER_CHUNK = 1000  # In float64, to be normalized.


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
    """Return how many items a budget has room for, at least one.

    Args:
        budget: A name of ``BUDGETS``.
        size: Of one item, in the unit of the budget.
        device: Where the items are.
    """
    return max(1, BUDGETS[budget].on(device) // max(1, size))


def prepare_device(name: str, threads: int) -> torch.device:
    """Choose the device of this process, and how it computes.

    Products of float32 matrices stay float32: TF32 is switched off.

    Args:
        name: ``cpu``, ``cuda``, or ``auto``: a GPU when there is one.
        threads: CPU threads of this process.

    Returns:
        The device.

    Raises:
        InputError: If a GPU is asked for and there is none.
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
