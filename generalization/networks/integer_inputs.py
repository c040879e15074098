"""Networks that take integers, such as the tokens of an embedding, read as others are.

Measures compute with inputs in the dtype of the weights. A network that takes no such numbers is
wrapped, and refuses inputs that have been moved away from integers.

Args:
    module: A module of a user.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from generalization.errors import InputError
from generalization.networks.modules import Wrapping, kind_of, left_as_it_was
from generalization.networks.sharing import once
from generalization.refusals import with_article


class OfIntegers(Wrapping):
    """A module that takes integers, given as floating-point numbers."""

    def forward(self, inputs: Tensor) -> Any:
        """Return what the module makes of the integers."""
        return self.body(_integers(inputs, kind_of(self)))


@fx.wrap
def _integers(inputs: Tensor, kind: str) -> Tensor:
    """Return inputs as integers.

    Args:
        inputs: Integers as floating-point numbers.
        kind: Class of the network, for the sentence.

    Raises:
        InputError: If they are no integers.
    """  # noqa: DOC502
    integers = inputs.detach().long()
    try:
        moved = bool((integers != inputs).any())
    except RuntimeError:  # Within vmap, which moves none.
        moved = False
    if moved:
        refuse_integers(kind)
    return integers


def refuse_integers(kind: str) -> None:
    """Refuse to move or differentiate inputs that must be integers.

    Args:
        kind: Class of the network.

    Raises:
        InputError: Always.
    """
    raise InputError(
        "networks must take real numbers, which can be moved and differentiated by, not integers "
        f"alone as {with_article(kind)} does."
    )


def takes_integers(module: nn.Module) -> bool:
    """Return whether a module is wrapped since it takes nothing but integers."""
    return any(isinstance(part, OfIntegers) for part in module.modules())


def needs_integers(module: nn.Module, inputs: Tensor) -> bool:
    """Return whether a module can be applied to integers, and not to other numbers.

    Args:
        inputs: At least one input, of integers.
    """
    first, like = inputs[:1], next(module.parameters(), torch.empty(0))
    return not _takes(module, first.to(like.dtype)) and _takes(module, first.long())


@torch.no_grad()
def _takes(module: nn.Module, inputs: Tensor) -> bool:
    """Return whether a module can be applied to inputs."""
    try:
        with left_as_it_was(module):
            module(inputs)
    except Exception:  # Code of others.
        return False
    return True


def with_real_inputs(
    modules: Sequence[nn.Module], inputs: Tensor
) -> tuple[list[nn.Module], Tensor]:
    """Return modules that take floating-point numbers, and inputs that are such.

    Args:
        inputs: Numbers, of which integers are converted to the default precision.
    """
    if inputs.is_floating_point() or inputs.is_complex() or not len(inputs):
        return list(modules), inputs
    read = [
        once(OfIntegers, module) if once(needs_integers, module, inputs[:1]) else module
        for module in modules
    ]
    return read, inputs.to(torch.get_default_dtype())
