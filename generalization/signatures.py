"""Functions that are given what they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any


def named_by(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is offered, that which the signature of a function names."""
    return {name: offered[name] for name in signature(function).parameters if name in offered}
