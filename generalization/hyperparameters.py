"""Hyper-parameters of an ensemble. Does not import torch, since the workflow uses it to plan."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from itertools import product
from math import prod
from random import Random
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Hyper-parameters of an ensemble, whose networks differ only in their random seed.

    ``workflow/schemas`` documents every key and its values. A new key needs a default that leaves
    training unchanged: then existing ensembles keep their names.
    """

    dataset: str
    train_size: int | None = None
    crop: int | None = None
    input_normalization: str = "each_image"
    randomization: str = "none"
    label_corruption: float = 0.0
    label_noise: str = "uniform"
    label_matrix: tuple[tuple[float, ...], ...] | None = None

    architecture: str = "fully_connected"
    architecture_arguments: str | None = None
    depth: int = 3
    width: int = 100
    pooling: str = "none"
    activation: str = "relu"
    biases: bool = False
    normalization: str = "none"
    dropout: float = 0.0
    dropout_from: int = 1
    initialization: str = "normal"
    init_scale: float = 1.0

    loss: str = "cross_entropy"
    optimizer: str = "momentum"
    learning_rate: float = 0.01
    weight_decay: float = 0.0
    batch_size: int = 128
    augmentation: str = "none"
    schedule: str = "step"
    decay_epochs: int = 500
    decay_factor: float = 0.1
    warmup_steps: int = 0
    max_steps: int = 20_000
    stop_at_accuracy: float | None = 1.0
    stop_at_loss: float | None = None
    stop_epochs: int = 1
    kept_steps: tuple[int, ...] | str = (0,)

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "label_matrix" and value is not None:
                rows = tuple(tuple(map(float, row)) for row in value)
                object.__setattr__(self, field.name, rows)
            elif field.name == "architecture_arguments":
                object.__setattr__(self, field.name, canonical_arguments(value))
            elif value is None and field.name in OF_BUILT_IN and self.is_foreign:
                object.__setattr__(self, field.name, field.default)
            elif isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
            elif isinstance(value, int) and isinstance(field.default, float):
                object.__setattr__(self, field.name, float(value))

    @property
    def chosen(self) -> dict[str, Any]:
        """Hyper-parameters that differ from their defaults, and the dataset."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }

    @property
    def name(self) -> str:
        """Name of the ensemble, ``<dataset>-<8 hex digits>``, a hash of the chosen values."""
        return f"{self.dataset}-{short_hash(self.chosen)}"

    @property
    def is_foreign(self) -> bool:
        """Whether a function of a user builds the networks."""
        return ":" in self.architecture

    def as_dict(self) -> dict[str, Any]:
        """Dictionary of all hyper-parameters; None for those that the networks do not have."""
        absent = OF_BUILT_IN if self.is_foreign else ()
        return {
            field.name: None if field.name in absent else getattr(self, field.name)
            for field in fields(self)
        }


# A factor in addition to the hyper-parameters: depth and width varied together at a (nearly) fixed
# number of parameters.
FIXED_SIZE = "depth_at_fixed_size"

# Hyper-parameters of the built-in architectures, which say nothing of a module of a user.
OF_BUILT_IN = (
    *("depth", "width", "pooling", "activation", "biases", "normalization", "dropout"),
    *("dropout_from", "initialization", "init_scale"),
)

# How the label of a training image is replaced, where it is.
LABEL_NOISES = ("uniform", "other_class", "exact", "class_matrix")

# Hyper-parameters whose values are lists themselves → how deep the lists are.
LISTS = {"kept_steps": 1, "label_matrix": 2}

# Learning rate over the steps, after a warm-up.
SCHEDULES = ("step", "exponential", "cosine")

# The line search of L-BFGS compares values of one function, the loss, which must not change between
# evaluations; it has no learning rate.
NEEDED_BY_LBFGS = {
    **{"augmentation": "none", "normalization": "none", "dropout": 0, "weight_decay": 0},
    **{"schedule": "step", "warmup_steps": 0},
}


def contradictions(one: Hyperparameters, samples: int) -> Iterator[str]:
    """Yield one sentence for each reason why networks cannot be trained on so many samples."""
    if one.schedule not in SCHEDULES:
        yield f"schedule must be one of {', '.join(SCHEDULES)}, not {one.schedule!r}."
    if one.dropout_from > 1 and (not one.dropout or one.dropout_from >= one.depth):
        yield (
            "dropout_from must be 1 without dropout, and else a hidden layer, of which there are "
            f"{one.depth - 1}, not {one.dropout_from}."
        )
    if one.warmup_steps and one.warmup_steps >= one.max_steps:
        yield f"warmup_steps must be less than max_steps, {one.max_steps}, not {one.warmup_steps}."
    if one.optimizer == "lbfgs":
        for key, needed in NEEDED_BY_LBFGS.items():
            if (value := getattr(one, key)) != needed:
                yield f"{key} must be {needed!r} where optimizer is 'lbfgs', not {value!r}."
    elif one.normalization == "batch" and (samples - 1) % one.batch_size == 0:
        # The variance over one image is zero; torch.nn.BatchNorm1d refuses it as well.
        yield (
            f"batch_size must leave no batch of 1 of the {samples} training images where "
            f"normalization is 'batch', not {one.batch_size}."
        )


def label_noise_faults(one: Hyperparameters, classes: int) -> Iterator[str]:
    """Yield one sentence for each reason why labels of so many classes cannot be corrupted."""
    kind, matrix = one.label_noise, one.label_matrix
    if kind not in LABEL_NOISES:
        yield f"label_noise must be one of {', '.join(LABEL_NOISES)}, not {kind!r}."
    if kind != "uniform" and one.randomization == "random_labels":
        yield (
            f"label_noise must be 'uniform' where randomization is 'random_labels', not {kind!r}."
        )
    if (matrix is None) == (kind == "class_matrix"):
        need, found = ("given", "null") if matrix is None else ("null", "a matrix")
        yield f"label_matrix must be {need} where label_noise is {kind!r}, not {found}."
    for row, chances in enumerate(matrix or ()):
        if {len(matrix or ()), len(chances)} != {classes}:
            yield (
                f"label_matrix must have {classes} rows of {classes} numbers, one per class, not "
                f"{len(matrix or ())} rows and {len(chances)} numbers in row {row}."
            )
            return
        if min(chances) < 0 or abs(sum(chances) - 1) > 1e-6:
            yield (
                "label_matrix must have rows of probabilities whose sum is 1, but row "
                f"{row} is {list(chances)}."
            )


def canonical_arguments(arguments: Mapping[str, Any] | str | None) -> str | None:
    """Return keyword arguments as JSON with sorted keys, which tables can show; None if empty."""
    given = json.loads(arguments) if isinstance(arguments, str) else arguments
    return json.dumps(given, sort_keys=True) if given else None


def short_hash(settings: Mapping[str, Any]) -> str:
    """Hash settings to eight hex digits, independently of the order of their keys."""
    canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=4).hexdigest()


def expand_grid(grid: Mapping[str, Any]) -> Iterator[Hyperparameters]:
    """Expand a grid to all combinations of its values, or to a random sample of them.

    Args:
        grid: Hyper-parameter → value, or list of values to sweep over. ``kept_steps`` is itself a
            list, and ``label_matrix`` a list of lists; to sweep over them, give a list of such
            values. ``sample`` holds the number of
            combinations to draw, the ``seed``, and the ``paired`` keys, all of whose values are
            combined with every draw of the others for paired comparisons.

    Yields:
        Hyper-parameters, with the last key of the grid varying fastest; those of a sample in the
        order in which they are drawn, without replacement. A larger sample begins with the smaller
        one.
    """
    sample, choices = grid.get("sample"), choices_of(grid)
    if sample is None:
        combinations = product(*choices.values())
    else:
        paired = {key: choices[key] for key in sample.get("paired", ())}
        # Sorted, so that the draws do not depend on the order of keys in the file.
        others = {key: choices[key] for key in sorted(choices) if key not in paired}
        choices = others | paired
        draws = _draws(list(others.values()), sample["size"], sample.get("seed", 0))
        combinations = ((*draw, *values) for draw in draws for values in product(*paired.values()))
    for values in combinations:
        yield Hyperparameters(**dict(zip(choices, values, strict=True)))


def choices_of(grid: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the list of values of every hyper-parameter of a grid."""
    return {
        key: value if is_swept(key, value) else [value]
        for key, value in grid.items()
        if key != "sample"
    }


def _draws(choices: Sequence[Sequence[Any]], size: int, seed: int) -> Iterator[list[Any]]:
    """Draw random combinations without replacement, at most as many as exist."""
    generator, total = Random(seed), prod(map(len, choices))
    drawn: set[int] = set()
    while len(drawn) < min(size, total):
        position = generator.randrange(total)
        if position not in drawn:
            drawn.add(position)
            combination = []
            for values in choices:
                position, index = divmod(position, len(values))
                combination.append(values[index])
            yield combination


def is_swept(key: str, value: Any) -> bool:
    """Return whether the value of a grid is a list to sweep over."""
    if not isinstance(value, list):
        return False
    for _ in range(LISTS.get(key, 0)):
        value = value[0] if isinstance(value, list) and value else None
    return isinstance(value, list)
