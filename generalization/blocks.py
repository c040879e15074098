"""Blocks of seeds: the folders of an ensemble, one per training job. Imports no torch."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

from generalization.hyperparameters import Hyperparameters, expand_grid


def seed_blocks(ensemble: Path, seeds: int, most: int | None = None) -> list[str]:
    """Name the folders that hold the seeds 1, 2, … of an ensemble.

    A block of seeds is trained by one job, as one stack. Existing blocks are kept, and all other
    seeds form new blocks, so that only added seeds are trained.

    Args:
        ensemble: Folder of the ensemble.
        seeds: Number of seeds needed. A block may hold more.
        most: Largest number of seeds of a new block, if there is a limit.

    Returns:
        Names ``seeds-<first>-<last>``, in ascending order.
    """
    names = (path.name for path in ensemble.glob("seeds-*-*") if path.is_dir())
    existing = sorted(tuple(map(int, name.split("-")[1:])) for name in names)
    blocks, needed = [], 1
    for first, last in existing:
        if first > seeds or last < needed:
            continue
        blocks += _new_blocks(needed, first - 1, most)
        blocks.append((first, last))
        needed = last + 1
    blocks += _new_blocks(needed, seeds, most)
    return [f"seeds-{first}-{last}" for first, last in blocks]


def _new_blocks(first: int, last: int, most: int | None) -> list[tuple[int, int]]:
    """Return the first and the last seed of new blocks, from the first seed to the last."""
    step = most or max(1, last - first + 1)
    return [(begin, min(begin + step - 1, last)) for begin in range(first, last + 1, step)]


def paired_blocks(blocks: Sequence[str]) -> list[tuple[str, str]]:
    """List the pairs of blocks of an ensemble that hold its pairs of seeds.

    Args:
        blocks: Names, in ascending order, as of ``seed_blocks``.

    Returns:
        Every block with itself, unless it holds a single seed, and with every later one.
    """
    alone = {block for block in blocks if len(set(block.split("-")[1:])) == 1}
    return [
        (one, other)
        for one, other in combinations_with_replacement(blocks, 2)
        if one != other or one not in alone
    ]


def add_block_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``blocks_of_grids`` to the parser of a script that collects results.

    The scripts that train and measure do not use it, since an edit would rerun all of them.
    """
    parser.add_argument("--ensembles", type=Path, required=True, help="folder of all ensembles")
    parser.add_argument("--grids", type=json.loads, required=True, help="ensembles of the study")
    parser.add_argument("--seeds", type=int, required=True, help="networks per ensemble")


def blocks_of_grids(
    ensembles: Path, grids: Iterable[Mapping[str, Any]], seeds: int
) -> list[tuple[Hyperparameters, list[Path]]]:
    """Find the blocks of every ensemble of a study.

    Args:
        ensembles: Folder of all ensembles.
        grids: Grids of hyper-parameters, as in the configuration of the study.
        seeds: Networks per ensemble. The last block may hold more.

    Returns:
        Every ensemble, in the order of the grids, with its folders, in the order of the seeds.
    """
    different = {one.name: one for grid in grids for one in expand_grid(grid)}
    return [
        (one, [ensembles / name / block for block in seed_blocks(ensembles / name, seeds)])
        for name, one in different.items()
    ]
