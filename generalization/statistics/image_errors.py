"""Which test images every network gets wrong, for tests that compare networks image by image."""

from __future__ import annotations

import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from generalization.networks.modules import Networks, logits_of, number_of_networks
from generalization.networks.reading import reads_networks
from generalization.statistics.packed_errors import packed_text

COLUMNS = ["network", "test_images", "test_error", "misclassified"]


@reads_networks
@torch.no_grad()
def image_errors(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    members: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Find the test images that each network gets wrong at its last step.

    An image is wrong if the largest logit is not that of its label, as for ``test_accuracy``.
    Networks that err on the same images are told apart at smaller differences of their accuracies
    than two accuracies alone would allow (McNemar 1947), and the variance of accuracies between
    seeds is split into that of networks and that of the finite test set (Jordan 2024).

    Args:
        members: Table that tells which networks are ``final``; by default all are.

    Returns:
        One row per network at its last step: ``network`` and

        ``test_images``
            Number of test images.
        ``test_error``
            Fraction of the test images that it gets wrong.
        ``misclassified``
            Test images that it gets wrong, bit by bit: ``packed_errors.unpacked_text`` reads it.
    """
    final = range(number_of_networks(networks)) if members is None else _final(members)
    rows = []
    for network in final:
        # One after the other: all images of a stack are many logits.
        one = networks if isinstance(networks, nn.Module) else networks[[network]]
        wrong = (logits_of(one, inputs)[0].argmax(-1) != labels).cpu().numpy()
        rows.append((network, len(wrong), wrong.mean(), packed_text(wrong)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _final(members: pd.DataFrame) -> list[int]:
    return [place for place, final in enumerate(members["final"]) if final]
