"""Networks of a user: a factory and the weights that it is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from generalization.datasets.own_data import resolved
from generalization.errors import InputError
from generalization.refusals import with_article

# Where checkpoints of training keep the weights.
UNDER = ("model_state_dict", "state_dict", "model", "net", "network", "weights")
WRAPPED = ("module.", "_orig_mod.")


def own_module(factory: str, arguments: Mapping[str, Any], weights: Path | str) -> nn.Module:
    """Build a network and load its weights; nothing in the file is run.

    Args:
        factory: ``package.module:function``, which returns a ``torch.nn.Module``.
        arguments: Keyword arguments of the factory.
        weights: Its ``state_dict``: a ``.safetensors`` file, or one that ``torch.save`` wrote, of
            tensors alone, or a checkpoint that holds it under a usual key.

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
        raise InputError(
            f"{factory} must return a torch.nn.Module, not {with_article(type(module).__name__)}."
        )
    try:
        module.load_state_dict(_unwrapped(_state(Path(weights)), module))
    except RuntimeError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{weights} must hold the weights of {factory}, but: {reason}.") from error
    return module.eval()


def _state(path: Path) -> dict[str, Tensor]:
    """Read tensors by name.

    Raises:
        InputError: If the file holds anything else.
        MemoryError: If they do not fit into memory.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # Other bytes than a pickle's fail in any way.
        raise InputError(
            f"{path} must hold tensors only, in a .safetensors file or a state_dict of torch.save, "
            f"not {_found(path, error)}."
        ) from error
    found = next((state[key] for key in UNDER if _holds(state, key)), state)
    if not _is_state(found):
        kind = with_article(type(state).__name__)
        if isinstance(state, dict):
            kind = f"a dictionary of {', '.join(map(str, state)) or 'nothing'}"
        raise InputError(
            f"{path} must be a state_dict of tensors, or hold one under {', '.join(UNDER)}, not "
            f"{kind}."
        )
    return found


def _found(path: Path, error: Exception) -> str:
    """Return what a file that cannot be read holds; what torch says beside is advice to run it."""
    if isinstance(error, OSError):
        return f"what cannot be opened ({error.strerror or type(error).__name__})"
    with path.open("rb") as file:
        beginning = file.read(4)
    foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
    if not beginning:
        return "nothing"
    if foreign:
        return f"an object of {foreign[1]}, which could run code"
    if "TorchScript" in str(error):
        return "a TorchScript archive"
    return (
        "a damaged or foreign archive" if beginning.startswith(b"PK") else "bytes of another kind"
    )


def _unwrapped(state: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Return weights by the names of a module that data parallelism or compilation has wrapped."""
    own = module.state_dict()
    for prefix in WRAPPED:
        if state and not own.keys() & state.keys() and all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): one for key, one in state.items()}
    return state


def _holds(state: Any, key: str) -> bool:
    """Return whether a checkpoint has weights under a key, beside what else training keeps."""
    return isinstance(state, dict) and not _is_state(state) and _is_state(state.get(key))


def _is_state(state: Any) -> bool:
    return isinstance(state, dict) and all(isinstance(one, Tensor) for one in state.values())
