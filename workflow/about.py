"""What a report says about its study: definitions, assumptions, versions. Imports no torch."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING

import numpy as np
from fingerprint import reached
from schema import read_yaml

from generalization.catalog import (
    ENSEMBLE_MEASURES,
    MEASURES,
    PROFILES,
    SIMILARITIES,
    TABLES,
    file_of,
)
from generalization.docstrings import definition, first_sentence
from generalization.names import readable

if TYPE_CHECKING:
    from planning import Study

ROOT = Path(__file__).parents[1]
PACKAGES = ("torch", "numpy", "pandas", "snakemake")
# Tables of every study, whose functions are named otherwise or stand in another file.
ALWAYS_DEFINED = {
    "statistics": ("fit_statistics", "generalization/statistics/fit_statistics.py"),
    "design": ("explained_by_design", "generalization/statistics/design.py"),
    "excluded": ("excluded", "generalization/statistics/selection.py"),
}
EVERY_STUDY = ("prepare_dataset", "train_ensemble", "measure_networks", "collect_measures")
EVERY_REPORT = ("fit_statistics", "summarize_study", "draw_figure")


def terms(study: Study) -> list[tuple[str, str, str]]:
    """List what a study measures and tabulates: kind, name and file with the docstring.

    Args:
        study: The study.
    """
    measures = dict.fromkeys(measure for measure, _ in study.measures.values())
    ensemble_measures = {measure for measure, _ in study.ensemble_measures.values()}
    parts = {
        "measure": [name for name in MEASURES if name in measures],
        "ensemble measure": [name for name in ENSEMBLE_MEASURES if name in ensemble_measures],
        "profile": [name for name in PROFILES if name in study.profiles],
        "similarity": [name for name in SIMILARITIES if name in study.similarities],
        "table": [name for name in TABLES if name in study.tables],
    }
    found = [(kind, name, file_of(name)) for kind, names in parts.items() for name in names]
    always = study.tables.intersection(ALWAYS_DEFINED) | {"excluded"}
    return found + [("table", name, ALWAYS_DEFINED[name][1]) for name in sorted(always)]


def definition_of(name: str) -> str:
    """Return the definition of a measure, profile, similarity, table or figure."""
    function, file = ALWAYS_DEFINED.get(name) or (name, file_of(name))
    return definition(ROOT / file, function)


def headline_of(name: str) -> str:
    """Return the first sentence of the definition of a measure, table or figure."""
    return first_sentence(definition_of(name))


def assumptions(files: Iterable[Path]) -> list[str]:
    """List what the sources leave open and was chosen here: comments that begin with ASSUME.

    Args:
        files: Python and YAML files.
    """
    found = []
    for file in files:
        comments = re.findall(r"# ASSUME: (.*(?:\n *# .*)*)", file.read_text(encoding="utf-8"))
        found += [re.sub(r"\s*\n *# ", " ", comment) for comment in comments]
    return found


def left_open(name: str) -> list[str]:
    """List the values of a study that its paper leaves open, from workflow/published_values.yaml.

    Args:
        name: Name of the study.
    """
    published = read_yaml(ROOT / "workflow/published_values.yaml")
    values = published.get(name, {}).get("values", ())
    return [
        f"Of this study: {value['key']} ({value['where']} leaves it open): {value['why']}."
        for value in values
        if value["paper"] == "open"
    ]


def files_of(study: Study) -> list[Path]:
    """List the modules that the jobs of a study use, through all imports.

    Args:
        study: The study.
    """
    scripts = {
        "profile_networks": study.profiles,
        "record_noisy_copies": "noise_clouds" in study.profiles,
        "record_activations": study.activations,
        "compare_representations": study.similarities,
        "measure_pairs": study.ensemble_measures,
        "derive_table": study.tables.intersection(TABLES),
        "check_measures": study.audit_checks,
    }
    scripts = [*EVERY_STUDY, *EVERY_REPORT, *(name for name, used in scripts.items() if used)]
    figures, _ = study.figures_and_pages
    entries = [*(file for _, _, file in terms(study)), *map(file_of, figures)]
    entries += [file_of(dataset) for dataset in study.classes if dataset not in study.own_datasets]
    entries += ["scripts/prepare_own_dataset.py"] if study.own_datasets else []
    rooms = dict.fromkeys(room for rooms in study.rooms.values() for room in rooms)
    claims = [f"generalization/experiments/{room}/claims.py" for room in rooms]
    found = reached(*(f"scripts/{name}.py" for name in scripts), *entries, *claims)
    return sorted(found)


def about(study: Study, files: Sequence[str], *, reported: bool = False) -> dict[str, object]:
    """Collect what the report says of how its results came about.

    Args:
        study: The study.
        files: Its configuration file.
        reported: Whether a report is written, for which torch is asked for its BLAS.

    Returns:
        ``definitions`` of what it measures and tabulates, ``assumptions``, ``commit``,
        ``versions`` and ``settings``, the text of the file.
    """
    configs = [Path(file) for file in files]
    return {
        "definitions": [
            {"kind": described, "name": readable(name), "file": file, "text": definition_of(name)}
            for kind, name, file in terms(study)
            for described in [f"{kind}, sees {_seen(name)} labels" if kind == "measure" else kind]
        ],
        "assumptions": [
            *(f"Of this study: {choice}" for choice in assumptions(configs)),
            *left_open(study.name),
            *assumptions(files_of(study)),
        ],
        "commit": commit(),
        "versions": versions() | (blas_of_torch() if reported else {}),
        "settings": "".join(file.read_text(encoding="utf-8") for file in configs),
    }


def _seen(name: str) -> str:
    """Return the labels that a measure sees, in words."""
    return MEASURES[name].sees.replace("none", "no")


def titles_of(files: Iterable[str]) -> dict[str, str]:
    """Return study → title, of configuration files that there are."""
    titles = {}
    for file in map(Path, files):
        if file.is_file():
            found = read_yaml(file)
            titles[file.stem] = found.get("title", file.stem)
    return titles


def commit(folder: Path = ROOT) -> str:
    """Return the commit of a checkout, and whether files differ from it; empty outside of git."""
    command = ("git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12")
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip().replace("-dirty", " with uncommitted changes")


def versions() -> dict[str, str]:
    """Return the versions of Python, and of packages and libraries that decide over numbers."""
    found = {"Python": python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return found | {"BLAS of numpy": f"{blas['name']} {blas['version']}"}


def is_reported(arguments: Sequence[str]) -> bool:
    """Return whether a command of Snakemake writes a report."""
    return any(word.partition("=")[0] == "--report" for word in arguments)


def blas_of_torch() -> dict[str, str]:
    """Return the name of the BLAS of torch, and its version where torch tells it."""
    # Another process imports torch, so that planning needs neither its time nor its memory.
    command = (sys.executable, "-c", "import torch; print(torch.__config__.show())")
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"BLAS of torch": told_blas(told.stdout)}


def told_blas(configuration: str) -> str:
    """Return the BLAS of a build of torch in the words of numpy: name and version.

    Args:
        configuration: Text of ``torch.__config__.show()``.
    """
    name = re.search(r"\bBLAS_INFO=(\w+)", configuration)
    mkl = re.search(r"Math Kernel Library Version ([\d.]+)", configuration)
    if name is None:
        return "unknown"
    return f"{name[1]} {mkl[1]}" if name[1] == "mkl" and mkl else name[1]
