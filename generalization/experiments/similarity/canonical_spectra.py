"""Single canonical correlations of layers with their end and with another seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generalization.experiments.similarity.projection_accuracy import partners
from generalization.experiments.similarity.stable_directions import (
    END,
    SEED,
    STABLE,
    UNSTABLE,
    reference_step,
)
from generalization.networks.layer_activations import layer_activations
from generalization.networks.reading import reads_stacks
from generalization.networks.stacked_networks import StackedNetworks
from generalization.representations.null_levels import null_mean_correlation
from generalization.units.directions import principal_scores

COLUMNS = ["network", "layer", "compared", "rank", "correlation", "mean", "directions", "null"]
MOST_RANKS = 21

Scores = Float64[Tensor, "points kept"]


@reads_stacks
@torch.no_grad()
def canonical_spectra(
    networks: StackedNetworks,
    inputs: Float[Tensor, "samples *features"],
    members: pd.DataFrame,
    *,
    explained_variance: float = 0.99,
    share: float = 0.25,
) -> pd.DataFrame:
    """Canonical correlations ρ₁ ≥ ρ₂ ≥ … of every layer, one by one.

    Raghu et al. 2017 and Morcos, Raghu & Bengio 2018 draw them beside their mean. A layer is
    ``compared`` with

    ``end``
        The same layer of the same network at its last step, at every kept step before it.
    ``seed``
        The same layer of the next seed, both at their last step.
    ``stable``, ``unstable``
        Directions of the same layer at its last step, at every kept step before it. They are the
        canonical variates of the last step, ordered by their correlation with the layer at half of
        training: the first share of them, and as many of the last. What stays correlated with the
        layer at other steps is signal in the words of Morcos et al., what does not is noise.

    Units of a convolution are its channels, every position of an input is a point of theirs.

    Args:
        explained_variance: Share of the variance of every layer that is kept, as by SVCCA.
        share: Share of the directions that count as stable, and as unstable.

    Returns:
        One row per network, layer, comparison and rank, with the columns ``COLUMNS``. At most 21
        ranks are listed, evenly spaced from the first to the last; ``mean`` is that over all
        ``directions``, and ``null`` what it is between independent layers.
    """
    partner = partners(members)
    tables = []
    for _, steps in members.groupby("seed", sort=False):
        if not steps["final"].any():
            continue
        last = int(steps.index[steps["final"]][0])
        ends = _scores(networks, last, inputs, explained_variance)
        tables += _of_seed(last, partner, ends, networks, inputs, explained_variance)
        earlier = steps[~steps["final"]]
        if earlier.empty:
            continue
        directions = _split_directions(
            networks, inputs, earlier, members["step"][last], ends, explained_variance, share
        )
        for position in earlier.index:
            scores = _scores(networks, position, inputs, explained_variance)
            for layer, (now, end) in enumerate(zip(scores, ends, strict=True)):
                compared = {END: end} | directions.get(layer, {})
                tables += [_rows(position, layer, *pair, now) for pair in compared.items()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def shown_ranks(directions: int) -> np.ndarray:
    """Ranks from 1 to the number of directions, at most 21, evenly spaced."""
    return np.unique(np.linspace(1, directions, min(directions, MOST_RANKS)).round().astype(int))


def _scores(
    networks: StackedNetworks,
    position: int,
    inputs: Float[Tensor, "samples *features"],
    explained_variance: float,
) -> list[Scores]:
    """Orthonormal principal scores of every layer of a network."""
    return [
        principal_scores(layer[0].movedim(1, -1).flatten(0, -2), explained_variance)
        for layer in layer_activations(networks[[position]], inputs)
    ]


def _of_seed(
    last: int,
    partner: dict[int, int],
    ends: list[Scores],
    networks: StackedNetworks,
    inputs: Float[Tensor, "samples *features"],
    explained_variance: float,
) -> Iterator[pd.DataFrame]:
    """Yield the rows of a network at its last step beside another seed, if there is one."""
    if last in partner:
        others = _scores(networks, partner[last], inputs, explained_variance)
        for layer, (one, other) in enumerate(zip(ends, others, strict=True)):
            yield _rows(last, layer, SEED, other, one)


def _split_directions(
    networks: StackedNetworks,
    inputs: Float[Tensor, "samples *features"],
    earlier: pd.DataFrame,
    last: int,
    ends: list[Scores],
    explained_variance: float,
    share: float,
) -> dict[int, dict[str, Scores]]:
    """Map layers to their stable and unstable directions at the last step."""
    reference = reference_step(earlier["step"], last)
    if reference is None:
        return {}
    position = int(earlier.index[earlier["step"] == reference][0])
    found = {}
    then_of_layers = _scores(networks, position, inputs, explained_variance)
    for layer, (end, then) in enumerate(zip(ends, then_of_layers, strict=True)):
        # All left singular vectors: what is orthogonal to the earlier layer correlates least.
        ordered = end @ torch.linalg.svd(end.mT @ then, full_matrices=True).U
        count = max(1, round(share * ordered.shape[1]))
        # Of fewer directions, the two groups would share some.
        if 2 * count <= ordered.shape[1]:
            found[layer] = {STABLE: ordered[:, :count], UNSTABLE: ordered[:, -count:]}
    return found


def _rows(position: int, layer: int, compared: str, of: Scores, now: Scores) -> pd.DataFrame:
    """Rows of one comparison."""
    correlations = torch.linalg.svdvals(of.mT @ now).clamp(0, 1).cpu().numpy()
    directions = len(correlations)
    # A direction that the other layer lacks correlates by 0 with it.
    size = of.shape[1] if compared in (STABLE, UNSTABLE) else directions
    correlations = np.pad(correlations, (0, size - directions))
    ranks = shown_ranks(size)
    null = null_mean_correlation(of.shape[1], now.shape[1], len(now)) * directions / max(size, 1)
    return pd.DataFrame({
        "network": position,
        "layer": layer,
        "compared": compared,
        "rank": ranks,
        "correlation": correlations[ranks - 1],
        "mean": correlations.mean() if size else np.nan,
        "directions": size,
        "null": null,
    })
