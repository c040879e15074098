"""Standard errors over a measure's own draws, told to whoever wants them beside the values."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jaxtyping import Float64
from torch import Tensor

_errors: ContextVar[list[Tensor] | None] = ContextVar("errors", default=None)


@contextmanager
def collecting_standard_errors() -> Iterator[list[Float64[Tensor, "networks"]]]:
    """Yield the list to which measures add their standard errors within the block."""
    told: list[Tensor] = []
    token = _errors.set(told)
    try:
        yield told
    finally:
        _errors.reset(token)


def tell_standard_error(error: Float64[Tensor, "networks"]) -> None:
    """Tell the standard error of the values of a measure over its draws, if anybody wants it."""
    told = _errors.get()
    if told is not None:
        told.append(error)
