"""Factors of the per-sample gradients of a module's layers, without gradients by autograd.

A convolution is a fully connected layer at T positions, of which z_t = W a_t + b with a_t the
unfolded input at position t. The gradient by (W, b) at one sample is Σ_t δ_t (a_t, 1)ᵀ, so

    g_i · g_j = Σ_{t,s} (δ_it · δ_js) ((a_it, 1) · (a_js, 1)).

Either this is summed over pairs of positions, or the gradients of one layer are formed, whichever
needs fewer multiplications. All δ come from one backward pass per row of cotangents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from generalization.networks.linearized_layers import padded
from generalization.networks.modules import logits_at

Layer = nn.Linear | nn.Conv2d
Layers = Mapping[str, Layer]
# Samples on which the factors of a module are compared with its gradients by autograd.
COMPARED = 3


class Factors(NamedTuple):
    """Factors of the gradients of one layer: δ for every row of cotangents, and (a, 1)."""

    deltas: Float[Tensor, "networks samples rows _units"]
    activations: Float[Tensor, "networks samples _fan_in"]


class Unfolded(NamedTuple):
    """Factors of the gradients of one layer at its positions, over which products are summed."""

    deltas: Float[Tensor, "networks samples rows positions _units"]
    activations: Float[Tensor, "networks samples positions _fan_in"]


class Captured(NamedTuple):
    """Input and output of one call of a layer."""

    inputs: Tensor
    outputs: Tensor


def readable_layers(
    module: nn.Module, inputs: Float[Tensor, "samples *features"]
) -> dict[str, Layer] | None:
    """Return the layers of a module, by name, if the factors of its gradients can be read off them.

    All parameters must be weights and biases of ``Linear`` and ``Conv2d``, each called once with
    one row of inputs per sample. Factors are compared with autograd on the first inputs, since a
    module may use its weights elsewhere too.

    Args:
        module: Module in eval mode.
        inputs: At least one input.
    """
    parts = {name: one for name, one in module.named_modules() if [*one.parameters(recurse=False)]}
    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    shared = len(names) != len([*module.parameters()])
    known = all(
        type(one) in (nn.Linear, nn.Conv2d) and "weight" in one._parameters
        for one in parts.values()
    )
    if shared or not known:
        return None
    some = inputs[:COMPARED]
    chosen = len(some) - 1
    parameters = trainable(module)
    with torch.enable_grad(), _calls(parts) as calls:
        logits = logits_at(module, parameters, some)
        if not all(_called_once(calls[name], len(some)) for name in parts):
            return None
        cotangents = torch.zeros_like(logits)
        # Weights of classes that are all different, of one sample.
        cotangents[chosen] = 1 + torch.arange(logits.shape[1]).to(logits) / logits.shape[1]
        outputs = [calls[name][0].outputs for name in parts]
        wanted = [*outputs, *parameters.values()]
        found = torch.autograd.grad(logits, wanted, cotangents, materialize_grads=True)
    deltas, gradients = found[: len(parts)], dict(zip(parameters, found[len(parts) :], strict=True))
    for (name, layer), delta in zip(parts.items(), deltas, strict=True):
        # Of one sample: the others have no cotangents, and so no part in the gradients.
        inputs_of = calls[name][0].inputs[[chosen]]
        formed = _formed(*_at_positions(layer, inputs_of, [delta[[chosen]]]), has_bias(layer))
        prefix = f"{name}." if name else ""
        for factors, parameter in zip(formed, ("weight", "bias"), strict=False):
            same = gradients[prefix + parameter].flatten()
            error = (factors.deltas.flatten() - same).norm()
            if error > torch.finfo(same.dtype).eps ** 0.5 * same.norm():
                return None
    return parts


def _called_once(calls: Sequence[Captured | None], samples: int) -> bool:
    """Return whether a layer was called once, with one row of inputs per sample."""
    return len(calls) == 1 and calls[0] is not None and len(calls[0].inputs) == samples


def has_bias(layer: Layer) -> bool:
    """Return whether the bias of a layer is a parameter: one that is a buffer has no gradient."""
    return layer._parameters.get("bias") is not None


def trainable(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of the parameters of a module that gradients can be computed by, by name."""
    return {name: one.detach().requires_grad_() for name, one in module.named_parameters()}


