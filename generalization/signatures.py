"""Functions that are imported by name, and given what they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from typing import Any


def named_by(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return the offered arguments that the signature of a function names."""
    return {name: offered[name] for name in signature(function).parameters if name in offered}


def imported(place: str) -> Callable[..., Any]:
    """Import the function that a script is to call.

    Args:
        place: ``module:function``, as ``place_of`` in the catalog returns it.
    """
    module, name = place.split(":")
    return getattr(import_module(module), name)
