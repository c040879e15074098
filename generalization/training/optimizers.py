"""Optimizers with elementwise updates, which apply to a stack of networks at once.

Momentum, Adam and RMSProp have the defaults of TensorFlow 1, which Novak et al. 2018 used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from generalization.networks.stacked_networks import StackedNetworks
from generalization.training.batches import Batch
from generalization.training.dropout import Dropout
from generalization.training.gradients import new_backpropagation
from generalization.training.losses import Loss
from generalization.training.sizes import samples_per_backward

State = dict[str, list[Tensor]]


def descend(parameters: Sequence[Tensor], state: State, learning_rate: float, step: int) -> None:
    """Update w ← w − η g; with momentum, g is the velocity v ← μ v + ∂loss/∂w."""
    torch._foreach_add_(parameters, state["gradient"], alpha=-learning_rate)


def adam(parameters: Sequence[Tensor], state: State, learning_rate: float, step: int) -> None:
    """Update by Adam (Kingma & Ba 2015, §2, last formulation), as ``tf.train.AdamOptimizer``.

    m ← 0.9 m + 0.1 g, v ← 0.999 v + 0.001 g², w ← w − η_t m / (√v + ε) with
    η_t = η √(1 − 0.999ᵗ) / (1 − 0.9ᵗ). ``torch.optim.Adam`` adds ε to the corrected √v instead.
    """
    gradient, mean, square = state["gradient"], state["mean"], state["square"]
    rate = learning_rate * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
    torch._foreach_lerp_(mean, gradient, 1 - 0.9)
    torch._foreach_mul_(square, 0.999)
    torch._foreach_addcmul_(square, gradient, gradient, value=1 - 0.999)
    # The gradient is no longer needed: its memory holds the denominator.
    torch._foreach_copy_(gradient, square)
    torch._foreach_sqrt_(gradient)
    torch._foreach_add_(gradient, 1e-8)
    torch._foreach_addcdiv_(parameters, mean, gradient, value=-rate)


def rmsprop(parameters: Sequence[Tensor], state: State, learning_rate: float, step: int) -> None:
    """Update by Hinton's RMSProp, as ``tf.train.RMSPropOptimizer`` without momentum.

    s ← 0.9 s + 0.1 g², w ← w − η g / √(s + 10⁻¹⁰), with s initialized to 1.
    ``torch.optim.RMSprop`` initializes s to 0 and adds ε outside the root.
    """
    gradient, square = state["gradient"], state["square"]
    torch._foreach_mul_(square, 0.9)
    torch._foreach_addcmul_(square, gradient, gradient, value=1 - 0.9)
    root = torch._foreach_add(square, 1e-10)
    torch._foreach_sqrt_(root)
    torch._foreach_addcdiv_(parameters, gradient, root, value=-learning_rate)


@dataclass(frozen=True)
class Rule:
    """Update rule of an optimizer.

    Attributes:
        update: Function that updates the parameters in place.
        memory: Factor on the previous gradient, to which the new one is added.
        slots: Names of further state in the shapes of the parameters → initial value.
    """

    update: Callable[[Sequence[Tensor], State, float, int], None]
    memory: float = 0.0
    slots: Mapping[str, float] = field(default_factory=dict)


RULES = {
    "sgd": Rule(descend),
    "momentum": Rule(descend, memory=0.9),
    "adam": Rule(adam, slots={"mean": 0.0, "square": 0.0}),
    "rmsprop": Rule(rmsprop, slots={"square": 1.0}),
}


def copies_of_weights(optimizer: str) -> int:
    """Return how many tensors in the shape of the weights training takes at its peak.

    Weights, gradient and the state of the optimizer; and while networks are evaluated or leave the
    stack, or in an update, copies of some of them.
    """
    return 4 + len(RULES[optimizer].slots)


class FirstOrder:
    """Updates all networks of a stack by one of ``RULES``.

    Weight decay adds λ w to the gradient, as in ``torch.optim``.

    Attributes:
        state: Complete state of the optimizer: tensors in the shapes of the parameters.
        converged: Always False: first-order optimizers do not detect convergence.
    """

    converged = False

    def __init__(
        self,
        rule: Rule,
        networks: StackedNetworks,
        loss: Loss,
        state: State | None = None,
        *,
        weight_decay: float = 0.0,
        dropout: Dropout | None = None,
    ):
        self.rule = rule
        self.parameters = networks.parameters
        self.backpropagation = new_backpropagation(networks, loss)
        self.weight_decay, self.dropout = weight_decay, dropout
        # Batch normalization needs the statistics of the whole batch at once.
        self.samples = math.inf if networks.needs_whole_batches else samples_per_backward(networks)
        self.state = state or {
            name: [torch.full_like(parameter, value) for parameter in self.parameters]
            for name, value in {"gradient": 0.0, **rule.slots}.items()
        }

    def step(self, batch: Batch, *, learning_rate: float, step: int) -> None:
        """Perform a step with one batch per network; steps are counted from 1."""
        memory = self.rule.memory
        if self.dropout is not None:
            batch = self.dropout.on(batch, self.backpropagation.networks, step)
        for part in batch.split(self.samples):
            self.backpropagation.accumulate(
                self.state["gradient"], part, memory=memory, samples=len(batch)
            )
            memory = 1.0
        if self.weight_decay:
            torch._foreach_add_(self.state["gradient"], self.parameters, alpha=self.weight_decay)
        self.rule.update(self.parameters, self.state, learning_rate, step)
