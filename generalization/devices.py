"""Devices and memory budgets.

All memory budgets of the package are defined here; they change results only by rounding. torch is
imported only where a device is chosen.
"""

from __future__ import annotations

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
