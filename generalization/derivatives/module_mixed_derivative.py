"""Norms of the mixed derivative of a module by parameters and input, in closed form."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from generalization.devices import items_at_once
from generalization.networks.differentiability import needs_derivatives
from generalization.networks.linearized_layers import (
    KEEPING_FEATURES,
    flat_layers,
    having_parameters,
    linearized,
    padded,
)
from generalization.networks.modules import BATCH_NORMS, evaluation_mode


@torch.no_grad()
def module_mixed_derivative_norm(
    module: nn.Module,
    inputs: Float[Tensor, "samples *features"],
    outputs: Float[Tensor, "rows classes"],
) -> Float64[Tensor, "1 samples"]:
    """Return ‖∂²(Cf)/∂θ∂x‖_F at every input, see ``sensitivity_of_module_layers``."""
    return sensitivity_of_module_layers(module, inputs, outputs).norm(dim=-1)


@torch.no_grad()
def sensitivity_of_module_layers(
    module: nn.Module,
    inputs: Float[Tensor, "samples *features"],
    outputs: Float[Tensor, "rows classes"],
) -> Float64[Tensor, "1 samples layers"]:
    """Return ‖∂²(Cf)/∂θ_l∂x‖_F of a sequence of locally linear layers, at every input.

    For a layer with input a and output y, let A = ∂a/∂x and Δ = ∂(Cf)/∂y. Neither depends on x
    inside a linear region, biases do not contribute, and the squares of the other blocks are

        linear                ‖Δ‖_F² ‖A‖_F²
        convolution           Σ_{p,q} ⟨Δ_p, Δ_q⟩ ⟨U_p, U_q⟩
        batch normalization   Σ_c ‖Σ_p Δ_{c,p} ⊗ ∂ẑ_{c,p}/∂x‖_F²,   ẑ = (a − μ) / √(v + ε)

    where p and q are positions, c are channels, and U_p are the rows of A in the window at p, since
    ∂(Cf)/∂W = Σ_p Δ_p ⊗ u_p and ∂(Cf)/∂γ_c = Σ_p Δ_{c,p} ẑ_{c,p}. For vectors, which have one
    position, the last expression is Σ_c ‖Δ_c‖² ‖∂ẑ_c/∂x‖². Where there are fewer channels than
    positions, Σ_p Δ_p ⊗ U_p itself is squared, which is equal and cheaper.

    Δ is computed by one backward pass per row of C. A is propagated through the layers, and all
    squares are sums over its columns, processed in chunks, so that memory depends neither on the
    number of parameters times features nor on the number of inputs. If the first layer is linear
    with W_1ᵀ = Q R, its block is ‖Δ_1‖² times the number of features, and R replaces W_1ᵀ, since it
    has the same norms.

    Args:
        module: Module for which ``is_sequence_of_known_layers`` holds, evaluated in eval mode.

    Returns:
        One norm per input and layer with parameters; NaN where logits are not finite.
    """
    needs_derivatives("inputs and parameters")
    layers = flat_layers(module)
    if not len(inputs):
        count = len(having_parameters(layers))
        return torch.zeros(1, 0, count, dtype=torch.float64, device=inputs.device)
    with evaluation_mode(module):
        numbers = _numbers_per_direction(layers, inputs[:1], len(outputs))
        pairs = items_at_once("layer_changes", numbers * inputs.element_size(), inputs.device)
        start, directions = _first_changes(layers, inputs[0])
        squares = [
            _squares(layers, chunk, outputs, start, directions.split(max(1, pairs // len(chunk))))
            for chunk in inputs.split(max(1, pairs // len(directions)))
        ]
    return torch.cat(squares).sqrt().unsqueeze(0)


def _first_changes(layers: Sequence[nn.Module], point: Tensor) -> tuple[int, Tensor]:
    """Return the index of the first layer to propagate tangents through, and its input tangents."""
    start = next((i for i, layer in enumerate(layers) if type(layer) not in KEEPING_FEATURES), 0)
    first, features = layers[start], point.numel()
    if isinstance(first, nn.Linear) and first.in_features == features:
        return start + 1, torch.linalg.qr(first.weight.mT, mode="r").R
    return 0, torch.eye(features, dtype=point.dtype, device=point.device).view(-1, *point.shape)


def _numbers_per_direction(layers: Sequence[nn.Module], point: Tensor, rows: int) -> int:
    """Return the size of the largest tensor per direction and sample."""
    numbers = [point.numel()]
    for layer in layers:
        numbers.append(point.numel())
        point = layer(point.clone())
        if isinstance(layer, nn.Conv2d):
            positions = point.shape[-2:].numel()
            numbers.append(positions * layer.in_channels * layer.weight[0, 0].numel())
            if not _is_gram_cheaper(positions, rows * layer.out_channels // layer.groups):
                numbers.append(rows * layer.weight.numel())
    return max(*numbers, rows * point.numel())


def _squares(
    layers: Sequence[nn.Module],
    inputs: Float[Tensor, "samples *features"],
    outputs: Float[Tensor, "rows classes"],
    start: int,
    directions: Sequence[Tensor],
) -> Float64[Tensor, "samples layers"]:
    """Return the squared norms for one chunk of inputs."""
    maps, given = linearized(layers, inputs)
    having = list(having_parameters(layers))
    deltas = dict(zip(having, _cotangents(given, having, outputs), strict=True))
    sums = torch.zeros(len(having), len(inputs), dtype=torch.float64, device=inputs.device)
    squares = dict(zip(having, sums, strict=True))
    if start:
        squares[start - 1] += inputs[0].numel() * _sum_of_squares(deltas[start - 1])
    for changes in directions:
        changes = changes.expand(len(inputs), *changes.shape)
        for i in range(start, max(having, default=-1) + 1):
            if i in deltas:
                squares[i] += _block_squares(layers[i], deltas[i], changes)
            changes = maps[i](changes)
    return sums.where(given[-1].isfinite().all(1), torch.nan).T


def _cotangents(
    given: Sequence[Tensor], layers: Sequence[int], outputs: Float[Tensor, "rows classes"]
) -> list[Float[Tensor, "samples rows *_features"]]:
    """Return ∂(Cf)/∂y for the outputs y of some layers."""
    wanted = [given[i] for i in layers]
    rows = [
        torch.autograd.grad(given[-1], wanted, row.expand_as(given[-1]), retain_graph=True)
        for row in (outputs if wanted else [])
    ]
    return [torch.stack(of_layer, dim=1) for of_layer in zip(*rows, strict=True)]


def _block_squares(
    layer: nn.Module,
    deltas: Float[Tensor, "samples rows *_given"],
    changes: Float[Tensor, "samples directions *_taken"],
) -> Float64[Tensor, "samples"]:
    """Return the squared norm of the block of one layer, summed over some directions."""
    if isinstance(layer, BATCH_NORMS):
        deltas, changes = (part.unsqueeze(-1).flatten(3) for part in (deltas, changes))
        block = torch.einsum("nkcp,ndcp->nkdc", deltas, changes)
        return _sum_of_squares(block * (layer.running_var + layer.eps).rsqrt())
    if isinstance(layer, nn.Linear):
        deltas, changes = (
            part.reshape(*part.shape[:2], 1, -1, part.shape[-1]) for part in (deltas, changes)
        )
    else:
        deltas = deltas.unflatten(2, (layer.groups, -1)).flatten(4).mT
        changes = _windows(layer, changes)
    return _sum_over_positions(deltas, changes)


def _windows(layer: nn.Conv2d, changes: Tensor) -> Tensor:
    """Extract windows, (samples, directions, groups, positions, entries).

    Copying one entry at all positions at a time is faster than ``unfold``.
    """
    images = padded(layer, changes.flatten(0, 1))
    rows, columns = (
        [slice(k * dilation, size - (kernel - 1 - k) * dilation, stride) for k in range(kernel)]
        for size, kernel, dilation, stride in zip(
            images.shape[2:], layer.kernel_size, layer.dilation, layer.stride, strict=True
        )
    )
    entries = torch.stack([images[:, :, row, column] for row in rows for column in columns], dim=2)
    entries = entries.flatten(3).unflatten(1, (layer.groups, -1)).flatten(2, 3)
    return entries.unflatten(0, changes.shape[:2]).mT


def _sum_over_positions(
    deltas: Float[Tensor, "samples rows groups positions units"],
    changes: Float[Tensor, "samples directions groups positions entries"],
) -> Float64[Tensor, "samples"]:
    """Return Σ_{p,q} ⟨Δ_p, Δ_q⟩ ⟨U_p, U_q⟩ = ‖Σ_p Δ_p ⊗ U_p‖² by the cheaper of the two."""
    if _is_gram_cheaper(deltas.shape[3], deltas.shape[1] * deltas.shape[4]):
        of_deltas = torch.einsum("nkgpo,nkgqo->ngpq", deltas, deltas)
        of_changes = torch.einsum("ndgpe,ndgqe->ngpq", changes, changes)
        # Rounding may make it negative.
        return (of_deltas.double() * of_changes.double()).sum((1, 2, 3)).clamp_min(0)
    return _sum_of_squares(torch.einsum("nkgpo,ndgpe->ngkode", deltas, changes))


def _is_gram_cheaper(positions: int, rows: int) -> bool:
    """Return whether products between positions are fewer than those with rows of cotangents."""
    return positions <= rows


def _sum_of_squares(values: Float[Tensor, "samples *_"]) -> Float64[Tensor, "samples"]:
    """Return the squared norm of each sample."""
    return torch.linalg.vector_norm(values.flatten(1), dim=1, dtype=torch.float64).square()
