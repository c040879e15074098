"""Loss and accuracy on a whole set, and the stopping criterion."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from generalization.hyperparameters import Hyperparameters
from generalization.networks.stacked_networks import StackedNetworks
from generalization.training.losses import LOSSES, Labels, Logits
from generalization.training.sizes import samples_at_once

FIRST_LOOK = 8  # Samples: most often enough to see that a network is not done.


def evaluate(
    networks: StackedNetworks,
    inputs: Float32[Tensor, "samples features"],
    labels: Int64[Tensor, "samples"],
) -> tuple[Float64[Tensor, "networks"], Float64[Tensor, "networks"]]:
    """Compute mean cross-entropy in nats and accuracy, whatever networks are trained with.

    Returns:
        Losses and accuracies. Where the loss is not finite, the accuracy is NaN: NaN logits
        predict nothing.
    """
    samples = len(labels)
    losses = correct = labels.new_zeros(len(networks), dtype=torch.float64)
    networks, size = networks.folded(), samples_at_once(networks)
    for part, answers in zip(inputs.split(size), labels.split(size), strict=True):
        logits = networks.logits(part)
        answers = answers.expand(len(networks), -1)
        values = cross_entropy(logits.mT, answers, reduction="none")
        losses = losses + values.sum(1, dtype=torch.float64)
        correct = correct + (logits.argmax(2) == answers).sum(1)
    accuracies = torch.where(losses.isfinite(), correct / samples, torch.nan)
    return losses / samples, accuracies


def are_finite(networks: StackedNetworks) -> Bool[Tensor, "networks"]:
    """Return whether all numbers of a network are finite, as far as sums of its tensors tell.

    A sum with NaN or infinity in it is not finite; one of weights near 1e38 might not be either.
    """
    sums = [tensor.flatten(1).sum(1) for tensor in networks.tensors.values()]
    return torch.stack(sums).isfinite().all(0)


def errors(logits: Logits, labels: Labels) -> Bool[Tensor, "networks samples"]:
    """Return whether a sample is misclassified."""
    return logits.argmax(1) != labels


class StoppingCriterion:
    """Stopping criterion of a training, on the whole training set.

    A network is done when every criterion that is set is met: its errors, or its losses, add up to
    no more than a budget. No sample can lower a sum. So a look at the training set is over with
    the first samples that rule out all networks, and the next look begins with these: what is hard
    in one epoch is hard in the next. The answer is that of the whole set, at a small part of the
    cost, except once, when it is yes.

    Attributes:
        first: The sample that the next look begins with. It changes sums by rounding only.
    """

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        inputs: Float32[Tensor, "train features"],
        labels: Int64[Tensor, "train"],
    ):
        self.inputs, self.labels, self.first = inputs, labels, 0
        accuracy, loss = hyperparameters.stop_at_accuracy, hyperparameters.stop_at_loss
        samples = len(labels)
        self.budgets = []
        if accuracy is not None:
            # 1e-9 forgives the rounding of the product, so that 0.9 of 10 samples are 9 samples.
            self.budgets.append((errors, samples - math.ceil(accuracy * samples - 1e-9)))
        if loss is not None:
            self.budgets.append((LOSSES[hyperparameters.loss].values, loss * samples))

    def is_met(self, networks: StackedNetworks) -> Bool[Tensor, "networks"]:
        """Return whether each network is done; none is without a criterion."""
        if not self.budgets:
            return self.labels.new_zeros(len(networks), dtype=torch.bool)
        networks, (costs, limits) = networks.folded(), zip(*self.budgets, strict=True)
        spent = self.labels.new_zeros(len(costs), len(networks), dtype=torch.float64)
        limits = spent.new_tensor(limits).unsqueeze(1)
        for part in self._parts(samples_at_once(networks)):
            logits = networks.logits(self.inputs[part]).mT
            labels = self.labels[part].expand(len(networks), -1)
            spent += torch.stack([cost(logits, labels).sum(1).double() for cost in costs])
            possible = (spent <= limits).all(0)
            if not possible.any():
                self.first = part.start
                break
        return possible

    def _parts(self, largest: int) -> Iterator[slice]:
        """Yield slices of doubling length, once around the whole set from the first sample on."""
        samples, begin, size = len(self.labels), self.first, FIRST_LOOK
        left = samples
        while left:
            end = min(begin + size, begin + left, samples)
            yield slice(begin, end)
            left -= end - begin
            begin, size = end % samples, min(2 * size, largest)
