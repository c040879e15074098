"""Norms of the input Jacobian of networks, at a cost nearly independent of the input dimension."""

from collections.abc import Callable, Iterator, Sequence
from math import prod

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor, nn

from generalization.devices import MODULE_SAMPLES, items_at_once, samples_at_once
from generalization.networks.differentiability import needs_derivatives
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, evaluation_mode, module_logits

# Function of logits (…, classes) and further per-sample arguments that returns rows of cotangents
# (…, rows, classes) and their scale (…).
Cotangents = Callable[..., tuple[Tensor, Tensor]]

FORWARD_BLOCKS = 4  # Number of blocks whose logits are computed together.
TRIANGLE_COLUMNS = 64  # Columns per product: fewer skip more zeros, more multiply faster.


@torch.no_grad()
def input_jacobian_norm(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    cotangents: Cotangents,
    *of_points: Shaped[Tensor, "samples *_"],
) -> Float64[Tensor, "networks samples"]:
    """Return the norms ‖C ∂f/∂x‖_F at every input, where the matrix C depends on the logits f.

    In a stack the rows of C are backpropagated through the layers,

        B_{L-1} = (C W_L) ∘ φ'(z_{L-1}),   B_{l-1} = (B_l W_l) ∘ φ'(z_{l-1}),   C ∂f/∂x = B_1 W_1,

    as one product per layer for many samples. If W_1ᵀ = Q R, then ‖B_1 W_1‖_F = ‖B_1 Rᵀ Qᵀ‖_F =
    ‖B_1 Rᵀ‖_F: after one decomposition per network, the cost does not depend on the number of
    features, and half of Rᵀ is zero. (The Gram matrix W_1 W_1ᵀ = Rᵀ R would give the square as
    tr(B_1 Rᵀ R B_1ᵀ), at twice the cost, and rounding may make it negative.) In a module the rows
    are backpropagated by autograd, one backward pass per row of C.

    Products are in the dtype of the weights. Norms are float64, because the scale of a saturated
    softmax, and squares of small numbers, underflow in float32.

    Args:
        networks: A stack, or a module that maps inputs to logits, evaluated in eval mode. Its
            samples must not interact.
        cotangents: Function from logits (…, classes) to C / s, of shape (…, rows, classes) in the
            dtype of the logits, and s, of shape (…) in float64.
        of_points: Further arguments of ``cotangents`` after the logits, with one entry per sample,
            such as labels.

    Returns:
        One norm per network and input.
    """
    if isinstance(networks, nn.Module):
        row_norms = module_row_norms(networks, inputs, cotangents, *of_points)
        chunks = [scale * norms.norm(dim=0) for norms, scale in row_norms]
        return torch.cat(chunks).unsqueeze(0)
    points = _points_per_block(networks, inputs)
    members = max(1, points // max(1, len(inputs)))
    return torch.cat([
        _stack_norms(networks[first : first + members], inputs, cotangents, of_points, points)
        for first in range(0, len(networks), members)
    ])


def _points_per_block(networks: FullyConnectedNetworks, inputs: Tensor) -> int:
    """Return the number of samples, of one or several networks, in a block of rows."""
    bytes_per_point = networks.widths[-1] * max(networks.widths[1:]) * inputs.element_size()
    return items_at_once("input_jacobian", bytes_per_point, inputs.device)


def _chunks(size: int, *of_points: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Split tensors with one entry per sample into chunks."""
    return zip(*(values.split(size) for values in of_points), strict=True)


def module_row_norms(
    module: nn.Module,
    inputs: Float[Tensor, "samples *features"],
    cotangents: Cotangents,
    *of_points: Shaped[Tensor, "samples *_"],
) -> Iterator[tuple[Float64[Tensor, "rows _samples"], Float64[Tensor, "_samples"]]]:
    """Compute the norms of the rows of C ∂f/∂x, by one backward pass each.

    Args:
        module: Map from inputs to logits, evaluated in eval mode.
        cotangents: As of ``input_jacobian_norm``.
        of_points: As of ``input_jacobian_norm``.

    Yields:
        Norms and their scale, of one chunk of inputs after the other.
    """
    needs_derivatives("inputs")
    with evaluation_mode(module):
        for chunk, *of_chunk in _chunks(samples_at_once(MODULE_SAMPLES), inputs, *of_points):
            yield _row_norms(module, chunk, cotangents, of_chunk)


def _row_norms(
    module: nn.Module, inputs: Tensor, cotangents: Cotangents, of_points: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the norms of the rows of one chunk, and their scale."""
    inputs = inputs.detach().requires_grad_()
    with torch.enable_grad():
        logits = module_logits(module, inputs)
    rows, scale = cotangents(logits.detach(), *of_points)
    gradients = (
        torch.autograd.grad(logits, inputs, row, retain_graph=True)[0] for row in rows.unbind(1)
    )
    norms = [gradient.double().flatten(1).norm(dim=1) for gradient in gradients]
    return torch.stack(norms), scale


def _stack_norms(
    networks: FullyConnectedNetworks,
    inputs: Tensor,
    cotangents: Cotangents,
    of_points: Sequence[Tensor],
    points: int,
) -> Tensor:
    """Return the norms of all networks at all inputs, in blocks within the memory budget."""
    input_blocks = _input_blocks(networks.weights[0])
    samples = max(1, min(points // len(networks), len(inputs)))
    numbers_per_point = networks.widths[-1] * max(networks.widths[1:])
    scratch = inputs.new_empty(2, len(networks) * samples * numbers_per_point)
    norms = []
    for chunk, *of_chunk in _chunks(FORWARD_BLOCKS * samples, inputs.flatten(1), *of_points):
        logits, slopes = logits_and_slopes(networks, chunk)
        parts = (*cotangents(logits, *of_chunk), *slopes)
        of_blocks = (part.split(samples, dim=1) for part in parts)
        for rows, scale, *slopes in zip(*of_blocks, strict=True):
            rows = _pull_back(rows, networks.weights[1:], slopes, scratch)
            norms.append(scale * _norm_at_input(rows, input_blocks, scratch[0]))
    return torch.cat(norms, dim=1)


def _input_blocks(weight: Tensor) -> list[Tensor]:
    """Return blocks S_i of columns of W_1, or of Rᵀ, with Σ_i ‖B S_i‖² = ‖B W_1‖² for every B.

    Zeros at the top of the columns of Rᵀ are omitted, so that a block multiplies only the last
    columns of B.
    """
    units, features = weight.shape[-2:]
    if features <= units:
        return list(weight.split(TRIANGLE_COLUMNS, dim=-1))
    triangle = torch.linalg.qr(weight.mT, mode="r").R.mT
    return [
        triangle[:, first:, first : first + TRIANGLE_COLUMNS].contiguous()
        for first in range(0, units, TRIANGLE_COLUMNS)
    ]


def logits_and_slopes(
    networks: FullyConnectedNetworks, inputs: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Return the logits, and the slopes φ'(z) of every hidden layer."""
    activations, slopes = inputs, []
    for layer in range(networks.depth - 1):
        activations = networks.phi.function(networks.affine(layer, activations))
        slopes.append(networks.phi.derivative(activations))
    return networks.affine(networks.depth - 1, activations), slopes


def _pull_back(
    rows: Tensor, weights: Sequence[Tensor], slopes: Sequence[Tensor], scratch: Tensor
) -> Tensor:
    """Backpropagate rows of cotangents from the logits to the preactivations of the first layer.

    Layers alternate between parts of the scratch memory, whose first half is free at the end;
    allocating memory would cost a tenth of the time of a product or more through page faults.
    """
    for layer in reversed(range(len(weights))):
        rows = _product(rows, weights[layer], scratch[(layer + 1) % 2])
        rows.mul_(slopes[layer].unsqueeze(2))
    return rows


def _norm_at_input(rows: Tensor, input_blocks: Sequence[Tensor], scratch: Tensor) -> Tensor:
    """Return the norm of all rows of each sample times the first layer.

    If squares underflow or overflow (1e-20 is a float32, its square is not), the computation is
    repeated in float64.
    """
    norms = [
        torch.linalg.vector_norm(
            _product(rows[..., -block.shape[-2] :], block, scratch).flatten(2), dim=-1
        )
        for block in input_blocks
    ]
    norm = torch.stack(norms).norm(dim=0)
    if norm.dtype == torch.float64 or _square_fits(norm):
        return norm.double()
    return _norm_at_input(
        rows.double(), [block.double() for block in input_blocks], scratch.double()
    )


def _square_fits(norm: Tensor) -> bool:
    """Return whether norms were summed without underflow or overflow."""
    limits = torch.finfo(norm.dtype)
    return not ((norm < limits.tiny**0.5 / limits.eps) | (norm > limits.max**0.5)).any()


def _product(rows: Tensor, weight: Tensor, scratch: Tensor) -> Tensor:
    """Multiply rows (networks, samples, rows, units) by a weight per network in scratch memory."""
    shape = (*rows.shape[:-1], weight.shape[-1])
    out = scratch[: prod(shape)].view(shape)
    torch.bmm(rows.flatten(1, 2), weight, out=out.flatten(1, 2))
    return out
