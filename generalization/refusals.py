"""Refusals begin with the name of the measure, profile or similarity that refuses.

Args:
    name: Name of a measure, profile or similarity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from generalization.errors import InputError, NotFinite

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_refusing: ContextVar[str] = ContextVar("refusing", default="")


@contextmanager
def named_refusals(name: str) -> Iterator[str]:
    """Put a name before the sentences of refusals, once: a measure may compute another one.

    Yields:
        The name that they begin with, which is that of the outermost block.

    Raises:
        ValueError: If one is raised within; its class is kept.
    """
    outermost = _refusing.get()
    if outermost:
        yield outermost
        return
    token = _refusing.set(name)
    try:
        yield name
    except ValueError as error:
        sentence = with_name(name, str(error))
        # Subclasses of others, such as that of invalid Unicode, are made of more than a sentence.
        if sentence == str(error) or type(error) not in {InputError, NotFinite, ValueError}:
            raise
        raise type(error)(sentence) from error
    finally:
        _refusing.reset(token)


def refuses_by_name(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let the refusals of a function begin with its name."""
    return named_refusals(function.__name__)(function)


def with_name(name: str, sentence: str) -> str:
    """Return a sentence that begins with a name, which is put before it if it does not."""
    return sentence if sentence.startswith((f"{name} ", f"{name}: ")) else f"{name}: {sentence}"


def with_article(kind: str) -> str:
    """Return the name of a class with its article: a ResNet, an Attention, an LSTM."""
    spelled = kind[:2].isupper()  # Letter by letter.
    return f"{'an' if kind[:1] in ('AEFHILMNORSX' if spelled else 'AEIOaeio') else 'a'} {kind}"
