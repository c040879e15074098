"""What the networks of an ensemble share. Imports no torch: the workflow plans with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from itertools import product
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One hyper-parameter configuration: its networks differ in nothing but their seed.

    What every key means, and which values it takes, stands in ``workflow/schemas``. A new key
    needs a default under which nothing changes: then no ensemble changes its name.
    """

    dataset: str
    train_size: int | None = None
    crop: int | None = None
    randomization: str = "none"
    label_corruption: float = 0.0

    depth: int = 3
    width: int = 100
    activation: str = "relu"
    biases: bool = False
    init_scale: float = 1.0

    loss: str = "cross_entropy"
    optimizer: str = "momentum"
    learning_rate: float = 0.01
    batch_size: int = 128
    augmentation: str = "none"
    decay_epochs: int = 500
    max_steps: int = 20_000
    stop_at_accuracy: float | None = 1.0
    stop_at_loss: float | None = None
    kept_steps: tuple[int, ...] | str = (0,)

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
            elif isinstance(value, int) and isinstance(field.default, float):
                object.__setattr__(self, field.name, float(value))

    @property
    def chosen(self) -> dict[str, Any]:
        """The hyper-parameters that differ from their defaults, and the dataset."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }

    @property
    def name(self) -> str:
        """Name of the ensemble: ``<dataset>-<8 hex digits>`` of what differs from the defaults."""
        return f"{self.dataset}-{short_hash(self.chosen)}"

    def as_dict(self) -> dict[str, Any]:
        """Every hyper-parameter by its name."""
        return asdict(self)


def short_hash(settings: Mapping[str, Any]) -> str:
    """Eight hex digits of settings, whatever the order of their keys."""
    canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=4).hexdigest()


def expand_grid(grid: Mapping[str, Any]) -> Iterator[Hyperparameters]:
    """Every combination of the values of a grid.

    Args:
        grid: Hyper-parameter → value, or list of values to sweep over. ``kept_steps`` is a list by
            itself; it is swept over by a list of lists.

    Yields:
        Hyper-parameters, the last key of the grid varying fastest.
    """
    choices = (value if is_swept(key, value) else [value] for key, value in grid.items())
    for values in product(*choices):
        yield Hyperparameters(**dict(zip(grid, values, strict=True)))


def is_swept(key: str, value: Any) -> bool:
    """Whether a value of a grid is a list of values to sweep over."""
    one_value = key == "kept_steps" and not (value and isinstance(value[0], list))
    return isinstance(value, list) and not one_value
