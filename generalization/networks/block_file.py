"""The networks of a block of seeds, read where they are measured.

Training does not import it, since an edit would train all networks again.

Args:
    kept: Networks of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open

from generalization.errors import InputError
from generalization.networks.architectures import Architecture
from generalization.networks.networks_file import KeptNetworks, read_networks
from generalization.networks.stacked_networks import NORM

BLOCK = re.compile(r"seeds-(\d+)-(\d+)")

Shape = tuple[int, ...]


def read_block(path: Path | str, device: torch.device | str = "cpu") -> KeptNetworks:
    """Read networks, and verify that they are those of their folder and of their description.

    Args:
        path: File ``networks.safetensors`` of the block.
        device: Device to which all weights are read.

    Returns:
        The networks as they were written.

    Raises:
        InputError: If the file is missing, damaged, of another kind, ensemble or block, or holds
            tensors of other shapes than those of the networks that it describes.
    """  # noqa: DOC502
    kept = read_networks(path, device)
    check_block(path, kept.hyperparameters.name, kept.seeds)
    _check_shapes(path, kept)
    return kept


def check_block(path: Path | str, ensemble: str, seeds: Sequence[int]) -> None:
    """Refuse a file that was copied from elsewhere, before anything is computed from it.

    Args:
        path: The file; in a folder that is not ``ENSEMBLE/seeds-FIRST-LAST`` it may be any.
        ensemble: Ensemble of its networks, as it says.
        seeds: Their seeds.

    Raises:
        InputError: If it is of another ensemble, or of other seeds.
    """
    folder = Path(path).absolute().parent
    block = BLOCK.fullmatch(folder.name)
    if block is None:
        return
    first, last = map(int, block.groups())
    if (ensemble, list(seeds)) != (folder.parent.name, list(range(first, last + 1))):
        raise InputError(
            f"{path} must hold networks of {folder.parent.name} with seeds {first} to {last}, not "
            f"of {ensemble} with seeds {', '.join(map(str, seeds))}; without it the same command "
            "makes it again."
        )


def _check_shapes(path: Path | str, kept: KeptNetworks) -> None:
    """Refuse tensors that are not those of the networks that their file describes.

    Raises:
        InputError: If one is missing, is none of them, or has another shape.
    """
    with safe_open(path, framework="pt") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    stacked = len(kept.steps), len(kept.seeds)
    expected = {name: (*stacked, *shape) for name, shape in _shapes(kept, found)}
    wrong = [
        f"{name} must have shape {expected.get(name, 'none')}, not {found.get(name, 'none')}"
        for name in sorted({*found, *expected})
        if found.get(name) != expected.get(name)
    ]
    lengths = {len(kept.statuses), *map(len, kept.steps)}
    if lengths != {len(kept.seeds)}:
        wrong.append(f"{len(kept.seeds)} networks must have as many steps and statuses")
    if wrong:
        raise InputError(
            f"networks must have the shapes that {str(path)!r} describes ({wrong[0]}); without it "
            "the same command makes it again."
        )


def _shapes(kept: KeptNetworks, found: Mapping[str, Shape]) -> Iterator[tuple[str, Shape]]:
    """Yield name and shape of every tensor of one network.

    Args:
        found: Shapes in the file. Those of modules of a user are known to be right; inputs and
            classes of fully connected networks are those of their dataset.
    """
    one, architecture = kept.hyperparameters, kept.networks[0].architecture
    if one.is_foreign:
        yield from ((name, shape[2:]) for name, shape in found.items())
        return
    if isinstance(architecture, Architecture):
        weights = [layer.weight_shape for layer in architecture.weighted]
    else:
        widths = architecture[0], *[one.width] * (one.depth - 1), architecture[-1]
        weights = list(zip(widths[1:], widths, strict=False))
    for layer, shape in enumerate(weights):
        yield f"layers.{layer}.weight", shape
        if one.biases:
            yield f"layers.{layer}.bias", shape[:1]
        if one.normalization == "batch" and layer < len(weights) - 1:
            yield from ((f"layers.{layer}.{part}", shape[:1]) for part in NORM)
