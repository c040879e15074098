"""Activations that a profile reads instead of computing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any


@contextmanager
def opened_record(path: Path | None) -> Iterator[Callable[..., Any] | None]:
    """Open the record of activations that a profile reads, if it reads one.

    The module is imported by name, so that editing it does not recompute the profiles without a
    record; the fingerprints of those with a record contain the script that writes it.

    Args:
        path: File written by ``write_activations``, or None.

    Yields:
        Argument ``recorded`` of ``profile_networks``.
    """
    if path is None:
        yield None
    else:
        with import_module("generalization.activations").Activations(path) as record:
            yield record.stacked
