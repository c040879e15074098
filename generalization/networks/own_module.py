"""Networks of a user: a factory and the weights that it is given."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from generalization.datasets.own_data import resolved
from generalization.errors import InputError

UNREADABLE = OSError, EOFError, RuntimeError, ValueError, SafetensorError, pickle.UnpicklingError


def own_module(factory: str, arguments: Mapping[str, Any], weights: Path | str) -> nn.Module:
    """Build a network and load its weights; nothing in the file is run.

    Args:
        factory: ``package.module:function``, which returns a ``torch.nn.Module``.
        arguments: Keyword arguments of the factory.
        weights: Its ``state_dict``: a ``.safetensors`` file, or one that ``torch.save`` wrote, of
            tensors alone.

    Returns:
        The network in eval mode, on the CPU.

    Raises:
        InputError: If it cannot be built, or the weights are not its own.
    """
    make = resolved(factory, "factory")
    try:
        module = make(**arguments)
    except TypeError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"arguments of {factory} must be its own, but: {reason}.") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"{factory} must return a torch.nn.Module, not a {type(module).__name__}.")
    try:
        module.load_state_dict(_state(Path(weights)))
    except RuntimeError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{weights} must hold the weights of {factory}, but: {reason}.") from error
    return module.eval()


def _state(path: Path) -> dict[str, Tensor]:
    """Read tensors by name.

    Raises:
        InputError: If the file holds anything else.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise InputError(f"{path} must be a state_dict of tensors, but: {reason}.") from error
    if isinstance(state, dict):
        # Checkpoints of training often keep the weights beside other things.
        inner = next((state[key] for key in ("state_dict", "model") if key in state), None)
        state = inner if isinstance(inner, dict) else state
    if not (isinstance(state, dict) and all(isinstance(one, Tensor) for one in state.values())):
        raise InputError(f"{path} must be a state_dict of tensors, not a {type(state).__name__}.")
    return state
