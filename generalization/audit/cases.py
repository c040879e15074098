"""Small networks and points on which measures are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from generalization.hyperparameters import Hyperparameters
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.networks.sequences import sequence_of
from generalization.randomness import generator_for

# Layers wide enough for spectra, of which fits need 50 eigenvalues.
SIDE, HIDDEN, CLASSES = 8, (52, 54), 10
TRAIN, TEST, STEPS, LEARNING_RATE = 200, 60, 60, 0.01
ROLES = ("networks", "trained_networks", "initial_networks")


@dataclass(frozen=True, kw_only=True)
class Case:
    """Networks and points that a measure is given, in the words of ``generalization.offered``.

    Attributes:
        networks: Fully connected networks without normalization, in double precision.
        initial_networks: The networks at initialization.
        kinds: ``random`` or ``trained``, of every network.
        labels: Test labels, which no measure may ask for but an oracle.
        hyperparameters: Hyper-parameters of the networks.
    """

    networks: FullyConnectedNetworks
    initial_networks: FullyConnectedNetworks
    kinds: tuple[str, ...]
    inputs: Float[Tensor, "samples channels height width"]
    labels: Int64[Tensor, "samples"]
    pixel_deviations: Float64[Tensor, "samples"]
    train_inputs: Float[Tensor, "train_samples channels height width"]
    train_labels: Int64[Tensor, "train_samples"]
    hyperparameters: Hyperparameters

    def __len__(self) -> int:
        return len(self.networks)

    def offered(self, seed: int, *, module: bool = False) -> dict[str, Any]:
        """Return all that a measure may name.

        Args:
            seed: Seed of both generators.
            module: Whether a stack of one is given as a ``torch.nn.Module``.
        """
        stacks = (self.networks, self.networks, self.initial_networks)
        given = [sequence_of(one) if module else one for one in stacks]
        return {
            **dict(zip(ROLES, given, strict=True)),
            "inputs": self.inputs,
            "labels": self.labels,
            "pixel_deviations": self.pixel_deviations,
            "train_inputs": self.train_inputs,
            "train_labels": self.train_labels,
            "hyperparameters": self.hyperparameters,
            **self._course(),
            "init_scale": self.hyperparameters.init_scale,
            "loss": self.hyperparameters.loss,
            "generator": generator_for("check_measure", seed),
            "shared_generator": generator_for("check_measure", "shared", seed),
        }

    def _course(self) -> dict[str, Tensor]:
        """Return evaluations during a training that each kind of network could have had."""
        steps = torch.tensor([0, 1, 2, 4, 8, 16, 32], dtype=torch.float64).expand(len(self), -1)
        rates = [0.2 if kind == "random" else 0.4 for kind in self.kinds]
        decay = torch.tensor(rates, dtype=torch.float64).unsqueeze(1)
        return {"evaluated_steps": steps, "evaluated_losses": 2.3 * (-decay * steps).exp()}

    def member(self, position: int) -> Case:
        """Return the case of one network."""
        one = slice(position, position + 1)
        stacks = {"networks": self.networks[one], "initial_networks": self.initial_networks[one]}
        return replace(self, **stacks, kinds=self.kinds[one])

    def to(self, dtype: torch.dtype) -> Case:
        """Return the case in another precision."""
        names = ("networks", "initial_networks", "inputs", "train_inputs")
        return replace(self, **{name: getattr(self, name).to(dtype) for name in names})

    def part(self, position: int, parts: int) -> Case:
        """Return the case with one of several disjoint parts of its points, one after another."""
        chosen: Mapping[str, Tensor] = {
            name: getattr(self, name)[position::parts]
            for name in ("inputs", "labels", "pixel_deviations", "train_inputs", "train_labels")
        }
        return replace(self, **chosen)


def small_case(seed: int = 0, *, networks: int = 2) -> Case:
    """Make up a case: classes of images, and ReLU networks at random and trained on them.

    Args:
        seed: Seed of points and networks.
        networks: Number of random networks, and of trained ones.
    """
    generator = generator_for("small_case", seed)
    centers = torch.randn(CLASSES, 1, SIDE, SIDE, generator=generator, dtype=torch.float64)
    labels = torch.randint(CLASSES, (TRAIN + TEST,), generator=generator)
    noise = torch.randn(TRAIN + TEST, 1, SIDE, SIDE, generator=generator, dtype=torch.float64)
    inputs = centers[labels] + noise
    inputs = inputs / inputs.flatten(1).std(1).view(-1, 1, 1, 1)
    begun = initialize_fully_connected(
        (SIDE * SIDE, *HIDDEN, CLASSES),
        "relu",
        [generator_for("small_case", seed, one) for one in range(2 * networks)],
    ).to(torch.float64)
    trained = _trained(begun[networks:], inputs[:TRAIN], labels[:TRAIN])
    return Case(
        **with_random(trained, begun[networks:], begun[:networks]),
        inputs=inputs[TRAIN:],
        labels=labels[TRAIN:],
        pixel_deviations=0.2 + 0.2 * torch.rand(TEST, generator=generator, dtype=torch.float64),
        train_inputs=inputs[:TRAIN],
        train_labels=labels[:TRAIN],
        hyperparameters=Hyperparameters(dataset="digits", width=HIDDEN[0]),
    )


def with_random(
    trained: FullyConnectedNetworks,
    begun: FullyConnectedNetworks,
    random: FullyConnectedNetworks,
) -> dict[str, Any]:
    """Return trained networks after random ones, which have moved in a random direction.

    Args:
        trained: Trained networks.
        begun: The trained networks at initialization.
        random: Other networks at initialization.
    """
    moved = random.map(lambda part: part + part.std() * torch.sin(1e3 * part))
    return {
        "networks": joined(moved, trained),
        "initial_networks": joined(random, begun),
        "kinds": ("random",) * len(random) + ("trained",) * len(trained),
    }


def joined(*stacks: FullyConnectedNetworks) -> FullyConnectedNetworks:
    """Join stacks to one."""
    tensors = [stack.tensors for stack in stacks]
    return stacks[0].with_tensors({
        name: torch.cat([one[name] for one in tensors]) for name in tensors[0]
    })


def _trained(
    begun: FullyConnectedNetworks, inputs: Tensor, labels: Tensor
) -> FullyConnectedNetworks:
    """Train networks by Adam on all points at once."""
    networks = begun.map(lambda part: part.clone().requires_grad_())
    optimizer = torch.optim.Adam(networks.tensors.values(), LEARNING_RATE)
    everyone = labels.repeat(len(begun))
    for _ in range(STEPS):
        optimizer.zero_grad()
        # A sum over networks, which share nothing: each is trained as if it were alone.
        loss = cross_entropy(networks.logits(inputs).flatten(0, 1), everyone)
        (loss * len(begun)).backward()
        optimizer.step()
    return networks.map(torch.Tensor.detach)
