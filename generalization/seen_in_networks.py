"""What measures of pairs of networks are given of each of the two.

Imports nothing that reads files, so that measures can be checked without the workflow's packages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from generalization.networks.hidden_layers import last_hidden_layer
from generalization.networks.modules import Networks, logits_of

if TYPE_CHECKING:
    from generalization.datasets.dataset import Dataset


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the accuracy of every network; NaN where its logits are not finite."""
    found = (logits.argmax(-1) == labels).double().mean(1)
    return found.where(logits.isfinite().all(2).all(1), torch.nan)


# Name without its side → what computes it from networks, a dataset, and the number of its points.
SEEN: dict[str, Callable[[Networks, Dataset, int | None], Tensor]] = {
    "logits": lambda networks, data, samples: logits_of(networks, data.test_inputs[:samples]),
    "train_accuracy": lambda networks, data, _: accuracy(
        logits_of(networks, data.train_inputs), data.train_labels
    ),
    "features": lambda networks, data, samples: last_hidden_layer(
        networks, data.test_inputs[:samples]
    ),
}
