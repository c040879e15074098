"""Gradients by the parameters at single points, as factors whose products are never formed.

In a fully connected layer z = W a + b, the gradient of anything by (W, b) at one point is δ (a, 1)ᵀ
with δ its derivative by z. Norms, inner products, sums and squares of such gradients need δ and a
alone:

    ‖g_i‖² = Σ_l ‖δ_i‖² ‖(a_i, 1)‖²,   g_i · g_j = Σ_l (δ_i · δ_j) ((a_i, 1) · (a_j, 1)),
    Σ_i w_i g_i = Σ_i w_i δ_i (a_i, 1)ᵀ,   Σ_i g_i² = Σ_i δ_i² ((a_i, 1)ᵀ)².

Gradients of a module are factors too: the derivative by each of its parameters, and 1.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64, Shaped
from torch import Tensor, nn
from torch.func import jacrev, vmap

from generalization.derivatives.input_jacobian import Cotangents
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, evaluation_mode, logits_at, module_logits

# Rows of cotangents in one product: those of as many points, and then networks, as fill so many
# bytes, which a CPU keeps in its cache.
CPU_BLOCK_BYTES = 2**21
GPU_BLOCK_BYTES = 2**28
MODULE_BYTES = 2**27


class Factors(NamedTuple):
    """Factors of the gradients of one layer: δ of every row of cotangents, and (a, 1)."""

    deltas: Float[Tensor, "networks samples rows _units"]
    activations: Float[Tensor, "networks samples _fan_in"]


class Block(NamedTuple):
    """Factors at some points of some networks; gradients are ``scale`` times their products."""

    members: slice
    points: slice
    scale: Float64[Tensor, "networks samples"]
    layers: list[Factors]


def loss_rows(
    logits: Float[Tensor, "*batch classes"], labels: Int64[Tensor, "*batch"]
) -> tuple[Float[Tensor, "*batch 1 classes"], Float64[Tensor, "*batch"]]:
    """Gradient σ − e_y of the cross-entropy by the logits, divided by its largest entry.

    σ_y − 1 is −Σ_{j≠y} σ_j, which keeps its digits where the label is certain.
    """
    labels = labels.expand(logits.shape[:-1]).unsqueeze(-1)
    others = logits.double().softmax(-1).scatter(-1, labels, 0.0)
    return _scaled(others.scatter(-1, labels, -others.sum(-1, keepdim=True)).unsqueeze(-2), logits)


def fisher_rows(
    logits: Float[Tensor, "*batch classes"],
) -> tuple[Float[Tensor, "*batch classes classes"], Float64[Tensor, "*batch"]]:
    """Rows √σ_k (e_k − σ), whose Gram matrix is diag(σ) − σσᵀ, divided by their largest entry.

    1 − σ_k is Σ_{j≠k} σ_j, which keeps its digits where class k is certain.
    """
    probabilities = logits.double().softmax(-1)
    eye = torch.eye(logits.shape[-1], dtype=torch.float64, device=logits.device)
    rows = torch.diag_embed(probabilities @ (1 - eye)) - probabilities.unsqueeze(-2) * (1 - eye)
    return _scaled(probabilities.sqrt().unsqueeze(-1) * rows, logits)


def _scaled(rows: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Divide rows by their largest entry, if it is not 0, and round them to the dtype of logits."""
    scale = rows.abs().amax((-2, -1))
    scale = scale.where(scale != 0, 1.0)
    return (rows / scale[..., None, None]).to(logits.dtype), scale


@torch.no_grad()
def gradient_blocks(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    cotangents: Cotangents,
    *of_points: Shaped[Tensor, "samples *_"],
) -> Iterator[Block]:
    """Factors of the gradients of Cf by all parameters, at every point.

    Args:
        networks: A stack without normalizations, or a module that maps inputs to logits, taken in
            eval mode, whose points must not influence each other.
        inputs: N points, in the dtype of the weights, that of all products.
        cotangents: From logits to the rows of C, divided by a scale, and this scale.
        of_points: What C depends on beside the logits, as labels.

    Yields:
        Factors of some networks at some points; all pairs of a network and a point come once, the
        points of a network in order.
    """
    if isinstance(networks, nn.Module):
        yield from _module_blocks(networks, inputs, cotangents, of_points)
        return
    points, members = block_sizes(networks, inputs)
    for first in range(0, len(networks), members):
        some = slice(first, min(first + members, len(networks)))
        for begin in range(0, len(inputs), points):
            part = slice(begin, min(begin + points, len(inputs)))
            of_part = [values[part] for values in of_points]
            yield _stack_block(networks[some], inputs[part], cotangents, of_part, some, part)


