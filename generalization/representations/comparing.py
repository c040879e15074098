"""Comparison of networks by recorded activations of their layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from generalization.activations import Activations
from generalization.devices import halving_memory
from generalization.errors import InputError
from generalization.networks.layer_activations import layer_activations
from generalization.networks.networks_file import KeptNetworks
from generalization.representations.convolutions import smallest_size
from generalization.representations.layers import Layer, compared_layers, represented_layer
from generalization.representations.score import Score
from generalization.representations.similarity_tables import COLUMNS, SCORE
from generalization.representations.straight_line import straight_line


@dataclass(frozen=True)
class ComparedNetwork:
    """A network at one step, with its recorded layers.

    Attributes:
        name: Ensemble, seed and step.
        numbers: Indices of the recorded layers.
        layers: Representations of the recorded layers.
        depth: Number of weight layers, recorded or not.
    """

    name: tuple[str, int, int]
    numbers: list[int]
    layers: list[Layer]
    depth: int


def compare_networks(
    a: Activations,
    b: Activations,
    similarity: Callable[..., Score],
    pairs: str,
    settings: Mapping[str, Any],
    *,
    kept: KeptNetworks | None = None,
    asymmetric: bool = False,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Compute similarities between layers of the networks of two blocks of seeds.

    Args:
        a: Recorded activations of one block.
        b: Recorded activations of another block, or ``a``.
        pairs: Pairs of networks. ``over_training``: each network at each kept step with its final
            state, for corresponding or all pairs of layers, and all pairs of layers of the final
            state. ``between_seeds``: all pairs of layers of different seeds in their final states,
            and corresponding layers at step 0 if all networks were kept there.
            ``between_ensembles``: all networks of ``a`` with all of ``b`` at the same steps, for
            corresponding or all pairs of layers. ``straight_line``: points on the line from the
            start of each network to its end, see ``straight_line``, with its final state, for
            corresponding layers; ``step_a`` is the step at which the network was as far.
        settings: ``layers`` (``same`` or ``all``, over training and between ensembles),
            ``convolution``, and the settings of the similarity.
        kept: The networks of ``a``, for ``straight_line``.
        device: Device of the computation.

    Returns:
        One row per pair of layers, or per ordered pair if the similarity is asymmetric, with
        ``COLUMNS``.

    Raises:
        InputError: If the networks were not evaluated on the same inputs.
    """
    if (a.inputs_hash, a.kind) != (b.inputs_hash, b.kind):
        raise InputError(
            "activations must be of the same kind and of the same inputs in the same order, "
            f"which those of {a.ensemble} and {b.ensemble} are not."
        )
    chosen = dict(settings)
    layers = chosen.pop("layers")
    reader = _Reader(chosen.pop("convolution"), smallest_size([*a.shapes, *b.shapes]), device)
    networks = {
        "over_training": lambda: _over_training(a, reader, layers),
        "between_seeds": lambda: _between_seeds(a, b, reader),
        "between_ensembles": lambda: _between_ensembles(a, b, reader, layers),
        "straight_line": lambda: _straight_line(a, kept, reader),
    }[pairs]
    rows = halving_memory(
        f"similarity {similarity.__name__}",
        lambda: [
            (similarity.__name__, pairs, *row)
            for one, other, same in networks()
            for row in _rows(similarity, one, other, same, asymmetric, chosen)
        ],
    )
    return pd.DataFrame(rows, columns=COLUMNS)


@dataclass(frozen=True)
class _Reader:
    convolution: str
    size: tuple[int, int]
    device: torch.device | str

    def network(self, activations: Activations, seed: int, kept_step: int = -1) -> ComparedNetwork:
        """Read a network at a kept step."""
        layers = (
            torch.from_numpy(activations.read(layer=layer, seed=seed, kept_step=kept_step))
            for layer in activations.layers
        )
        step = activations.steps[kept_step][activations.seeds.index(seed)]
        return self.of_layers(activations, seed, step, layers)

    def of_layers(
        self, activations: Activations, seed: int, step: int, layers: Iterable[Tensor]
    ) -> ComparedNetwork:
        """A network of the record with other activations than were recorded."""
        represented = [
            represented_layer(layer.to(self.device), self.convolution, self.size)
            for layer in layers
        ]
        name = (activations.ensemble, seed, step)
        return ComparedNetwork(name, activations.layers, represented, activations.depth)


