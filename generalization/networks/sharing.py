"""Results that the measures of one job share, such as logits and spectral norms.

Within ``sharing_results``, ``once`` computes a function of the same arguments a single time. The
results are kept to the end of the job, so only small ones should be shared: as many numbers as the
networks have parameters, or as there are logits.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar
from warnings import catch_warnings, simplefilter, warn

from torch import Tensor, nn

from generalization.networks.stacked_networks import StackedNetworks

Result = TypeVar("Result")

# Key of a call → its arguments, which keep the memory that the key refers to, its result, and what
# it warned of.
Results = dict[Hashable, tuple[Any, Any, list[Warning | str]]]

_results: ContextVar[Results | None] = ContextVar("results", default=None)


@contextmanager
def sharing_results(results: Results) -> Iterator[None]:
    """Let ``once`` take results from here, and add others, within the block.

    Args:
        results: Those of earlier blocks that share them; at first an empty dictionary.
    """
    token = _results.set(results)
    try:
        yield
    finally:
        _results.reset(token)


def once(function: Callable[..., Result], *arguments: Any) -> Result:
    """Return the result of a function, computed once for the same arguments.

    Tensors are the same if they are the same memory, unchanged in between; networks are if their
    tensors are. Outside ``sharing_results`` the function is called every time. What it warned of,
    such as why there is no value, is said to all who ask.

    Args:
        function: A function of a module, whose results depend on nothing but its arguments.
        arguments: Networks, tensors and hashable values.

    Returns:
        The result, which must not be modified.
    """
    known = _results.get()
    if known is None:
        return function(*arguments)
    key = (function, *map(_key, arguments))
    if key not in known:
        with catch_warnings(record=True) as warned:
            simplefilter("always")
            result = function(*arguments)
        known[key] = arguments, result, [one.message for one in warned]
    _, result, said = known[key]
    for message in said:
        warn(message, stacklevel=3)
    return result


def _key(argument: Any) -> Hashable:
    """Return what an argument is recognized by."""
    if isinstance(argument, Tensor):
        place = argument.data_ptr(), argument.shape, argument.stride(), argument.dtype
        # Tensors made in inference mode do not count their changes, and are never recognized.
        changes = object() if argument.is_inference() else argument._version
        return *place, str(argument.device), changes
    if isinstance(argument, StackedNetworks):
        tensors = argument.tensors
        return argument.activation, *tensors, *map(_key, tensors.values())
    if isinstance(argument, nn.Module):
        tensors = (*argument.parameters(), *argument.buffers())
        return id(argument), argument.training, *map(_key, tensors)
    return argument
