"""What the networks of an ensemble share. Imports no torch: the workflow plans with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from itertools import product
from math import prod
from random import Random
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
    input_normalization: str = "each_image"
    randomization: str = "none"
    label_corruption: float = 0.0

    architecture: str = "fully_connected"
    depth: int = 3
    width: int = 100
    pooling: str = "none"
    activation: str = "relu"
    biases: bool = False
    normalization: str = "none"
    dropout: float = 0.0
    initialization: str = "normal"
    init_scale: float = 1.0

    loss: str = "cross_entropy"
    optimizer: str = "momentum"
    learning_rate: float = 0.01
    weight_decay: float = 0.0
    batch_size: int = 128
    augmentation: str = "none"
    decay_epochs: int = 500
    max_steps: int = 20_000
    stop_at_accuracy: float | None = 1.0
    stop_at_loss: float | None = None
    stop_epochs: int = 1
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


# A line search compares values of one function, which must not change on the way; and that function
# is the loss alone.
# Deeper and narrower: a factor, beside hyper-parameters, that keeps the number of parameters.
FIXED_SIZE = "depth_at_fixed_size"

NEEDED_BY_LBFGS = {"augmentation": "none", "normalization": "none", "dropout": 0, "weight_decay": 0}


def contradictions(one: Hyperparameters, samples: int) -> Iterator[str]:
    """Why networks cannot be trained with so many samples, in sentences."""
    if one.optimizer == "lbfgs":
        for key, needed in NEEDED_BY_LBFGS.items():
            if (value := getattr(one, key)) != needed:
                yield f"{key} must be {needed!r} where optimizer is 'lbfgs', not {value!r}."
    elif one.normalization == "batch" and (samples - 1) % one.batch_size == 0:
        # One image has no variance; torch.nn.BatchNorm1d refuses it too.
        yield (
            f"batch_size must leave no batch of 1 of the {samples} training images where "
            f"normalization is 'batch', not {one.batch_size}."
        )


def short_hash(settings: Mapping[str, Any]) -> str:
    """Eight hex digits of settings, whatever the order of their keys."""
    canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=4).hexdigest()


def expand_grid(grid: Mapping[str, Any]) -> Iterator[Hyperparameters]:
    """Every combination of the values of a grid, or a random sample of them.

    Args:
        grid: Hyper-parameter → value, or list of values to sweep over. ``kept_steps`` is a list by
            itself; it is swept over by a list of lists. ``sample`` says how many combinations to
            draw, from which ``seed``, and which keys are ``paired``: all of their values are taken
            with every draw of the others, so that networks can be compared in pairs.

    Yields:
        Hyper-parameters, the last key of the grid varying fastest; those of a sample in the order
        of their draws, each once. A larger sample begins with the smaller one.
    """
    sample, choices = grid.get("sample"), choices_of(grid)
    if sample is None:
        combinations = product(*choices.values())
    else:
        paired = {key: choices[key] for key in sample.get("paired", ())}
        # Drawn in an order of their own, so that the order of keys in a file does not matter.
        others = {key: choices[key] for key in sorted(choices) if key not in paired}
        choices = others | paired
        draws = _draws(list(others.values()), sample["size"], sample.get("seed", 0))
        combinations = ((*draw, *values) for draw in draws for values in product(*paired.values()))
    for values in combinations:
        yield Hyperparameters(**dict(zip(choices, values, strict=True)))


def choices_of(grid: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The values of every hyper-parameter of a grid."""
    return {
        key: value if is_swept(key, value) else [value]
        for key, value in grid.items()
        if key != "sample"
    }


def _draws(choices: Sequence[Sequence[Any]], size: int, seed: int) -> Iterator[list[Any]]:
    """Different random combinations, as many as are asked for or there are."""
    generator, total = Random(seed), prod(map(len, choices))
    drawn: set[int] = set()
    while len(drawn) < min(size, total):
        position = generator.randrange(total)
        if position not in drawn:
            drawn.add(position)
            combination = []
            for values in choices:
                position, place = divmod(position, len(values))
                combination.append(values[place])
            yield combination


def is_swept(key: str, value: Any) -> bool:
    """Whether a value of a grid is a list of values to sweep over."""
    one_value = key == "kept_steps" and not (value and isinstance(value[0], list))
    return isinstance(value, list) and not one_value
