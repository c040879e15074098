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

    The module is imported by name, so that an edit of it does not recompute the profiles that read
    no record; the fingerprints of those that do contain the script that writes it.

    Args:
        path: A file of ``write_activations``, or None.

    Yields:
        The argument ``recorded`` of ``profile_networks``.
    """
    if path is None:
        yield None
    else:
        with import_module("generalization.activations").Activations(path) as record:
            yield record.stacked
