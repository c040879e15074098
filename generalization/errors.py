"""User errors, reported in one sentence."""

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class InputError(ValueError):
    """Invalid user input; the message is one sentence with name, requirement and value."""


class NotFinite(InputError):
    """Networks whose numbers are not finite have no value; others may."""


class Interrupted(Exception):
    """A job that was told to end has ended; the message is one sentence that says what follows."""


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


class NoValue(UserWarning):
    """Why a measure has no value for some networks.

    Attributes:
        networks: Whether each network of the stack lacks the value for this reason; empty if all
            that lack one do.
    """

    def __init__(self, reason: str, networks: Sequence[bool] = ()):
        super().__init__(reason)
        self.networks = networks


def warn_of_no_value(reason: str, networks: Sequence[bool] = ()) -> None:
    """Warn that some networks have no value of a measure; nothing, if none of them lacks one.

    Args:
        reason: The reason, as a clause.
        networks: As in ``NoValue``.
    """
    if any(networks) or not len(networks):
        warnings.warn(NoValue(reason, networks), stacklevel=3)


def reason_of(error: Exception) -> str:
    """Return why a measure has no value, in the words of the error that it raised.

    The type is named unless it is one that measures raise on purpose.
    """
    reason = " ".join(str(error).split()) or type(error).__name__
    known = isinstance(error, ValueError | TypeError)
    return reason if known else f"{type(error).__name__}: {reason}"


class Approximated(UserWarning):
    """How a measure has approximated the values of some networks, and how closely.

    Attributes:
        networks: Whether the value of each network of the stack is so; empty if all are.
        method: ``sampled``, with random numbers, on a grid, or at a part of the training set;
            ``searched``, the best of a search that has not looked everywhere; empty if neither.
    """

    def __init__(self, how: str, networks: Sequence[bool] = (), *, method: str = ""):
        super().__init__(how)
        self.networks = networks
        self.method = method


def warn_of_method(method: str, how: str, networks: Sequence[bool] = ()) -> None:
    """Warn that values are not exact; arguments are those of ``Approximated``."""
    warnings.warn(Approximated(how, networks, method=method), stacklevel=3)


def in_order(warned: Iterable[warnings.WarningMessage]) -> list[Warning]:
    """Return what was warned of, reasons of missing values last: PyTorch warns of other things.

    That an operation on a GPU has no deterministic implementation says nothing of its value.
    """
    messages = [one.message for one in warned if isinstance(one.message, Warning)]
    told = [one for one in messages if "deterministic implementation" not in str(one)]
    return sorted(told, key=lambda one: isinstance(one, NoValue))


@contextmanager
def exit_on_input_error() -> Iterator[None]:
    """Exit a script on an ``InputError`` with its message only; keep other tracebacks.

    The same holds for ``Interrupted``. The exit status is 1.
    """
    try:
        yield
    except InputError as error:
        sys.exit(f"InputError: {error}")
    except Interrupted as error:
        sys.exit(f"Interrupted: {error}")
