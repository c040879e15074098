"""A study of networks that were trained elsewhere: its manifest. Imports no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from own_checks import check_shared
from own_code import code_of
from schema import listed, shown

from generalization.datasets.own_tables import column_names, words_of
from generalization.errors import InputError
from generalization.hyperparameters import short_hash
from generalization.networks.foreign_architecture import PLACE
from generalization.tables import PERFORMANCE, read_table

REQUIRED = ["group", "seed", "factory", "weights"]
OPTIONAL = ["arguments", "initial_weights", "train_accuracy", "test_accuracy"]
TEXT = ("group", "seed", "factory", "arguments", "weights", "initial_weights")
# Parts of a study that need networks which it has trained itself.
ONLY_TRAINED = (
    *("ensembles", "seeds", "profiles", "similarities", "activations", "fitting"),
    "regularization",
    *("comparisons", "papers", "data_root", "ensemble_measures", "audit_checks", "own_datasets"),
)


@dataclass(frozen=True)
class OwnNetwork:
    """A row of a manifest.

    Attributes:
        ensemble: Group of networks that share their hyper-parameters.
        seed: Tells the networks of a group apart.
        factory: ``package.module:function`` that builds the network.
        arguments: Keyword arguments of the factory.
        weights: Files of its weights: as they are, and before training if there is a second.
        accuracies: Train and test accuracy, if they are known.
    """

    ensemble: str
    seed: int
    factory: str
    arguments: dict[str, Any]
    weights: tuple[str, ...]
    accuracies: dict[str, float]

    @property
    def name(self) -> str:
        """Name of the folder of its results: another row has another one."""
        slug = re.sub(r"[^a-z0-9]+", "_", self.ensemble.lower()).strip("_")[:40] or "group"
        about = [self.ensemble, self.seed, self.factory, self.arguments, self.weights]
        return f"{slug}-{self.seed}-{short_hash({'network': about})}"

    @property
    def as_row(self) -> dict[str, Any]:
        """Everything that the job of this network is told."""
        keys = ("ensemble", "seed", "factory", "arguments")
        return {key: getattr(self, key) for key in keys}


@dataclass(frozen=True)
class OwnNetworks:
    """Networks of a user, and what they are measured on.

    Attributes:
        file: The manifest.
        networks: Folder name → network.
        hyperparameters: Ensemble → hyper-parameter → value.
        data: ``train`` and ``test``, each the source of data, and the ``loss``.
        files: Files among the sources of data.
        folders: Folders in which modules of the user are looked for.
        repeats: Draws of a sampled measure.
    """

    file: str
    networks: dict[str, OwnNetwork]
    hyperparameters: dict[str, dict[str, Any]]
    data: dict[str, str]
    files: list[str]
    folders: list[str]
    repeats: int

    @property
    def manifest(self) -> dict[str, Any]:
        """Everything that is joined with the results."""
        accuracies = [
            {"ensemble": one.ensemble, "seed": one.seed}
            | {key: one.accuracies.get(key) for key in ("train_accuracy", "test_accuracy")}
            for one in self.networks.values()
        ]
        return {
            "networks": list(self.networks),
            "hyperparameters": self.hyperparameters,
            "accuracies": accuracies,
        }

    def code_of(self, place: str) -> str:
        """Hash the code of a user on which a function depends; empty if it is installed."""
        return code_of(place, tuple(self.folders))


def read_own_networks(config: Mapping[str, Any]) -> OwnNetworks:
    """Read the manifest of a study, and check it before anything is computed.

    Raises:
        InputError: If a key, a column, a file or a row is missing, twice or impossible.
    """
    for key in ONLY_TRAINED:
        if key in config:
            raise InputError(f"{key} must be left out of a study of own networks, which are given.")
    if "data" not in config:
        raise InputError("data must be given for own networks: {train: …, test: …}.")
    manifest = Path(config["networks"]["manifest"])
    if not manifest.is_file():
        raise InputError(f"networks.manifest must be a CSV file, not {shown(str(manifest))}.")
    table = _read(manifest)
    for sentence in _faults(table, manifest):
        raise InputError(sentence)
    folder, keys = manifest.parent, _hyperparameters(table)
    networks = [_network(row, folder) for row in table.to_dict("records")]
    data = {"loss": "cross_entropy"} | config["data"]
    files = [existing(f"data.{key}", data[key], folder) for key in ("train", "test")]
    data |= dict(zip(("train", "test"), files, strict=True))
    own = OwnNetworks(
        file=str(manifest),
        networks={one.name: one for one in networks},
        hyperparameters={
            group: {"dataset": Path(config["data"]["train"]).stem} | rows[keys].iloc[0].to_dict()
            for group, rows in table.astype({"group": str}).groupby("group", sort=False)
        },
        data=data,
        files=[file for file in files if ":" not in file],
        folders=[str(folder), "."],
        repeats=config["networks"].get("repeats", 3),
    )
    factories = {one.factory: (one.ensemble, one.seed) for one in reversed(networks)}
    check_shared(own.file, factories, files, own.folders)
    return own


def _read(manifest: Path) -> pd.DataFrame:
    """Read a manifest, in which names, files and arguments are text, and blank cells are missing.

    Raises:
        InputError: If a column is missing, or has no name.
    """  # noqa: DOC502
    table = read_table(manifest, REQUIRED)
    columns = [one for one in column_names(manifest, str(manifest)) if one in TEXT]
    words = words_of(manifest, str(manifest), columns)
    return table.assign(**words.where(words.apply(lambda column: column.str.strip() != "")))


def _hyperparameters(table: pd.DataFrame) -> list[str]:
    return [column for column in table if column not in {*REQUIRED, *OPTIONAL}]


def _faults(table: pd.DataFrame, manifest: Path) -> Iterator[str]:
    """Yield a sentence for everything that keeps rows from being networks."""
    if table.empty:
        yield f"{manifest} must have at least one row, not none."
    for column in REQUIRED:
        if table[column].isna().any():
            line = int(table[column].isna().idxmax()) + 2
            yield f"{column} of {manifest} must be given in line {line}."
    whole = table["seed"].str.fullmatch(r"[+-]?\d{1,18}").tolist()
    if not all(whole):
        row = whole.index(False)
        found = shown(table["seed"].iloc[row])
        yield f"seed of {manifest} must be an integer, not {found} in line {row + 2}."
    again = table.assign(seed=table["seed"].astype(int)).duplicated(["group", "seed"])
    if again.any():
        row = table[again].iloc[0]
        yield (
            f"{manifest} must have one row per network, but group {row['group']}, seed "
            f"{row['seed']} occurs twice."
        )
    for factory in table["factory"].unique():
        if not PLACE.fullmatch(str(factory)):
            yield f"factory of {manifest} must be package.module:function, not {shown(factory)}."
    for key in _hyperparameters(table):
        if key in {*PERFORMANCE, "ensemble", "step", "measure", "value", "status", "final"}:
            yield f"columns of {manifest} must have names of their own, not {key}."
        counts = table.groupby("group")[key].nunique(dropna=False)
        if (counts > 1).any():
            yield (
                f"{key} of {manifest} must be the same for all networks of a group, but has "
                f"{counts.max()} values in group {counts.idxmax()}."
            )
    for key in ("train_accuracy", "test_accuracy"):
        given = table.get(key, pd.Series(dtype=float)).dropna()
        wrong = given[~pd.to_numeric(given, errors="coerce").between(0, 1)]
        if len(wrong):
            yield f"{key} of {manifest} must be from 0 to 1, not {shown(wrong.tolist()[0])}."


def _network(row: Mapping[str, Any], folder: Path) -> OwnNetwork:
    """Read a row.

    Raises:
        InputError: If its arguments are no JSON object, or a file is missing.
    """
    name = f"group {row['group']}, seed {row['seed']}"
    text = row.get("arguments")
    try:
        arguments = json.loads(text) if isinstance(text, str) else {}
    except json.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise InputError(f"arguments of {name} must be a JSON object, not {shown(text)}.")
    weights = {
        f"{key} of {name}": row[key]
        for key in ("weights", "initial_weights")
        if isinstance(row.get(key), str)
    }
    accuracies = {key: row.get(key) for key in ("train_accuracy", "test_accuracy")}
    return OwnNetwork(
        ensemble=str(row["group"]),
        seed=int(row["seed"]),
        factory=row["factory"],
        arguments=arguments,
        weights=tuple(_file(key, one, folder) for key, one in weights.items()),
        accuracies={
            key: float(one) for key, one in accuracies.items() if one == one and one is not None
        },
    )


def existing(key: str, source: str, folder: Path) -> str:
    """Return a path relative to here; a function stays what it is.

    Raises:
        InputError: If there is no such file.
    """  # noqa: DOC502
    return source if PLACE.fullmatch(source) else _path(key, source, folder)


def _path(key: str, source: str, folder: Path) -> str:
    """Return a path relative to here.

    Raises:
        InputError: If there is no such file.
    """
    for path in (folder / source, Path(source)):
        if path.exists():
            return str(path)
    raise InputError(f"{key} must be a file, not {shown(source)}: there is none in {folder}.")


def _file(key: str, source: str, folder: Path) -> str:
    """Return the path of a file that is not empty, relative to here.

    Raises:
        InputError: If it is a folder, or empty, or nothing.
    """
    path = _path(key, source, folder)
    if not Path(path).is_file() or not Path(path).stat().st_size:
        found = "an empty file" if Path(path).is_file() else "a folder"
        raise InputError(f"{key} must be a file of weights, not {shown(source)}, {found}.")
    return path


def known_measures(measures: Sequence[str], layered: Sequence[str]) -> Iterator[str]:
    """Yield a sentence if measures need stacks of fully connected networks."""
    found = sorted(set(measures) & set(layered))
    if found:
        yield f"measures of own networks must take any module, which {listed(found)} cannot."
