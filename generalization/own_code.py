"""Code of a user, which settings name as ``package.module:function``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from generalization.errors import InputError


def resolved(place: str, key: str) -> Any:
    """Import what ``package.module:name`` stands for.

    Args:
        place: Module and name.
        key: Setting that names the place, for error messages.

    Raises:
        InputError: If it has not this form, or there is no such module or name.
    """
    module, _, name = place.partition(":")
    if not (module and name):
        raise InputError(f"{key} must be package.module:function, not {place!r}.")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{key} must be importable, but {place!r} is not: {reason}.") from error