@contextmanager
def _calls(layers: Layers) -> Iterator[dict[str, list[Captured | None]]]:
    """Capture the inputs and outputs of layers, of which later layers may overwrite a copy."""
    found: dict[str, list[Captured | None]] = {name: [] for name in layers}

    def hook(name: str) -> Callable[..., Tensor]:
        def capture(_: nn.Module, arguments: tuple[Tensor, ...], outputs: Tensor) -> Tensor:
            inputs = arguments[0].detach().clone() if len(arguments) == 1 else None
            found[name].append(None if inputs is None else Captured(inputs, outputs))
            return outputs.clone()

        return capture

    handles = [layer.register_forward_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def captured_calls(
    module: nn.Module, layers: Layers, inputs: Float[Tensor, "samples *features"]
) -> tuple[Float[Tensor, "samples classes"], list[Captured]]:
    """Compute the logits of a module with their graph, and the calls of its layers."""
    with torch.enable_grad(), _calls(layers) as calls:
        logits = logits_at(module, trainable(module), inputs)
    return logits, [calls[name][0] for name in layers]


def layer_factors(
    layers: Layers,
    calls: Sequence[Captured],
    logits: Float[Tensor, "samples classes"],
    rows: Float[Tensor, "samples rows classes"],
    partners: int | None,
) -> list[Factors | Unfolded]:
    """Return the factors of the gradients of rows of cotangents, one per layer.

    Args:
        layers: Layers of ``readable_layers``.
        calls: Their calls.
        logits: Logits with their graph, which is freed.
        rows: Rows of cotangents.
        partners: Number of samples with whose gradients those of a sample are multiplied; None if
            the entries of gradients are needed.
    """
    outputs, count = [call.outputs for call in calls], rows.shape[1]
    found = [
        torch.autograd.grad(
            logits, outputs, rows[:, row], retain_graph=row < count - 1, materialize_grads=True
        )
        for row in range(count)
    ]
    factors: list[Factors | Unfolded] = []
    for layer, call, deltas in zip(layers.values(), calls, zip(*found, strict=True), strict=True):
        arranged = _at_positions(layer, call.inputs, deltas)
        factors += _factors(*arranged, has_bias(layer), partners)
    return factors


def _factors(
    deltas: Float[Tensor, "samples rows groups positions _units"],
    inputs: Float[Tensor, "samples groups positions _fan_in"],
    biased: bool,
    partners: int | None,
) -> list[Factors | Unfolded]:
    """Return the factors of a layer in the form that needs the fewest multiplications."""
    _, rows, groups, positions, units = deltas.shape
    sizes = units, inputs.shape[-1] + biased
    unfolded = partners and by_positions(*sizes, positions, rows, partners)
    if groups > 1 or (positions > 1 and not unfolded):
        return list(_formed(deltas, inputs, biased))
    activations = inputs[:, 0].unsqueeze(0)
    if biased:
        ones = activations.new_ones(*activations.shape[:3], 1)
        activations = torch.cat([activations, ones], 3)
    deltas = deltas[:, :, 0].unsqueeze(0)
    if positions > 1:
        return [Unfolded(deltas, activations)]
    return [Factors(deltas[:, :, :, 0], activations[:, :, 0])]


def by_positions(units: int, fan_in: int, positions: int, rows: int, partners: int) -> bool:
    """Return whether products of gradients need fewer multiplications by pairs of positions.

    With O units, fan-in P, T positions and r rows, gradients take r T O P to form, and r² O P per
    partner to multiply; by positions it is T² (r² O + P) per partner.
    """
    formed = rows * positions * units * fan_in + partners * rows**2 * units * fan_in
    return partners * positions**2 * (rows**2 * units + fan_in) < formed


def _formed(
    deltas: Float[Tensor, "samples rows groups positions _units"],
    inputs: Float[Tensor, "samples groups positions _fan_in"],
    biased: bool,
) -> list[Factors]:
    """Return the gradients by weights, and by biases, as factors: the gradients, and 1."""
    samples, rows, groups, positions, units = deltas.shape
    columns = deltas.permute(0, 2, 1, 4, 3).reshape(samples, groups, rows * units, positions)
    gradients = (columns @ inputs).unflatten(2, (rows, units)).transpose(1, 2)
    found = [gradients, deltas.sum(3)] if biased else [gradients]
    ones = inputs.new_ones(1, samples, 1)
    return [Factors(one.flatten(2).unsqueeze(0), ones) for one in found]


def _at_positions(
    layer: Layer, inputs: Tensor, deltas: Sequence[Tensor]
) -> tuple[
    Float[Tensor, "samples rows groups positions _units"],
    Float[Tensor, "samples groups positions _fan_in"],
]:
    """Arrange δ and the unfolded inputs of a layer by groups of channels and positions.

    Args:
        inputs: Inputs of the layer.
        deltas: Derivatives by its outputs, one tensor per row of cotangents.
    """
    if isinstance(layer, nn.Linear):
        rows = [one.reshape(len(one), 1, -1, layer.out_features) for one in deltas]
        return torch.stack(rows, 1), inputs.reshape(len(inputs), 1, -1, layer.in_features)
    columns = functional.unfold(
        padded(layer, inputs), layer.kernel_size, layer.dilation, 0, layer.stride
    )
    rows = [one.flatten(2).unflatten(1, (layer.groups, -1)).transpose(2, 3) for one in deltas]
    return torch.stack(rows, 1), columns.unflatten(1, (layer.groups, -1)).transpose(2, 3)


def numbers_per_sample(
    layers: Layers, calls: Sequence[Captured], rows: int, partners: int | None
) -> int:
    """Return how many numbers the factors of the gradients of one sample are, at most.

    Args:
        calls: Calls of the layers, with the same number of inputs.
    """
    total, largest = 0, 0
    for layer, call in zip(layers.values(), calls, strict=True):
        deltas = call.outputs[:1].numel()
        units = len(layer.weight)
        fan_in = layer.weight[0].numel() + has_bias(layer)
        positions = deltas // units
        kept = positions * (rows * units + fan_in)
        formed = rows * units * fan_in
        if positions > 1 and not (
            partners and by_positions(units, fan_in, positions, rows, partners)
        ):
            # δ and a of this layer are freed before those of the next one are arranged.
            largest, kept = max(largest, kept), formed
        # Inputs and outputs are stored until the backward pass.
        total += kept + call.inputs[:1].numel() + deltas
    return total + largest
