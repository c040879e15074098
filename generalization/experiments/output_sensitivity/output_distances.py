"""Squared distances between outputs of networks of an ensemble, and to the labels."""

from collections.abc import Iterator

import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from generalization.networks.differentiability import needs_logits
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks

COLUMNS = ["network", "output", "classes", "other_seed", "other_step", "squared_distance"]


@reads_networks
@torch.no_grad()
def output_distances(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    members: pd.DataFrame,
) -> pd.DataFrame:
    """Mean over test points of ‖F − F'‖², from which bias and variance follow without bias.

    F and F' are outputs of networks of one ensemble, trained independently, or F' is the one-hot
    label y. Because E‖F − F'‖² = 2 tr Cov F and E‖F − y‖² = ‖E F − y‖² + tr Cov F, means of these
    numbers over any pairs estimate the variance and the bias of Forouzesh et al. 2020, slide 8.

    Args:
        labels: Their true classes.

    Returns:
        For each ``output``, ``logits`` and ``probabilities``, one row per network and per pair of
        networks of one step, or both at their last:

        ``network``
            First of the pair.
        ``classes``
            Number K of classes.
        ``other_seed``, ``other_step``
            Second of the pair; empty where the distance is to the labels.
        ``squared_distance``
            Mean over points of the sum over classes.
    """
    needs_logits()
    logits = logits_of(networks, inputs)
    targets = torch.nn.functional.one_hot(labels, logits.shape[-1]).to(logits)
    rows = [
        (network, name, logits.shape[-1], seed, step, distance)
        for name, outputs in (("logits", logits), ("probabilities", logits.softmax(-1)))
        for network, seed, step, distance in _distances(outputs, targets, members)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"other_seed": "Int64", "other_step": "Int64"})


def _distances(
    outputs: Float[Tensor, "networks samples classes"],
    targets: Float[Tensor, "samples classes"],
    members: pd.DataFrame,
) -> Iterator[tuple[int, int | None, int | None, float]]:
    """Yield network, seed and step of the other, if there is one, and the squared distance."""
    which = list(members[["seed", "step", "final"]].itertuples(index=False))
    for network, one in enumerate(which):
        yield network, None, None, _squared_distance(outputs[network], targets)
        for place, other in enumerate(which[:network]):
            if one.step == other.step or (one.final and other.final):
                distance = _squared_distance(outputs[network], outputs[place])
                yield network, other.seed, other.step, distance


def _squared_distance(one: Tensor, other: Tensor) -> float:
    return (one.double() - other).square().sum(-1).mean().item()
