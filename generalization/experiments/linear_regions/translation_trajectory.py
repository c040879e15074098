"""Trajectory of one image, and every place on it where a linear region ends."""

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from generalization.experiments.linear_regions.bitmaps import gray_levels, packed
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.reading import reads_stacks
from generalization.regions.crossings import crossings
from generalization.regions.trajectories import translation_loops

COLUMNS = ["network", "kind", "layer", "position", "row", "pixels"]


@reads_stacks
def translation_trajectory(
    networks: FullyConnectedNetworks, inputs: Float[Tensor, "samples channels height width"]
) -> pd.DataFrame:
    """Places of all transitions around the horizontal translations of the first image.

    They are those that ``transitions`` counts in float64 (Novak et al. 2018, §3 and Fig. App. 9),
    none of them sampled. Tanh has no linear regions, thus no such places.

    Source: Novak et al. 2018, §3 and Fig. App. 9.

    Args:
        inputs: Images, of which only the first is used.

    Returns:
        Columns ``COLUMNS``. Rows are of two kinds; columns of the other kind are empty:

        ``layer``, ``position``
            For a ``transition``: hidden layer (1 … depth − 1), and number of translations by one
            pixel up to there (0 … width), with a fraction.
        ``row``, ``pixels``
            For an ``image``: number of the row of pixels (0 … height − 1), and its gray levels, the
            means over channels, from 0 (the minimum of the image) to 255 (the maximum), as ``0x``
            and two hexadecimal digits each.

    Raises:
        ValueError: If the inputs are not images.
    """  # noqa: DOC502
    loop = translation_loops(inputs[:1].double()).flatten(2)
    pixels = packed(gray_levels(inputs[0].cpu().numpy()))
    image = pd.DataFrame({"kind": "image", "row": range(len(pixels)), "pixels": pixels})
    tables = []
    for position, network in enumerate(networks.to(torch.float64)):
        found = _transitions(network, loop) if network.phi.piecewise_linear else image[:0]
        tables.append(pd.concat([image, found]).assign(network=position))
    table = pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)
    return table.astype({"layer": "Int64", "position": float, "row": "Int64"})


def _transitions(
    network: FullyConnectedNetworks, loop: Float[Tensor, "one vertices features"]
) -> pd.DataFrame:
    """Rows of all crossings, in order."""
    found = crossings(network, loop)
    return pd.DataFrame({
        "kind": "transition",
        "layer": found.layer.cpu().numpy() + 1,
        "position": found.position.cpu().numpy(),
    })
