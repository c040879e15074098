"""Training of all networks of an ensemble, stack by stack."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from generalization.datasets.dataset import Dataset
from generalization.devices import require_known
from generalization.errors import InputError, Interrupted
from generalization.files import require_room
from generalization.hyperparameters import Hyperparameters, contradictions
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.architectures import ARCHITECTURES, POOLINGS, unsuitable
from generalization.networks.foreign_architecture import FORM, PLACE
from generalization.networks.initial_layers import INITIALIZATIONS
from generalization.networks.module_networks import reason_apart
from generalization.networks.networks_file import KeptNetworks
from generalization.training.augmentation import AUGMENTATIONS
from generalization.training.checkpoint import write_checkpoint
from generalization.training.course import NAMED_STEPS
from generalization.training.denormals import denormals_flushed
from generalization.training.losses import LOSSES
from generalization.training.optimizers import RULES, copies_of_weights
from generalization.training.progress import Report
from generalization.training.queue import Queue
from generalization.training.sizes import networks_at_once
from generalization.training.stacks import Training

REPORT_SECONDS = 0.2
SHARE = 1 / 20  # Of the time of training, for checkpoints.

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedEnsemble:
    """Result of training.

    Attributes:
        kept: Networks at their kept steps, the last of which is the final state.
        training: Rows of ``training.csv``: ensemble, seed, step, train_loss, train_accuracy,
            test_loss, test_accuracy, status.
    """

    kept: KeptNetworks
    training: list[dict[str, Any]]


@torch.no_grad()
@denormals_flushed()
def train_ensemble(
    data: Dataset,
    hyperparameters: Hyperparameters,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 60.0,
    told_to_end: Callable[[], bool] = lambda: False,
    report: Report | None = None,
    stack_size: int | None = None,
) -> TrainedEnsemble:
    """Train the networks of an ensemble.

    The stopping criteria are evaluated on the whole training set at the end of every epoch and at
    the last step. A network is ``fitted`` once it has met all criteria that are set at
    ``stop_epochs`` of these evaluations, ``stopped`` if it has not by ``max_steps``, and
    ``diverged`` once its weights are not finite. It then remains in this state while the others
    continue. Each network depends only on its own seed.

    Args:
        data: Training and test data, as returned by ``experiment_data``.
        hyperparameters: Hyper-parameters of the ensemble; L-BFGS is limited to 2,684 steps.
        seeds: One seed per network.
        device: Device of training.
        checkpoint: File from which training resumes if it exists, and that is written during
            training. The caller removes it when the result is safe.
        checkpoint_seconds: Time between two checkpoints, or more, so that writing them takes no
            more than one twentieth of the time; 0 writes one after every step.
        told_to_end: Function that is called after every step if there is a checkpoint: once it
            returns true, the checkpoint is written and training ends.
        report: Callback that receives the number of networks that are done and the share of the
            maximum number of steps that is over.
        stack_size: Number of networks per stack; by default it depends on the device and its
            memory, and is halved when this runs out. It changes results only by rounding. L-BFGS
            trains one network at a time.

    Returns:
        Networks at their kept steps, and the training history: losses are mean cross-entropies in
        nats over the whole sets, at step 0, powers of two, kept steps and the end.

    Raises:
        Interrupted: If training was told to end, after its checkpoint was written.
    """
    require_known(str(device))
    raise_if_impossible(hyperparameters, seeds, data)
    training = Training(data, hyperparameters, seeds, torch.device(device))
    copies = 0 if training.full_batch else copies_of_weights(hyperparameters.optimizer)
    fitting = networks_at_once(
        len(seeds), training.architecture, hyperparameters, training.device, copies=copies
    )
    size = fitting if stack_size is None or training.full_batch else stack_size
    queue = Queue.of(training, size, checkpoint)
    course = queue.course
    if checkpoint is not None:
        # What is kept is written at the end, whatever comes between.
        kept_bytes = sum(tensor.nbytes for tensor in course.networks.tensors.values())
        require_room(checkpoint, kept_bytes)
    if hyperparameters.is_foreign:
        why = reason_apart(training.architecture, training.device)
        how = f"one after the other, because {why}" if why else f"in stacks of {size}, by vmap"
        log.info("%s: networks train %s.", training.architecture, how)
    saving, reporting = Clock(checkpoint_seconds), Clock(REPORT_SECONDS)
    for stack in queue.stacks():
        for _ in queue.trained(stack):
            ends = checkpoint is not None and told_to_end()
            if checkpoint is not None and stack.positions and (ends or saving.is_due()):
                begin = time.monotonic()
                write_checkpoint(checkpoint, training, course, stack)
                queue.saved = True
                saving.restart(checkpoint_seconds and (1 / SHARE - 1) * (time.monotonic() - begin))
                if ends:
                    raise Interrupted(
                        f"the training of {hyperparameters.name} was told to end at step "
                        f"{stack.step}, and goes on from there when it is started again."
                    )
            if report is not None and (reporting.is_due() or not stack.positions):
                done = int((course.statuses >= 0).sum())
                share = done + len(stack.positions) * stack.step / max(1, training.limit)
                report(done, share / len(seeds))
                reporting.restart()
    kept = course.kept_networks(hyperparameters, seeds)
    made_on = {**training.made_on, "stack_size": queue.largest}
    return TrainedEnsemble(
        kept=replace(kept, dataset_sha256=data.sha256, made_on=made_on),
        training=course.rows(hyperparameters.name, seeds),
    )


def raise_if_impossible(
    hyperparameters: Hyperparameters, seeds: Sequence[int], data: Dataset
) -> None:
    """Refuse hyper-parameters that cannot be trained on this dataset.

    Raises:
        InputError: Naming the hyper-parameter, what it must be, and what it is.
    """
    choices = {
        "loss": LOSSES,
        "optimizer": [*RULES, "lbfgs"],
        "augmentation": AUGMENTATIONS,
        "architecture": [*ARCHITECTURES, FORM],
        "pooling": POOLINGS,
        "activation": ACTIVATION_FUNCTIONS,
        "initialization": INITIALIZATIONS,
        "normalization": ("none", "batch"),
    }
    for name, known in choices.items():
        value = getattr(hyperparameters, name)
        if value not in known and not (name == "architecture" and PLACE.fullmatch(value)):
            raise InputError(f"{name} must be one of {', '.join(known)}, not {value!r}.")
    kept_steps = hyperparameters.kept_steps
    if isinstance(kept_steps, str) and kept_steps not in NAMED_STEPS:
        raise InputError(
            f"kept_steps must be {', '.join(NAMED_STEPS)} or a list, not {kept_steps!r}."
        )
    image = tuple(data.train_inputs.shape[1:])
    for sentence in (
        *contradictions(hyperparameters, len(data.train_labels)),
        *unsuitable(hyperparameters, image),
    ):
        raise InputError(sentence)
    if len(set(seeds)) < max(1, len(seeds)):
        raise InputError(f"seeds must be one or more different integers, not {list(seeds)}.")


class Clock:
    """Timer that is due a number of seconds after its last restart."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.restart()

    def restart(self, least: float = 0.0) -> None:
        """Start counting from now, this time to no less than ``least`` seconds."""
        self.begin, self.wait = time.monotonic(), max(self.seconds, least)

    def is_due(self) -> bool:
        """Return whether the time is over."""
        return time.monotonic() - self.begin >= self.wait
