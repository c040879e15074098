"""Selection of arguments by the signature of a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any


def named_by(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return the offered arguments that the signature of a function names."""
    return {name: offered[name] for name in signature(function).parameters if name in offered}
