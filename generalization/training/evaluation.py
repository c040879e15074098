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

FIRST_PART = 8  # Samples; usually enough to rule out that a network meets the criterion.


def evaluate(
    networks: StackedNetworks,
    inputs: Float32[Tensor, "samples features"],
    labels: Int64[Tensor, "samples"],
) -> tuple[Float64[Tensor, "networks"], Float64[Tensor, "networks"]]:
    """Compute mean cross-entropy in nats and accuracy, independently of the training loss.

    Returns:
        Losses and accuracies; where the loss is not finite, the accuracy is NaN.
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
    """Return whether all tensors of a network are finite, judged by their sums.

    The sum of a tensor with NaN or infinity is not finite; that of weights near 1e38 may not be
    finite either.
    """
    sums = [tensor.reshape(len(networks), -1).sum(1) for tensor in networks.tensors.values()]
    return torch.stack([one.isfinite() for one in sums]).all(0)


def errors(logits: Logits, labels: Labels) -> Bool[Tensor, "networks samples"]:
    """Return which samples are misclassified."""
    return logits.argmax(1) != labels


class StoppingCriterion:
    """Stopping criterion, evaluated on the whole training set.

    A network is done when all criteria that are set are met: the sum of its errors, or of its
    losses, does not exceed a budget. Since no sample can lower a sum, an evaluation ends with the
    first samples that rule out all networks, and the next evaluation begins with these: samples
    that are hard in one epoch are hard in the next. The result is that for the whole set, at a
    small part of the cost unless the criterion is met.

    Attributes:
        first: Index of the first sample of the next evaluation, which changes sums only by
            rounding.
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
            # 1e-9 allows for rounding of the product, so that 0.9 of 10 samples are 9 samples.
            self.budgets.append((errors, samples - math.ceil(accuracy * samples - 1e-9)))
        if loss is not None:
            self.budgets.append((LOSSES[hyperparameters.loss].values, loss * samples))

    def is_met(self, networks: StackedNetworks) -> Bool[Tensor, "networks"]:
        """Return which networks are done; none if no criterion is set."""
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
        """Yield slices of doubling length that cover the set cyclically from the first sample."""
        samples, begin, size = len(self.labels), self.first, FIRST_PART
        left = samples
        while left:
            end = min(begin + size, begin + left, samples)
            yield slice(begin, end)
            left -= end - begin
            begin, size = end % samples, min(2 * size, largest)
