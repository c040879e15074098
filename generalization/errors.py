"""Errors caused by the user, reported in one sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Invalid input of the user. The message is one sentence: name, requirement, value."""


@contextmanager
def told_in_one_sentence() -> Iterator[None]:
    """Exit a script on an ``InputError`` with its message only; keep other tracebacks."""
    try:
        yield
    except InputError as error:
        sys.exit(f"InputError: {error}")
