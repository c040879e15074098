"""Norms of the derivative of a network by its input, at a cost that hardly knows the input."""

from collections.abc import Callable, Iterator, Sequence
from math import prod

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor, nn

from generalization.devices import MODULE_SAMPLES, items_at_once, samples_at_once
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, evaluation_mode, module_logits

# From logits (…, classes), and what else there is of every point, to rows of cotangents
# (…, rows, classes) and their scale (…).
Cotangents = Callable[..., tuple[Tensor, Tensor]]

FORWARD_BLOCKS = 4  # Whose logits are computed together.
TRIANGLE_COLUMNS = 64  # At a time: fewer skip more zeros, more multiply faster.


@torch.no_grad()
def input_jacobian_norm(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    cotangents: Cotangents,
    *of_points: Shaped[Tensor, "samples *_"],
) -> Float64[Tensor, "networks samples"]:
    """‖C ∂f/∂x‖_F at every point, where the matrix C depends on the logits f.

    A stack pulls the rows of C back through its layers, by the chain rule,

        B_{L-1} = (C W_L) ∘ φ'(z_{L-1}),   B_{l-1} = (B_l W_l) ∘ φ'(z_{l-1}),   C ∂f/∂x = B_1 W_1,

    as one product per layer for many points. If W_1ᵀ = Q R, then ‖B_1 W_1‖_F = ‖B_1 Rᵀ Qᵀ‖_F =
    ‖B_1 Rᵀ‖_F: after one decomposition per network, the number of features plays no part, and half
    of Rᵀ is zero. (The Gram matrix W_1 W_1ᵀ = Rᵀ R would give the square as tr(B_1 Rᵀ R B_1ᵀ), at
    twice the cost, and may round it below zero.) A module pulls the rows back by autograd, one
    backward pass per row of C.

    Products are in the dtype of the weights. Norms are float64, because the scale of a saturated
    softmax, and squares of small numbers, are below what float32 can hold.

    Args:
        networks: A stack, or a module that maps inputs to logits, taken in eval mode. Its points
            must not influence each other.
        cotangents: From logits (…, classes) to C / s, of shape (…, rows, classes) in the dtype of
            the logits, and s, of shape (…) in float64.
        of_points: What C depends on beside the logits, as labels: one entry per point, given to
            ``cotangents`` after the logits of the same points.

    Returns:
        One norm per network and point.
    """
    if isinstance(networks, nn.Module):
        with evaluation_mode(networks) as module:
            chunks = [
                _module_norms(module, chunk, cotangents, of_chunk)
                for chunk, *of_chunk in _chunks(samples_at_once(MODULE_SAMPLES), inputs, *of_points)
            ]
        return torch.cat(chunks).unsqueeze(0)
    points = _points_per_block(networks, inputs)
    members = max(1, points // max(1, len(inputs)))
    return torch.cat([
        _stack_norms(networks[first : first + members], inputs, cotangents, of_points, points)
        for first in range(0, len(networks), members)
    ])


def _points_per_block(networks: FullyConnectedNetworks, inputs: Tensor) -> int:
    """Return the number of points, of one network or of several, of a block of rows."""
    bytes_per_point = networks.widths[-1] * max(networks.widths[1:]) * inputs.element_size()
    return items_at_once("input_jacobian", bytes_per_point, inputs.device)


def _chunks(size: int, *of_points: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Some points at a time, of all that there is of them."""
    return zip(*(values.split(size) for values in of_points), strict=True)


def _module_norms(
    module: nn.Module, inputs: Tensor, cotangents: Cotangents, of_points: Sequence[Tensor]
) -> Tensor:
    """Norms of one chunk, one backward pass per row."""
    inputs = inputs.detach().requires_grad_()
    with torch.enable_grad():
        logits = module_logits(module, inputs)
    rows, scale = cotangents(logits.detach(), *of_points)
    gradients = (
        torch.autograd.grad(logits, inputs, row, retain_graph=True)[0] for row in rows.unbind(1)
    )
    norms = [gradient.double().flatten(1).norm(dim=1) for gradient in gradients]
    return scale * torch.stack(norms).norm(dim=0)


def _stack_norms(
    networks: FullyConnectedNetworks,
    inputs: Tensor,
    cotangents: Cotangents,
    of_points: Sequence[Tensor],
    points: int,
) -> Tensor:
    """Norms of all networks at all inputs, as many inputs at a time as make so many points."""
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
    """Blocks S_i with Σ_i ‖B S_i‖² = ‖B W_1‖² for every B: columns of W_1, or of the triangle Rᵀ.

    Zeros on top of the triangle's columns are left out, so that a block meets the last columns of
    B only.
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
    """Logits, and φ'(z) of every hidden layer."""
    activations, slopes = inputs, []
    for layer in range(networks.depth - 1):
        activations = networks.phi.function(networks.affine(layer, activations))
        slopes.append(networks.phi.derivative(activations))
    return networks.affine(networks.depth - 1, activations), slopes


def _pull_back(
    rows: Tensor, weights: Sequence[Tensor], slopes: Sequence[Tensor], scratch: Tensor
) -> Tensor:
    """Rows of cotangents at the logits, pulled back to the preactivations of the first layer.

    Blocks take turns in the scratch memory and leave its first half free: fresh memory would cost
    a tenth of the product and more, in page faults.
    """
    for layer in reversed(range(len(weights))):
        rows = _product(rows, weights[layer], scratch[(layer + 1) % 2])
        rows.mul_(slopes[layer].unsqueeze(2))
    return rows


def _norm_at_input(rows: Tensor, input_blocks: Sequence[Tensor], scratch: Tensor) -> Tensor:
    """Norm of all rows of a point, multiplied by the square root of the first layer.

    If a square does not fit the dtype (1e-20 is a float32, its square is not), all this once more
    in float64.
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
    """Rows (networks, samples, rows, units) times a weight of each network, in scratch memory."""
    shape = (*rows.shape[:-1], weight.shape[-1])
    out = scratch[: prod(shape)].view(shape)
    torch.bmm(rows.flatten(1, 2), weight, out=out.flatten(1, 2))
    return out
