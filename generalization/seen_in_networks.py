"""What measures of pairs of networks are given of each of the two.

Imports nothing that reads files, so that measures can be checked without the workflow's packages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

from generalization.networks.hidden_layers import last_hidden_layer
from generalization.networks.modules import Networks, logits_of

if TYPE_CHECKING:
    from generalization.datasets.dataset import Dataset

# Name without its side → what computes it from networks, a dataset, and the number of its points.
SEEN: dict[str, Callable[[Networks, Dataset, int | None], Tensor]] = {
    "logits": lambda networks, data, samples: logits_of(networks, data.test_inputs[:samples]),
    "train_accuracy": lambda networks, data, _: (
        (logits_of(networks, data.train_inputs).argmax(-1) == data.train_labels).double().mean(1)
    ),
    "features": lambda networks, data, samples: last_hidden_layer(
        networks, data.test_inputs[:samples]
    ),
}
