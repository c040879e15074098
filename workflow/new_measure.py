"""Write the skeletons of a measure and its test, and print the entries that it needs."""

import re
import sys
from argparse import ArgumentParser
from pathlib import Path

ROOT = Path(__file__).parents[1]

MEASURE = '''"""TODO: the quantity, in one sentence."""

from jaxtyping import Float, Float64
from torch import Tensor

from generalization.networks.modules import Networks


def NAME(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
) -> Float64[Tensor, "networks samples"]:
    """TODO: the formula, and the paper that defines it.

    TODO: if the code differs from the formula, derive the one from the other.

    Returns:
        R × N values, TODO: their unit. The measure of a network is their mean.

    Raises:
        NotImplementedError: Until the measure is written.
    """
    raise NotImplementedError("NAME is not written yet.")
'''

TEST = """import torch
from oracles.softmax_jacobian import random_networks

from generalization.measures.NAME import NAME


def test_equals_its_definition():
    networks = random_networks((9, 7, 4), count=2)
    inputs = torch.randn(5, 9, generator=torch.Generator().manual_seed(1)).double()
    values = NAME(networks, inputs)
    assert values.shape == (2, 5)
    # TODO: compare the values with a closed form or with a slow implementation of the definition.
    raise NotImplementedError("NAME is not tested yet.")
"""

ENTRIES = """Add to MEASURES in generalization/catalog.py:

    "NAME": Measure(),

Add to $defs.measures.properties in workflow/schemas/study.schema.yaml
(without_settings instead of of_points if the measure needs no test inputs):

      NAME:
        description: The quantity, in one sentence.
        $ref: "#/$defs/of_points"
"""


def main() -> None:
    """Check the name, write two files, print two entries."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default="")
    name = parser.parse_args().name

    # The measure names files and wildcards of the workflow; file names are unique in the package.
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        sys.exit(f"NAME must be lower-case letters, digits and underscores, not {name!r}.")
    if taken := next(ROOT.joinpath("generalization").rglob(f"{name}.py"), None):
        sys.exit(f"NAME must be new, but {taken.relative_to(ROOT)} exists.")

    files = {
        f"generalization/measures/{name}.py": MEASURE,
        f"tests/measures/test_{name}.py": TEST,
    }
    for file, skeleton in files.items():
        ROOT.joinpath(file).write_text(skeleton.replace("NAME", name))
        print(f"Wrote {file}.")
    print(f"\n{ENTRIES.replace('NAME', name)}", end="")


if __name__ == "__main__":
    main()
