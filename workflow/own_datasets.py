"""Datasets of a user to train on: their sources, and what is known of them before planning.

A source is read when it has changed, which its files' sizes and modification times tell; what was
found is kept in ``results/datasets/<name>.json``. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from check_catalog import NAME
from fingerprint import fingerprint
from own_code import kept_answer, state_of
from own_study import existing
from schema import listed, shown

from generalization.catalog import DATASETS, Shape
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters

PARTS = ("train", "test")
LONGEST_NAME = 40


@dataclass(frozen=True)
class DeclaredDataset:
    """A dataset that a study declares.

    Attributes:
        about: ``train`` and ``test``, the sources, and further settings.
        folders: Folders in which modules of the user are looked for.
        shape: Numbers of images, channels, pixels and classes.
        sha256: Digest of the prepared contents.
        constant: An input that cannot be normalized, or nothing.
    """

    about: dict[str, Any]
    folders: list[str]
    shape: Shape
    sha256: str
    constant: str


def read_own_datasets(
    config: Mapping[str, Any], files: Sequence[str]
) -> dict[str, DeclaredDataset]:
    """Read the datasets that a study declares, and check them before anything is computed.

    Args:
        config: Content of the YAML file of the study.
        files: The file itself; sources are relative to its folder, or else to the working
            directory.

    Raises:
        InputError: If a name, a source or its contents are impossible.
    """
    folder = Path(files[0]).parent if files else Path()
    declared = config.get("own_datasets", {})
    for name in declared:
        if not re.fullmatch(NAME, str(name)) or len(name) > LONGEST_NAME:
            raise InputError(
                f"names of own_datasets must match {NAME} and have at most {LONGEST_NAME} "
                f"characters, not {shown(name)}."
            )
        if name in DATASETS:
            raise InputError(f"names of own_datasets must be new, not {name!r}.")
    return {name: _described(name, about, folder) for name, about in declared.items()}


def impossible_with(one: Hyperparameters, own: DeclaredDataset) -> Iterator[str]:
    """Yield a sentence for every hyper-parameter that a dataset of a user does not allow."""
    if own.constant and one.input_normalization == "each_image":
        yield (
            f"input_normalization must be 'none' where {own.constant} of {one.dataset} is "
            f"constant, not {one.input_normalization!r}."
        )
    if own.shape.height == 1 and one.augmentation != "none":
        yield (
            f"augmentation must be 'none' where {one.dataset} is a table, not {one.augmentation!r}."
        )


def _described(name: str, about: Mapping[str, Any], folder: Path) -> DeclaredDataset:
    """Describe a dataset, anew if its sources have changed."""
    sources = {part: existing(f"own_datasets.{name}.{part}", about[part], folder) for part in PARTS}
    request = {
        "name": name,
        "about": {**about, **sources},
        "folders": [str(folder), "."],
    }
    state = {
        "code": fingerprint("scripts/prepare_own_dataset.py"),
        "files": [state_of(source, request["folders"]) for source in sources.values()],
    }
    description = kept_answer(
        Path(f"results/datasets/{name}.json"),
        "workflow/describe_dataset.py",
        request,
        f"own_datasets.{name} must be readable, but {listed(sources.values())}",
        state=state,
    )
    return DeclaredDataset(
        about=request["about"],
        folders=request["folders"],
        shape=Shape(*description["shape"]),
        sha256=description["sha256"],
        constant=description["constant"],
    )
