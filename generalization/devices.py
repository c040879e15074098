"""Where the numerics run."""

import torch

from generalization.errors import InputError


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
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device must be 'cpu' or 'auto' on a machine without a GPU, not 'cuda'.")
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
