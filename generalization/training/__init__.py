"""Training of stacks of networks."""

from generalization.training.ensemble import TrainedEnsemble, train_ensemble
from generalization.training.initialization import (
    architecture_for,
    initial_networks,
    widths_for,
)
from generalization.training.progress import shown_progress

__all__ = [
    "TrainedEnsemble",
    "architecture_for",
    "initial_networks",
    "shown_progress",
    "train_ensemble",
    "widths_for",
]
