"""Networks of a user: a factory and the weights that it is given.

Args:
    factory: ``package.module:function``, which returns a ``torch.nn.Module``.
    arguments: Keyword arguments of the factory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from sysconfig import get_path
from traceback import extract_tb
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from generalization.errors import InputError
from generalization.own_code import resolved
from generalization.refusals import with_article

# Where checkpoints of training keep the weights.
UNDER = ("model_state_dict", "state_dict", "model", "net", "network", "weights")
LONGEST = 400  # Characters of an error of torch in a sentence, which may list all weights.
WRAPPED = ("module.", "_orig_mod.")
# Where code is that is not the user's, beside what is installed.
FOREIGN = ("<", get_path("stdlib"), str(Path(__file__).parents[1]))


def own_module(factory: str, arguments: Mapping[str, Any], weights: Path | str) -> nn.Module:
    """Build a network and load its weights; nothing in the file is run.

    Args:
        weights: Its ``state_dict``: a ``.safetensors`` file, or one that ``torch.save`` wrote, of
            tensors alone, or a checkpoint that holds it under one usual key.

    Returns:
        The network in eval mode, on the CPU.

    Raises:
        InputError: If it cannot be built, or the weights are not its own.
        MemoryError: If it does not fit into memory.
    """
    module = _built(factory, arguments)
    state = _unwrapped(_state(Path(weights)), module)
    try:
        module.load_state_dict(state)
    except MemoryError:
        raise
    except Exception as error:  # Also of code of the user.
        reason = " ".join(str(error).split())[:LONGEST].rstrip(".")
        raise InputError(f"{weights} must hold the weights of {factory}, but: {reason}.") from error
    return module.eval()


def imported_factory(factory: str) -> Callable[..., Any]:
    """Import a factory.

    Raises:
        InputError: If it is none, or cannot be imported.
    """
    try:
        make = resolved(factory, "factory")
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"factory must be importable, but {factory!r} raises {raised_where(error)}."
        ) from error
    if not callable(make):
        raise InputError(
            f"factory must be a function or a class, but {factory!r} is "
            f"{with_article(type(make).__name__)}."
        )
    return make


def _built(factory: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network.

    Raises:
        InputError: If the factory refuses them, fails, or returns something else.
        MemoryError: If the network does not fit into memory.
    """
    make = imported_factory(factory)
    _check_arguments(make, factory, arguments)
    try:
        module = make(**arguments)
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(
            f"{factory} must build a network of the arguments {dict(arguments)}, but raises "
            f"{raised_where(error)}."
        ) from error
    if not isinstance(module, nn.Module):
        raise InputError(
            f"{factory} must return a torch.nn.Module, not {with_article(type(module).__name__)}."
        )
    return module


def _check_arguments(make: Callable[..., Any], factory: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that a function does not take.

    Args:
        make: The function.

    Raises:
        InputError: If one is missing, or unknown.
    """
    try:
        parameters = signature(make)
    except ValueError:  # Functions that are not written in Python may have none.
        return
    try:
        parameters.bind(**arguments)
    except TypeError as error:
        raise InputError(
            f"arguments of {factory} must be its own, not {dict(arguments)}: {error}."
        ) from error


def raised_where(error: Exception) -> str:
    """Return the type of an error, what it says, and the last line of the user that led to it."""
    said = " ".join(str(error).split()).rstrip(".")
    lines = [
        f" in line {one.lineno} of {one.filename}"
        for one in extract_tb(error.__traceback__)
        if not one.filename.startswith(FOREIGN) and "site-packages" not in one.filename
    ]
    return f"{type(error).__name__}{said and f' ({said})'}{lines[-1] if lines else ''}"


def _state(path: Path) -> dict[str, Tensor]:
    """Read tensors by name.

    Raises:
        InputError: If the file holds anything else, or weights under several keys.
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
    keys = [key for key in UNDER if _holds(state, key)]
    if len(keys) > 1:
        raise InputError(f"{path} must hold weights under one key, not under {' and '.join(keys)}.")
    found = state[keys[0]] if keys else state
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
    found = state.get(key) if isinstance(state, dict) and not _is_state(state) else None
    return bool(found) and _is_state(found)


def _is_state(state: Any) -> bool:
    return isinstance(state, dict) and all(isinstance(one, Tensor) for one in state.values())
