"""Architectures that a function of a user builds, as hyper-parameters name them. No torch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import prod
from typing import Any

from generalization.hyperparameters import OF_BUILT_IN, Hyperparameters

FORM = "package.module:function"
PLACE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class ForeignArchitecture:
    """A function that builds networks, and everything it is called with.

    Attributes:
        place: ``package.module:function``, called as ``function(image, classes, **arguments)``,
            which returns a ``torch.nn.Module`` that maps images to logits.
        arguments: Its keyword arguments, as JSON.
        image: Channels, height and width of an input; (1, 1, features) of a row of a table.
        classes: Number of logits.
    """

    place: str
    arguments: str
    image: tuple[int, ...]
    classes: int

    @classmethod
    def of(
        cls, hyperparameters: Hyperparameters, image: tuple[int, ...], classes: int
    ) -> ForeignArchitecture:
        """Return the architecture of an ensemble."""
        arguments = hyperparameters.architecture_arguments or "{}"
        return cls(hyperparameters.architecture, arguments, tuple(image), classes)

    @property
    def keywords(self) -> dict[str, Any]:
        """Keyword arguments of the function."""
        return json.loads(self.arguments)

    @property
    def features(self) -> int:
        """Numbers of an input."""
        return prod(self.image)

    def __str__(self) -> str:
        """Describe the architecture for a sentence."""
        given = ", ".join(f"{key}={value!r}" for key, value in self.keywords.items())
        return f"{self.place}({self.image}, {self.classes}{given and f', {given}'})"


def foreign_faults(one: Hyperparameters) -> Iterator[str]:
    """Yield a sentence for every hyper-parameter that contradicts a foreign architecture."""
    if not one.is_foreign:
        if one.architecture_arguments is not None:
            yield (
                "architecture_arguments must be left out where architecture is "
                f"{one.architecture!r}, not {one.architecture_arguments}."
            )
        return
    if not PLACE.fullmatch(one.architecture):
        yield f"architecture must be {FORM}, not {one.architecture!r}."
    for field in fields(one):
        value = getattr(one, field.name)
        if field.name in OF_BUILT_IN and value != field.default:
            yield (
                f"{field.name} must be left out where architecture is {one.architecture!r}, whose "
                f"architecture_arguments say what it builds, not {value!r}."
            )
