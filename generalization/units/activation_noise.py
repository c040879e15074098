"""Accuracy of networks with noise added to their hidden units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from generalization.devices import SAMPLES_PER_CHUNK, items_at_once, samples_at_once
from generalization.networks.hidden_layers import (
    is_sequence,
    layer_maps,
    logits_of_changed_layers,
    module_activations,
    network_modules,
)
from generalization.networks.modules import Networks, evaluation_mode
from generalization.units.module_ablations import largest_layer


@torch.no_grad()
def noisy_accuracies(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    generator: torch.Generator,
    *,
    scales: Float64[Tensor, "scales"],
    draws: int,
    layers: Sequence[int],
) -> Float64[Tensor, "networks draws scales"]:
    """Compute the accuracy of networks with noise along random directions (Morcos et al. 2018).

    a_i ← a_i + N(0, s Var(a_i)) for every unit of the layers. The variance is over the same inputs,
    and for feature maps also over positions, in the network without noise; each position has
    independent noise. The noise of one draw has the same direction for all scales. In sequences of
    layers, activations below the lowest layer are computed once; of other modules, noise is added
    to what calls of activation functions return, wherever it is used.

    Args:
        generator: Source of the noise, on the CPU, which all networks share.
        scales: Scales s of the noise, relative to the variance.
        draws: Number of draws of the noise.
        layers: Ascending indices of the hidden layers with noise.

    Returns:
        Accuracies, R × draws × scales.
    """
    state = generator.get_state()
    accuracies = []
    for module in network_modules(networks):
        generator.set_state(state)
        with evaluation_mode(module):
            if is_sequence(module):
                right = _right(layer_maps(module), inputs, labels, generator, scales, draws, layers)
            else:
                right = _right_of_calls(module, inputs, labels, generator, scales, draws, layers)
        accuracies.append(right.double() / len(labels))
    return torch.stack(accuracies)


def _right(
    pieces: Sequence[nn.Module],
    inputs: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    scales: Tensor,
    draws: int,
    layers: Sequence[int],
) -> Int64[Tensor, "draws scales"]:
    """Count the samples that one network classifies correctly."""
    lowest, above = layers[0], pieces[layers[0] + 1 :]
    chunks = [
        _through(pieces[: lowest + 1], some)
        for some in inputs.split(samples_at_once(SAMPLES_PER_CHUNK))
    ]
    deviations = _deviations(chunks, above, [layer - lowest for layer in layers])
    parts = list(zip(chunks, labels.split(samples_at_once(SAMPLES_PER_CHUNK)), strict=True))
    return torch.stack([
        sum(_right_in_chunk(above, *part, generator, scales.sqrt(), deviations) for part in parts)
        for _ in range(draws)
    ])


def _right_of_calls(
    module: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    scales: Tensor,
    draws: int,
    layers: Sequence[int],
) -> Int64[Tensor, "draws scales"]:
    """Count the samples that one module classifies correctly, whatever connects its layers."""
    chunks = inputs.split(samples_at_once(SAMPLES_PER_CHUNK))
    deviations = _deviations_of_calls(module, chunks, layers)
    parts = list(zip(chunks, labels.split(samples_at_once(SAMPLES_PER_CHUNK)), strict=True))
    return torch.stack([
        sum(_right_of_chunk(module, *part, generator, scales.sqrt(), deviations) for part in parts)
        for _ in range(draws)
    ])


def _deviations_of_calls(
    module: nn.Module, chunks: Sequence[Tensor], layers: Sequence[int]
) -> dict[int, Float[Tensor, "units"]]:
    """Return the standard deviation of the units of layers, from sums over chunks."""
    sums = dict.fromkeys(layers, torch.zeros(()))
    for some in chunks:
        for layer, values in enumerate(module_activations(module, some)):
            if layer in sums:
                units = values.movedim(1, 0).flatten(1).double()
                powers = [torch.full_like(units[:, 0], units.shape[1]), units.sum(1)]
                powers.append(units.square().sum(1))
                sums[layer] = sums[layer].to(units) + torch.stack(powers)
    return {
        layer: (squares / count - (total / count) ** 2).clamp(min=0).sqrt()
        for layer, (count, total, squares) in sums.items()
    }


def _right_of_chunk(
    module: nn.Module,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    generator: torch.Generator,
    lengths: Float64[Tensor, "scales"],
    deviations: Mapping[int, Float[Tensor, "units"]],
) -> Int64[Tensor, "scales"]:
    """Count correctly classified samples of a chunk at every scale, in any module."""
    noise: dict[int, Tensor] = {}  # Drawn at the first scale, when the shapes are known.
    right = []
    size = largest_layer(module, inputs) * len(inputs)
    for some in lengths.to(inputs).split(items_at_once("operation", size, inputs.device)):

        def disturb(layer: int, activations: Tensor, some: Tensor = some) -> None:
            if layer in deviations:
                values = activations.unflatten(0, (len(some), -1))
                if layer not in noise:
                    noise[layer] = _noise(values, deviations[layer], generator)
                values.add_(some.view(-1, *[1] * noise[layer].dim()) * noise[layer])

        values = inputs.expand(len(some), *inputs.shape).flatten(0, 1)
        logits = logits_of_changed_layers(module, values, disturb).unflatten(0, (len(some), -1))
        right.append((logits.argmax(-1) == labels).sum(-1))
    return torch.cat(right)


def _noise(
    values: Float[Tensor, "scales samples units *positions"],
    deviations: Float[Tensor, "units"],
    generator: torch.Generator,
) -> Float[Tensor, "samples units *positions"]:
    """Draw noise of the deviations of units, independently at each position."""
    drawn = torch.randn(values.shape[1:], generator=generator).to(values)
    return drawn * deviations.to(values).view(-1, *[1] * (drawn.dim() - 2))


def _through(pieces: Sequence[nn.Module], values: Tensor) -> Tensor:
    for piece in pieces:
        values = piece(values.clone())  # Layers may operate in place.
    return values


def _deviations(
    chunks: Sequence[Tensor], above: Sequence[nn.Module], layers: Sequence[int]
) -> dict[int, Float[Tensor, "units"]]:
    """Return the standard deviation of the units of each layer from the lowest noisy one up."""
    deviations = {}
    for layer in range(layers[-1] + 1):
        if layer in layers:
            units = torch.cat([values.movedim(1, 0).flatten(1) for values in chunks], dim=1)
            deviations[layer] = units.std(1, correction=0)
        chunks = [_through(above[layer : layer + 1], values) for values in chunks]
    return deviations


def _right_in_chunk(
    pieces: Sequence[nn.Module],
    activations: Float[Tensor, "samples units *positions"],
    labels: Int64[Tensor, "samples"],
    generator: torch.Generator,
    lengths: Float64[Tensor, "scales"],
    deviations: Mapping[int, Float[Tensor, "units"]],
) -> Int64[Tensor, "scales"]:
    """Count correctly classified samples of a chunk at every scale."""
    noise: dict[int, Tensor] = {}  # Drawn at the first scale, when the shapes are known.
    right = []
    at_once = items_at_once("operation", activations.numel(), activations.device)
    for some in lengths.to(activations).split(at_once):
        values = activations.expand(len(some), *activations.shape)
        for layer, piece in enumerate(pieces):
            if layer in deviations:
                if layer not in noise:
                    noise[layer] = _noise(values, deviations[layer], generator)
                values = values + some.view(-1, *[1] * noise[layer].dim()) * noise[layer]
            values = piece(values.flatten(0, 1)).unflatten(0, (len(some), -1))
        right.append((values.argmax(-1) == labels).sum(-1))
    return torch.cat(right)
