"""Collect the similarities of all networks in one table."""

import argparse
import json
from pathlib import Path

from generalization.blocks import add_block_arguments, blocks_of_grids
from generalization.computed_on import counted_origins, without_origins
from generalization.errors import exit_on_input_error
from generalization.representations.similarity_tables import (
    collect_similarities,
    similarity_files,
)
from generalization.tables import write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--similarities", type=json.loads, required=True, help="names of their files, and pairs"
    )
    add_block_arguments(parser)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-computed-on", type=Path, required=True)
    arguments = parser.parse_args()

    ensembles = blocks_of_grids(arguments.ensembles, arguments.grids, arguments.seeds)
    files = similarity_files(ensembles, arguments.similarities)
    similarities = collect_similarities(files, arguments.seeds)
    write_table(arguments.output, without_origins(similarities))
    origins = counted_origins(similarities.assign(measure=similarities["similarity"]))
    write_table(arguments.output_computed_on, origins)


if __name__ == "__main__":
    with exit_on_input_error():
        main()