def block_sizes(networks: FullyConnectedNetworks, inputs: Tensor) -> tuple[int, int]:
    """Numbers of points and of networks in a block."""
    block_bytes = CPU_BLOCK_BYTES if inputs.is_cpu else GPU_BLOCK_BYTES
    numbers = max(networks.widths[-1] * max(networks.widths[1:]), networks.widths[0])
    points = max(1, block_bytes // (numbers * inputs.element_size()))
    return points, max(1, points // max(1, len(inputs)))


def _stack_block(
    networks: FullyConnectedNetworks,
    inputs: Tensor,
    cotangents: Cotangents,
    of_points: Sequence[Tensor],
    members: slice,
    points: slice,
) -> Block:
    """Pull rows of cotangents back through the layers of a stack."""
    activations, logits = activations_and_logits(networks, inputs)
    rows, scale = cotangents(logits, *of_points)
    layers = []
    for deltas, below in zip(
        layer_cotangents(networks, activations, rows), reversed(activations), strict=True
    ):
        ones = below.new_ones(*below.shape[:2], 1)
        layers.append(Factors(deltas, torch.cat([below, ones], 2) if networks.biases else below))
    return Block(members, points, scale, layers[::-1])


def activations_and_logits(
    networks: FullyConnectedNetworks, inputs: Float[Tensor, "samples *features"]
) -> tuple[list[Float[Tensor, "networks samples _"]], Float[Tensor, "networks samples classes"]]:
    """What every layer is given, the flattened inputs first, and the logits."""
    values, activations = inputs.flatten(1).expand(len(networks), len(inputs), -1), []
    for layer in range(networks.depth):
        activations.append(values)
        values = networks.affine(layer, values)
        values = networks.phi.in_place(values) if layer < networks.depth - 1 else values
    return activations, values


def layer_cotangents(
    networks: FullyConnectedNetworks,
    activations: Sequence[Float[Tensor, "networks samples _"]],
    rows: Float[Tensor, "networks samples rows classes"],
) -> Iterator[Float[Tensor, "networks samples rows _units"]]:
    """Derivatives ∂(Cf)/∂z_l of all layers, the logits' first."""
    yield rows
    for layer in range(networks.depth - 1, 0, -1):
        pulled = torch.bmm(rows.flatten(1, 2), networks.weights[layer])
        slopes = networks.phi.derivative(activations[layer])
        rows = pulled.unflatten(1, rows.shape[1:3]).mul_(slopes.unsqueeze(2))
        yield rows


def _module_blocks(
    module: nn.Module, inputs: Tensor, cotangents: Cotangents, of_points: Sequence[Tensor]
) -> Iterator[Block]:
    """Gradients of a module, by autograd."""
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    numbers = sum(value.numel() for value in parameters.values())

    def row_logits(parameters: dict[str, Tensor], point: Tensor, rows: Tensor) -> Tensor:
        return rows @ logits_at(module, parameters, point.unsqueeze(0))[0]

    of_parameters = vmap(jacrev(row_logits), (None, 0, 0), randomness="different")
    with evaluation_mode(module):
        classes = module_logits(module, inputs[:1]).shape[1]
        size = max(1, MODULE_BYTES // (inputs.element_size() * numbers * classes))
        for begin in range(0, len(inputs), size):
            part = slice(begin, min(begin + size, len(inputs)))
            logits = module_logits(module, inputs[part])
            rows, scale = cotangents(logits, *(values[part] for values in of_points))
            ones = inputs.new_ones(1, len(logits), 1)
            gradients = of_parameters(parameters, inputs[part], rows).values()
            layers = [Factors(one.flatten(2).unsqueeze(0), ones) for one in gradients]
            yield Block(slice(0, 1), part, scale.unsqueeze(0), layers)


@torch.no_grad()
def gradient_squares(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    cotangents: Cotangents,
    *of_points: Shaped[Tensor, "samples *_"],
) -> Float64[Tensor, "networks samples"]:
    """Squared norm ‖∂(Cf)/∂θ‖_F² at every point; arguments are those of ``gradient_blocks``."""
    blocks = gradient_blocks(networks, inputs, cotangents, *of_points)
    squares: dict[int, list[Tensor]] = {}
    for block in blocks:
        squares.setdefault(block.members.start, []).append(_block_squares(block))
    return _joined(squares)


@torch.no_grad()
def gradient_sum(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    cotangents: Cotangents,
    *of_points: Shaped[Tensor, "samples *_"],
    squared: bool = False,
) -> list[Float64[Tensor, "networks _ _"]]:
    """Sum over points and rows of the gradients, or of the squares of their entries.

    Arguments are those of ``gradient_blocks``. Products are in the dtype of the weights; they are
    added in float64, some points at a time.

    Returns:
        One tensor per layer, of the shape of its weights with the bias as a last column; of a
        module, one column per parameter.
    """
    blocks = gradient_blocks(networks, inputs, cotangents, *of_points)
    sums: dict[int, list[Tensor]] = {}
    for block in blocks:
        _add(sums, block.members.start, _block_sum(block, squared=squared))
    return [torch.cat(layer) for layer in zip(*sums.values(), strict=True)]


@torch.no_grad()
def squares_and_sum(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    cotangents: Cotangents,
    *of_points: Shaped[Tensor, "samples *_"],
) -> tuple[Float64[Tensor, "networks samples"], list[Float64[Tensor, "networks _ _"]]]:
    """Results of ``gradient_squares`` and ``gradient_sum``, by one backward pass."""
    squares: dict[int, list[Tensor]] = {}
    sums: dict[int, list[Tensor]] = {}
    for block in gradient_blocks(networks, inputs, cotangents, *of_points):
        squares.setdefault(block.members.start, []).append(_block_squares(block))
        _add(sums, block.members.start, _block_sum(block, squared=False))
    return _joined(squares), [torch.cat(layer) for layer in zip(*sums.values(), strict=True)]


def _joined(blocks: dict[int, list[Tensor]]) -> Tensor:
    """Join values at points, and then of networks."""
    return torch.cat([torch.cat(of_members, dim=1) for of_members in blocks.values()])


def _add(sums: dict[int, list[Tensor]], members: int, found: list[Tensor]) -> None:
    """Add what was found at some points to the sums of the same networks."""
    if members not in sums:
        sums[members] = found
        return
    for old, new in zip(sums[members], found, strict=True):
        old += new


def _block_squares(block: Block) -> Float64[Tensor, "networks samples"]:
    of_layers = [
        _squares(deltas.flatten(2)) * _squares(activations) for deltas, activations in block.layers
    ]
    return torch.stack(of_layers).sum(0) * block.scale.square()


def _squares(vectors: Float[Tensor, "*batch _"]) -> Float64[Tensor, "*batch"]:
    return torch.linalg.vector_norm(vectors, dim=-1, dtype=torch.float64).square()


def _block_sum(block: Block, *, squared: bool) -> list[Float64[Tensor, "networks _ _"]]:
    """Sums over the points of a block, whose scales are divided by the largest one."""
    largest = block.scale.amax(1, keepdim=True)
    weights, factor = (block.scale / largest).unsqueeze(2), largest.unsqueeze(2)
    if squared:
        weights, factor = weights.square(), factor.square()
    sums = []
    for deltas, activations in block.layers:
        if squared:
            deltas, activations = deltas.square(), activations.square()
        weighted = (deltas.sum(2) * weights.to(deltas.dtype)).mT
        sums.append(torch.bmm(weighted, activations).double() * factor)
    return sums
