"""User errors, reported in one sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Invalid user input; the message is one sentence with name, requirement and value."""


def require_positive(**counts: int) -> None:
    """Refuse counts that are less than 1.

    Args:
        counts: Counts among the settings, by name.

    Raises:
        ValueError: If a count is less than 1.
    """
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, not {count!r}.")


@contextmanager
def told_in_one_sentence() -> Iterator[None]:
    """Exit a script on an ``InputError`` with its message only; keep other tracebacks."""
    try:
        yield
    except InputError as error:
        sys.exit(f"InputError: {error}")