Compared = Iterator[tuple[ComparedNetwork, ComparedNetwork, bool]]


def _over_training(a: Activations, reader: _Reader, layers: str) -> Compared:
    for position, seed in enumerate(a.seeds):
        last = reader.network(a, seed)
        steps = [steps[position] for steps in a.steps]
        for step in sorted(set(steps) - {steps[-1]}):
            yield reader.network(a, seed, steps.index(step)), last, layers == "same"
        yield last, last, False


def _straight_line(a: Activations, kept: KeptNetworks, reader: _Reader) -> Compared:
    inputs = torch.from_numpy(a.inputs()).to(reader.device)
    line = straight_line(kept)
    last = {seed: reader.network(a, seed) for seed in a.seeds}
    for kept_step, position, step in line.distinct():
        network = line.networks[kept_step][[position]].folded().to(reader.device)
        layers = layer_activations(network, inputs, kind=a.kind)
        seed = line.seeds[position]
        point = reader.of_layers(a, seed, step, (layers[layer][0] for layer in a.layers))
        yield point, last[seed], True


def _between_seeds(a: Activations, b: Activations, reader: _Reader) -> Compared:
    for kept_step in _compared_steps(a, b):
        networks = {seed: reader.network(a, seed, kept_step) for seed in a.seeds}
        if a.seeds == b.seeds:
            for one, other in combinations(networks.values(), 2):
                yield one, other, kept_step == 0
            continue
        for seed in b.seeds:
            another = reader.network(b, seed, kept_step)
            for one in networks.values():
                yield one, another, kept_step == 0


def _between_ensembles(a: Activations, b: Activations, reader: _Reader, layers: str) -> Compared:
    for kept_step in _compared_steps(a, b):
        networks = [reader.network(a, seed, kept_step) for seed in a.seeds]
        for seed in b.seeds:
            another = reader.network(b, seed, kept_step)
            for one in networks:
                yield one, another, layers == "same" or kept_step == 0


def _compared_steps(a: Activations, b: Activations) -> tuple[int, ...]:
    """Return the index of the last kept step, and that of step 0 if all networks have it."""
    untrained = all(set(one.steps[0]) == {0} and len(one.steps) > 1 for one in (a, b))
    return (-1, 0) if untrained else (-1,)


def _rows(
    similarity: Callable[..., Score],
    a: ComparedNetwork,
    b: ComparedNetwork,
    same: bool,
    asymmetric: bool,
    settings: Mapping[str, Any],
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of two networks, in both orders if the similarity is asymmetric."""
    both = asymmetric and a is not b
    for i, j, score, exchanged in _scores(similarity, a, b, same, asymmetric, settings):
        place_a, place_b = (*a.name, a.numbers[i]), (*b.name, b.numbers[j])
        yield *place_a, *place_b, *(getattr(score, key) for key in SCORE)
        if both:
            yield *place_b, *place_a, *(getattr(exchanged, key) for key in SCORE)


def _scores(
    similarity: Callable[..., Score],
    a: ComparedNetwork,
    b: ComparedNetwork,
    same: bool,
    asymmetric: bool,
    settings: Mapping[str, Any],
) -> Iterable[tuple[int, int, Score, Score]]:
    if not same:
        yield from compared_layers(
            similarity, a.layers, b.layers, asymmetric=asymmetric, **settings
        )
        return
    for i, j in _same_layers(a, b):
        compared = compared_layers(
            similarity, [a.layers[i]], [b.layers[j]], asymmetric=asymmetric, **settings
        )
        yield from ((i, j, *scores) for _, _, *scores in compared)


def _same_layers(a: ComparedNetwork, b: ComparedNetwork) -> Sequence[tuple[int, int]]:
    """Return the pairs of corresponding layers: hidden layers of equal index, and the logits."""
    return [
        (i, j)
        for (i, one), (j, other) in product(enumerate(a.numbers), enumerate(b.numbers))
        if (one == a.depth - 1) == (other == b.depth - 1) and (one == other or one == a.depth - 1)
    ]
