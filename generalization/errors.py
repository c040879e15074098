"""Bad input, told in one sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """What the user gave cannot be used. The message is a sentence: name, need, value."""


@contextmanager
def told_in_one_sentence() -> Iterator[None]:
    """End a script on bad input with its sentence alone; any other error keeps its traceback."""
    try:
        yield
    except InputError as error:
        sys.exit(f"InputError: {error}")
