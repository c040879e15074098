"""Training loop of a stack of networks."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from generalization.datasets.dataset import Dataset
from generalization.devices import described, origin
from generalization.hyperparameters import Hyperparameters
from generalization.networks.stacked_networks import StackedNetworks
from generalization.training.batches import Batch, TrainingSet, batches_of_epoch, whole_set
from generalization.training.course import Course, planned_steps
from generalization.training.dropout import Dropout
from generalization.training.evaluation import StoppingCriterion, are_finite, evaluate
from generalization.training.initialization import architecture_for, initial_networks
from generalization.training.lbfgs import ITERATIONS, Lbfgs
from generalization.training.losses import LOSSES
from generalization.training.module_backpropagation import ModuleDraws
from generalization.training.optimizers import RULES, FirstOrder, State
from generalization.training.schedules import scheduled_rate

log = logging.getLogger(__name__)


@dataclass
class Stack:
    """Networks that train together, all at the same step.

    Attributes:
        networks: Networks, updated in place.
        optimizer: Optimizer of the networks.
        positions: Positions of the networks in the ensemble.
        times_met: Number of times that each network has met the stopping criterion.
        step: Number of steps trained so far.
    """

    networks: StackedNetworks
    optimizer: FirstOrder | Lbfgs
    positions: list[int]
    times_met: Int64[Tensor, "networks"]
    step: int = 0


class Training:
    """Data, stopping criterion and schedule shared by all stacks of an ensemble.

    Attributes:
        hyperparameters: Hyper-parameters of the ensemble.
        seeds: One seed per network.
        device: Device of training.
        made_on: Device, driver and version of torch, see ``devices.origin``.
        architecture: Architecture of the networks.
        source: Training set.
        test: Inputs and labels of the test set.
        criterion: Stopping criterion.
        full_batch: Whether each step uses the whole training set, without augmentation.
        limit: Maximum number of training steps.
        steps_per_epoch: Number of batches per epoch.
        kept_steps: Steps before the limit at which networks are kept.
        evaluated_steps: Steps before the limit at which networks are evaluated.
    """

    def __init__(
        self,
        data: Dataset,
        hyperparameters: Hyperparameters,
        seeds: Sequence[int],
        device: torch.device,
    ):
        self.hyperparameters = hyperparameters
        self.seeds = seeds
        self.device = device
        self.made_on = origin(device)
        self.architecture = architecture_for(data, hyperparameters)
        self.source = TrainingSet.of(data, hyperparameters, device)
        self.test = data.test_inputs.flatten(1).to(device), data.test_labels.to(device)
        self.criterion = StoppingCriterion(hyperparameters, self.source.inputs, self.source.labels)
        self.full_batch = hyperparameters.optimizer == "lbfgs"
        most = ITERATIONS if self.full_batch else math.inf
        self.limit = min(hyperparameters.max_steps, most)
        samples = len(self.source.labels)
        batch = samples if self.full_batch else hyperparameters.batch_size
        self.steps_per_epoch = math.ceil(samples / batch)
        self.kept_steps, self.evaluated_steps = planned_steps(
            hyperparameters, self.limit, self.steps_per_epoch
        )

    def optimizer(
        self,
        networks: StackedNetworks,
        positions: Sequence[int],
        state: State | None = None,
    ) -> FirstOrder | Lbfgs:
        """Build the optimizer of the networks at these positions, new or from a state."""
        chosen, loss = self.hyperparameters, LOSSES[self.hyperparameters.loss]
        if self.full_batch:
            return Lbfgs(networks, loss, state)
        begin = chosen.dropout_from
        dropout = Dropout(chosen.dropout, chosen.name, self.seeds_at(positions), begin)
        if chosen.is_foreign and networks.template.draws:
            dropout = ModuleDraws(chosen.name, self.seeds_at(positions))
        return FirstOrder(
            RULES[chosen.optimizer],
            networks,
            loss,
            state,
            weight_decay=chosen.weight_decay,
            dropout=dropout if chosen.dropout or isinstance(dropout, ModuleDraws) else None,
        )

    def continue_after(self, before: dict[str, str]) -> None:
        """Tell and remember that training was begun elsewhere, so that its bits are of two kinds.

        Args:
            before: Where it was begun, as ``made_on``.
        """
        here = origin(self.device)
        if before == self.made_on:
            return
        last = {name: value.split(", then ")[-1] for name, value in before.items()}
        if last == here:
            self.made_on = before
            return
        log.warning(
            "%s was begun on %s and goes on on %s: its networks are not bit for bit those of one "
            "of them alone.",
            *(self.hyperparameters.name, described(last), described(here)),
        )
        self.made_on = {
            name: before[name] if last[name] == here[name] else f"{before[name]}, then {here[name]}"
            for name in here
        }

    def seeds_at(self, positions: Sequence[int]) -> list[int]:
        """Return the seeds of the networks at these positions of the ensemble."""
        return [self.seeds[position] for position in positions]

    def begin(self, positions: Sequence[int]) -> Stack:
        """Initialize the networks at these positions of the ensemble as a stack."""
        seeds = self.seeds_at(positions)
        networks = initial_networks(self.architecture, self.hyperparameters, seeds).to(self.device)
        times_met = torch.zeros(len(seeds), dtype=torch.int64, device=self.device)
        return Stack(networks, self.optimizer(networks, positions), list(positions), times_met)

    def batches(self, stack: Stack) -> Iterator[Batch]:
        """Return the remaining batches of the epoch of a stack."""
        epoch, skipped = divmod(stack.step, self.steps_per_epoch)
        if self.full_batch:
            return iter([whole_set(self.source)])
        seeds = self.seeds_at(stack.positions)
        return batches_of_epoch(self.source, self.hyperparameters, seeds, epoch, skipped=skipped)

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of the step that follows ``step``."""
        return scheduled_rate(self.hyperparameters, step, self.steps_per_epoch)

    def train(self, stack: Stack, course: Course) -> Iterator[None]:
        """Train a stack until all of its networks are done.

        Args:
            stack: Stack to train, from which networks that are done are removed.
            course: Course of training, to which kept networks and evaluations are added.

        Yields:
            None after every step, when stack and course can be written to a checkpoint.
        """
        if stack.step == 0:
            self.look(stack, course)
        while stack.positions:
            size = len(stack.positions)
            for batch in self.batches(stack):
                rate = self.learning_rate(stack.step)
                stack.optimizer.step(batch, learning_rate=rate, step=stack.step + 1)
                stack.step += 1
                self.look(stack, course)
                yield
                if len(stack.positions) < size:
                    break

    def look(self, stack: Stack, course: Course) -> None:
        """Evaluate and keep networks, and remove those that are done from the stack.

        Networks may be done at the end of an epoch and at the last step. They are evaluated and
        kept at planned steps and when they are done. Networks with weights that are not finite are
        done at once.
        """
        step = stack.step
        last = step == self.limit
        epoch_ends = step % self.steps_per_epoch == 0
        planned = step in self.evaluated_steps
        if not (last or epoch_ends or planned):
            return
        diverged = ~are_finite(stack.networks)
        met = torch.zeros_like(diverged)
        if step > 0 and (last or epoch_ends):
            stack.times_met += self.criterion.is_met(stack.networks)
            met = (stack.times_met >= self.hyperparameters.stop_epochs) & ~diverged
        done = diverged | met | last | stack.optimizer.converged
        if not (planned or done.any()):
            return
        self.evaluate(stack, torch.ones_like(done) if planned else done, course)
        course.keep(stack.networks, stack.positions, step)
        statuses = {"fitted": met, "diverged": diverged, "stopped": done & ~met & ~diverged}
        for status, members in statuses.items():
            ended, positions = chosen(stack, members)
            course.finish(ended, positions, step, status)
            del ended
        if done.any():
            self.reduce(stack, ~done)

    def evaluate(self, stack: Stack, members: Bool[Tensor, "networks"], course: Course) -> None:
        """Evaluate some networks of a stack on the whole training set and the whole test set."""
        networks, positions = chosen(stack, members)
        if positions:
            train = evaluate(networks, self.source.inputs, self.source.labels)
            performance = torch.stack([*train, *evaluate(networks, *self.test)], dim=1)
            course.evaluations += [
                (position, stack.step, *row)
                for position, row in zip(positions, performance.tolist(), strict=True)
            ]

    def reduce(self, stack: Stack, members: Bool[Tensor, "networks"]) -> None:
        """Keep only some networks in a stack.

        Tensors are replaced one by one, so that there is a copy of only one of them at a time.
        """
        which = members.nonzero().flatten()
        stack.positions = [stack.positions[member] for member in which.tolist()]
        stack.times_met = stack.times_met[which]
        if not stack.positions:
            stack.networks = stack.networks[[]]
            del stack.optimizer
            return
        empty, tensors, state = stack.networks[[]], stack.networks.tensors, stack.optimizer.state
        del stack.optimizer, stack.networks  # They refer to the tensors, too.
        for name in tensors:
            tensors[name] = tensors[name][which]
        for parts in state.values():
            for place in range(len(parts)):
                parts[place] = parts[place][which]
        stack.networks = empty.with_tensors(tensors)
        stack.optimizer = self.optimizer(stack.networks, stack.positions, state)


def chosen(stack: Stack, members: Bool[Tensor, "networks"]) -> tuple[StackedNetworks, list[int]]:
    """Select networks of a stack; also return their positions in the ensemble."""
    which = members.nonzero().flatten().tolist()
    networks = stack.networks if len(which) == len(stack.positions) else stack.networks[which]
    return networks, [stack.positions[member] for member in which]
