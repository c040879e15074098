"""Tables of similarities of the pairs of blocks of seeds that were compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from generalization.collecting import read_tables
from generalization.hyperparameters import Hyperparameters

PLACE = ("ensemble", "seed", "step", "layer")
SCORE = ("value", "null", "samples", "units_a", "units_b", "held_out", "status")
COLUMNS = ["similarity", "pairs", *(f"{key}_{side}" for side in "ab" for key in PLACE), *SCORE]


def similarity_files(
    ensembles: Iterable[tuple[Hyperparameters, list[Path]]],
    similarities: Mapping[str, Iterable[str]],
) -> Iterator[Path]:
    """Find the tables of all pairs of blocks, in the order of similarities and names of ensembles.

    Args:
        ensembles: Ensembles with the folders of their blocks, as of ``blocks_of_grids``.
        similarities: Name of the files of a similarity → pairs: ``over_training``,
            ``between_seeds``, ``between_ensembles``.
    """
    blocks_of = dict(sorted((ensemble.name, blocks) for ensemble, blocks in ensembles))
    for name, every_pairs in similarities.items():
        for pairs in every_pairs:
            for block in (block for blocks in blocks_of.values() for block in blocks):
                # Those that are there: there are as many pairs as the square of the ensembles.
                compared = block / f"similarities/{name}/{pairs}"
                there = compared.iterdir() if compared.is_dir() else ()
                for folder in sorted(one for one in there if one.name in blocks_of):
                    yield from sorted(folder.glob("*.csv"))


def collect_similarities(files: Iterable[Path], seeds: int) -> pd.DataFrame:
    """Return the similarities of the first seeds in one table.

    Args:
        files: Tables of pairs of blocks.
        seeds: Number of seeds; a block may hold more.
    """
    found = list(files)
    if not found:  # As where ensembles have one network, whose seeds are not compared.
        return pd.DataFrame(columns=COLUMNS)
    wanted = f"seed_a <= {seeds} and seed_b <= {seeds}"
    return read_tables(found).query(wanted).reset_index(drop=True)
