"""Architectures of a user to train, and what is known of them before planning.

An architecture is built in a process of its own when its code or its arguments have changed; what
was found is kept in ``results/architectures``. Imports no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fingerprint import fingerprint
from own_code import answer_of, code_of

from generalization.catalog import Shape
from generalization.errors import InputError
from generalization.files import read_kept, write_kept
from generalization.hyperparameters import Hyperparameters, short_hash
from generalization.networks.foreign_architecture import ForeignArchitecture

KEPT = Path("results/architectures")


@dataclass(frozen=True)
class DeclaredArchitecture:
    """An architecture of a user that a study trains.

    Attributes:
        architecture: The function and what it is called with.
        code: Hash of the module of the function and of what it imports.
        about: What ``described_architecture`` found.
    """

    architecture: ForeignArchitecture
    code: str
    about: Mapping[str, Any]


def architecture_seen_by(one: Hyperparameters, shape: Shape) -> ForeignArchitecture:
    """Return the architecture of an ensemble, for the images that its networks see."""
    sides = (shape.height, shape.width) if one.crop is None else (one.crop, one.crop)
    return ForeignArchitecture.of(one, (shape.channels, *sides), shape.classes)


def read_architectures(
    ensembles: Mapping[str, Hyperparameters], shapes: Mapping[str, Shape], folders: Sequence[str]
) -> dict[str, DeclaredArchitecture]:
    """Describe the architectures of a user, and refuse what cannot be trained.

    Args:
        ensembles: Name → hyper-parameters.
        shapes: Dataset → shape.
        folders: Folders in which modules are looked for.

    Returns:
        Ensemble → architecture, of those that have one of a user.

    Raises:
        InputError: If one cannot be built, or contradicts other hyper-parameters.
    """
    wanted = {
        name: architecture_seen_by(one, shapes[one.dataset])
        for name, one in ensembles.items()
        if one.is_foreign
    }
    described = _described(list(dict.fromkeys(wanted.values())), folders)
    found = {name: described[architecture] for name, architecture in wanted.items()}
    for name, declared in found.items():
        one = ensembles[name]
        for sentence in _impossible(one, declared, one.train_size or shapes[one.dataset].train):
            raise InputError(sentence)
    return found


def _impossible(
    one: Hyperparameters, declared: DeclaredArchitecture, samples: int
) -> Iterator[str]:
    """Yield a sentence for every contradiction of hyper-parameters with what modules do."""
    couples, draws = declared.about["couples"], declared.about["draws"]
    if one.optimizer == "lbfgs" and (couples or draws):
        yield (
            f"optimizer must not be 'lbfgs' where {one.architecture} "
            f"{'draws random numbers' if draws else 'computes statistics of batches'}, "
            "since its line search compares values of one function."
        )
    if couples and one.optimizer != "lbfgs" and (samples - 1) % one.batch_size == 0:
        yield (
            f"batch_size must leave no batch of 1 of the {samples} training images where "
            f"{one.architecture} computes statistics of batches, not {one.batch_size}."
        )


def _described(
    architectures: Sequence[ForeignArchitecture], folders: Sequence[str]
) -> dict[ForeignArchitecture, DeclaredArchitecture]:
    """Describe architectures, anew where their code has changed."""
    counting = fingerprint("workflow/describe_architecture.py")
    states = {
        one: json.loads(json.dumps(asdict(one)))
        | {"code": code_of(one.place, tuple(folders)), "counting": counting}
        for one in architectures
    }
    files = {one: KEPT / f"{short_hash(asdict(one))}.json" for one in architectures}
    known = {one: read_kept(files[one]) for one in architectures}
    new = [one for one in architectures if known[one].get("state") != states[one]]
    for one, about in zip(new, _descriptions(new, folders), strict=True):
        known[one] = {"state": states[one], "about": about}
        write_kept(files[one], known[one])
    return {
        one: DeclaredArchitecture(one, states[one]["code"], known[one]["about"])
        for one in architectures
    }


def _descriptions(
    architectures: Sequence[ForeignArchitecture], folders: Sequence[str]
) -> list[dict[str, Any]]:
    """Build architectures in a process of its own.

    Raises:
        InputError: If one cannot be built.
    """  # noqa: DOC502
    if not architectures:
        return []
    request = {
        "folders": list(folders),
        "architectures": [list(asdict(one).values()) for one in architectures],
    }
    places = ", ".join(dict.fromkeys(one.place for one in architectures))
    need = f"architecture must build networks, but {places}"
    return answer_of("workflow/describe_architecture.py", request, need)
