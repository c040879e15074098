"""L-BFGS on the whole training set, for one network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from generalization.networks.stacked_networks import StackedNetworks
from generalization.training.batches import Batch
from generalization.training.gradients import new_backpropagation
from generalization.training.losses import Loss
from generalization.training.optimizers import State
from generalization.training.sizes import samples_per_backward

ITERATIONS = 2684  # Maximum number of iterations, Novak et al. 2018, §A.5.5.
LINE_SEARCH = 25  # Maximum number of evaluations per line search, as in torch.optim.LBFGS.
STILL = 1e-9  # Change of a weight below which torch.optim.LBFGS stops for lack of progress.


class Lbfgs:
    """``torch.optim.LBFGS`` with a strong-Wolfe line search; one step is one iteration.

    Attributes:
        converged: Whether the last step changed no weight by more than 1e-9.
    """

    # ASSUME: a history of 10 and an initial step length of 1 in the line search, independently of
    # the learning rate; the paper states neither.
    def __init__(self, networks: StackedNetworks, loss: Loss, state: State | None = None):
        self.parameters = networks.parameters
        self.backpropagation = new_backpropagation(networks, loss)
        self.samples = samples_per_backward(networks)
        self.optimizer = torch.optim.LBFGS(
            self.parameters,
            max_iter=1,
            max_eval=1 + LINE_SEARCH,
            history_size=10,
            line_search_fn="strong_wolfe",
        )
        self.converged = False
        self._evaluated: tuple[list[Tensor], Tensor] | None = None
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        if state:
            self.optimizer.state[self.parameters[0]] = {
                name: _from_tensors(name, tensors) for name, tensors in state.items()
            }

    @property
    def state(self) -> State:
        """State of the optimizer as tensors."""
        remembered = self.optimizer.state[self.parameters[0]]
        return {name: _to_tensors(kept) for name, kept in remembered.items() if name != "al"}

    def step(self, batch: Batch, *, learning_rate: float, step: int) -> None:
        """Perform one iteration; ``batch`` is the whole training set, in any order."""
        before = [parameter.clone() for parameter in self.parameters]
        self.optimizer.step(lambda: self._evaluate(batch))
        moved = torch._foreach_sub(before, self.parameters)
        self.converged = all(bool(change.abs().max() <= STILL) for change in moved)

    def _evaluate(self, batch: Batch) -> Tensor:
        """Compute the loss, and its gradient in ``grad`` of the parameters.

        The last evaluation is cached, because an iteration usually begins at the last evaluation of
        the line search before.
        """
        if self._evaluated is not None:
            point, loss = self._evaluated
            if all(map(torch.equal, point, self.parameters)):
                return loss
        gradients = [parameter.grad for parameter in self.parameters]
        total, memory = 0.0, 0.0
        for part in batch.split(self.samples):
            logits = self.backpropagation.accumulate(
                gradients, part, memory=memory, samples=len(batch)
            )
            values = self.backpropagation.loss.values(logits, part.labels)
            total, memory = total + values.sum(dtype=torch.float64), 1.0
        loss = total / len(batch)
        self._evaluated = [parameter.clone() for parameter in self.parameters], loss
        return loss


LISTS, COUNTS = ("old_dirs", "old_stps", "ro"), ("func_evals", "n_iter")


def _to_tensors(value: Any) -> list[Tensor]:
    """Convert numbers to float64 tensors, distinguishable from the float32 tensors of L-BFGS."""
    values = value if isinstance(value, list) else [value]
    return [
        item if isinstance(item, Tensor) else torch.tensor(item, dtype=torch.float64)
        for item in values
    ]


def _from_tensors(name: str, tensors: list[Tensor]) -> Any:
    if name in LISTS:
        return tensors
    (tensor,) = tensors
    value = tensor.item() if tensor.dtype == torch.float64 else tensor
    return int(value) if name in COUNTS else value
