"""Per-sample gradients by the parameters, as factors whose products are never formed.

In a fully connected layer z = W a + b, the gradient of any function by (W, b) at one sample is
δ (a, 1)ᵀ with δ the derivative by z. Norms, inner products, sums and squares of such gradients
require only δ and a:

    ‖g_i‖² = Σ_l ‖δ_i‖² ‖(a_i, 1)‖²,   g_i · g_j = Σ_l (δ_i · δ_j) ((a_i, 1) · (a_j, 1)),
    Σ_i w_i g_i = Σ_i w_i δ_i (a_i, 1)ᵀ,   Σ_i g_i² = Σ_i δ_i² ((a_i, 1)ᵀ)².

Of a module whose parameters are those of fully connected layers and convolutions they require δ and
a at every position, see ``module_factors``. Gradients of other modules are computed by autograd,
sample by sample, and stored as factors too: the derivative by each parameter, and 1.

Args:
    networks: A stack without normalizations, or a module that maps inputs to logits, evaluated in
        eval mode, whose samples must not interact.
    inputs: N inputs, in the dtype of the weights, which is that of all products.
    cotangents: Function from logits to the rows of C divided by a scale, and this scale.
    of_points: Further arguments of ``cotangents`` with one entry per sample, such as labels.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64, Shaped
from torch import Tensor, nn
from torch.func import jacrev, vmap

from generalization.derivatives.input_jacobian import Cotangents
from generalization.derivatives.module_factors import (
    Factors,
    Layers,
    Unfolded,
    captured_calls,
    layer_factors,
    numbers_per_sample,
    readable_layers,
    trainable,
)
from generalization.devices import (
    MODULE_SAMPLES,
    SAMPLES_PER_CHUNK,
    items_at_once,
    samples_at_once,
)
from generalization.networks.differentiability import needs_derivatives
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, evaluation_mode, logits_at, module_logits
from generalization.networks.softmax import softmax


class Block(NamedTuple):
    """Factors for some samples of some networks; gradients are ``scale`` times their products."""

    members: slice
    points: slice
    scale: Float64[Tensor, "networks samples"]
    layers: list[Factors | Unfolded]


def loss_rows(
    logits: Float[Tensor, "*batch classes"], labels: Int64[Tensor, "*batch"]
) -> tuple[Float[Tensor, "*batch 1 classes"], Float64[Tensor, "*batch"]]:
    """Return the gradient σ − e_y of the cross-entropy by the logits, over its largest entry.

    σ_y − 1 is computed as −Σ_{j≠y} σ_j, which is accurate where the label is almost certain.
    """
    labels = labels.expand(logits.shape[:-1]).unsqueeze(-1)
    others = softmax(logits).scatter(-1, labels, 0.0)
    return _scaled(others.scatter(-1, labels, -others.sum(-1, keepdim=True)).unsqueeze(-2), logits)


def fisher_rows(
    logits: Float[Tensor, "*batch classes"],
) -> tuple[Float[Tensor, "*batch _rows classes"], Float64[Tensor, "*batch"]]:
    """Return K − 1 rows with Gram matrix diag(σ) − σσᵀ, over their largest entry.

    They are the Cholesky factor of Tanabe & Sagae 1992: with q_k = Σ_{j>k} σ_j, row k is 0 before
    class k, √(σ_k q_k / q_{k−1}) at it and −σ_j √(σ_k / (q_k q_{k−1})) at every class j after it.
    All are products and sums of positive numbers, so accurate where a class is almost certain.
    """
    probabilities = softmax(logits)
    from_here = probabilities.flip(-1).cumsum(-1).flip(-1)
    before, after = from_here[..., :-1], from_here[..., 1:]
    ratios = (probabilities[..., :-1] / before).sqrt()
    roots = after.sqrt()
    ratios = ratios.nan_to_num(0.0)
    inverse = (ratios / roots).nan_to_num(0.0, posinf=0.0)
    later = probabilities.new_ones(logits.shape[-1], logits.shape[-1]).triu(1)[:-1]
    rows = probabilities.unsqueeze(-2) * later * -inverse.unsqueeze(-1)
    rows.diagonal(dim1=-2, dim2=-1).copy_(ratios * roots)
    return _scaled(rows, logits)


def _scaled(rows: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Divide rows by their largest entry unless it is 0, and round them to the dtype of logits."""
    scale = rows.abs().amax((-2, -1))
    scale = scale.where(scale != 0, 1.0)
    return (rows / scale[..., None, None]).to(logits.dtype), scale


@torch.no_grad()
def gradient_blocks(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    cotangents: Cotangents,
    *of_points: Shaped[Tensor, "samples *_"],
    partners: int | None = None,
) -> Iterator[Block]:
    """Compute the factors of the gradients of Cf by all parameters, for every sample.

    Args:
        partners: Number of samples with whose gradients those of a sample are to be multiplied.
            Layers of a module are then left at their positions if products need fewer
            multiplications there; else they are never ``Unfolded``.

    Yields:
        Factors for some networks and some samples. Every pair of a network and a sample occurs in
        one block; the samples of a network are in order.
    """
    if isinstance(networks, nn.Module):
        needs_derivatives("parameters")
        with evaluation_mode(networks):
            layers = readable_layers(networks, inputs) if len(inputs) else None
            if layers is None:
                yield from _module_blocks(networks, inputs, cotangents, of_points)
                return
            yield from _layer_blocks(networks, layers, inputs, cotangents, of_points, partners)
        return
    rows = 1 if cotangents is loss_rows else None
    points, members = block_sizes(networks, inputs, rows)
    for first in range(0, len(networks), members):
        some = slice(first, min(first + members, len(networks)))
        for begin in range(0, len(inputs), points):
            part = slice(begin, min(begin + points, len(inputs)))
            of_part = [values[part] for values in of_points]
            yield _stack_block(networks[some], inputs[part], cotangents, of_part, some, part)


def block_sizes(
    networks: FullyConnectedNetworks, inputs: Tensor, rows: int | None = None
) -> tuple[int, int]:
    """Return the numbers of samples and of networks in a block.

    Args:
        rows: Number of rows of cotangents per sample, if not that of classes.
    """
    numbers = max((rows or networks.widths[-1]) * max(networks.widths[1:]), networks.widths[0])
    points = items_at_once("cotangents", numbers * inputs.element_size(), inputs.device)
    return points, max(1, points // max(1, len(inputs)))


def _stack_block(
    networks: FullyConnectedNetworks,
    inputs: Tensor,
    cotangents: Cotangents,
    of_points: Sequence[Tensor],
    members: slice,
    points: slice,
) -> Block:
    """Backpropagate rows of cotangents through the layers of a stack."""
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
    """Return the inputs of all layers, the flattened inputs first, and the logits."""
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
    """Yield the derivatives ∂(Cf)/∂z_l of all layers, from the logits down."""
    yield rows
    for layer in range(networks.depth - 1, 0, -1):
        pulled = torch.bmm(rows.flatten(1, 2), networks.weights[layer])
        if rows.shape[2] == 1:
            rows = networks.phi.times_slope(pulled, activations[layer]).unsqueeze(2)
        else:
            slopes = networks.phi.derivative(activations[layer])
            rows = pulled.unflatten(1, rows.shape[1:3]).mul_(slopes.unsqueeze(2))
        yield rows


def _layer_blocks(
    module: nn.Module,
    layers: Layers,
    inputs: Tensor,
    cotangents: Cotangents,
    of_points: Sequence[Tensor],
    partners: int | None,
) -> Iterator[Block]:
    """Backpropagate rows of cotangents to the layers of a module in eval mode."""
    logits, calls = captured_calls(module, layers, inputs[:1])
    rows, _ = cotangents(logits.detach(), *(values[:1] for values in of_points))
    numbers = numbers_per_sample(layers, calls, rows.shape[1], partners)
    size = _samples_of_size(numbers, inputs)
    for begin in range(0, len(inputs), size):
        part = slice(begin, min(begin + size, len(inputs)))
        logits, calls = captured_calls(module, layers, inputs[part])
        rows, scale = cotangents(logits.detach(), *(values[part] for values in of_points))
        factors = layer_factors(layers, calls, logits, rows, partners)
        yield Block(slice(0, 1), part, scale.unsqueeze(0), factors)


def _module_blocks(
    module: nn.Module, inputs: Tensor, cotangents: Cotangents, of_points: Sequence[Tensor]
) -> Iterator[Block]:
    """Compute the gradients of a module by autograd, sample by sample."""
    parameters = {name: value.detach() for name, value in module.named_parameters()}

    def row_logits(parameters: dict[str, Tensor], point: Tensor, rows: Tensor) -> Tensor:
        return rows @ logits_at(module, parameters, point.unsqueeze(0))[0]

    of_parameters = vmap(jacrev(row_logits), (None, 0, 0), randomness="different")
    with evaluation_mode(module):
        with torch.no_grad():
            classes = module_logits(module, inputs[:1]).shape[1]
        size = _samples_of_size(classes * sum(one.numel() for one in parameters.values()), inputs)
        for begin in range(0, len(inputs), size):
            part = slice(begin, min(begin + size, len(inputs)))
            logits = module_logits(module, inputs[part])
            rows, scale = cotangents(logits, *(values[part] for values in of_points))
            ones = inputs.new_ones(1, len(logits), 1)
            gradients = of_parameters(parameters, inputs[part], rows).values()
            layers = [Factors(one.reshape(1, *one.shape[:2], -1), ones) for one in gradients]
            yield Block(slice(0, 1), part, scale.unsqueeze(0), layers)


def _samples_of_size(numbers: int, inputs: Tensor) -> int:
    """Return how many samples of so many numbers each fit the budget of a module's gradients."""
    fitting = items_at_once("logit_gradients", numbers * inputs.element_size(), inputs.device)
    return min(fitting, samples_at_once(SAMPLES_PER_CHUNK))


def _module_sum(
    module: nn.Module, inputs: Tensor, cotangents: Cotangents, of_points: Sequence[Tensor]
) -> list[Float64[Tensor, "1 _ 1"]]:
    """Sum gradients over samples without computing those of single samples."""
    needs_derivatives("parameters")
    parameters = trainable(module)
    total = [value.new_zeros(1, value.numel(), 1).double() for value in parameters.values()]
    size = samples_at_once(MODULE_SAMPLES)
    with evaluation_mode(module), torch.enable_grad():
        for chunk, *values in zip(*(one.split(size) for one in (inputs, *of_points)), strict=True):
            logits = logits_at(module, parameters, chunk)
            rows, scale = cotangents(logits.detach(), *values)
            largest = scale.amax()
            rows = (rows * (scale / largest).view(-1, 1, 1).to(rows.dtype)).sum(1)
            found = torch.autograd.grad(
                logits, list(parameters.values()), rows, materialize_grads=True
            )
            for of_parameter, gradient in zip(total, found, strict=True):
                of_parameter += gradient.reshape(1, -1, 1).double() * largest
    return [one.detach() for one in total]


@torch.no_grad()
def gradient_squares(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    cotangents: Cotangents,
    *of_points: Shaped[Tensor, "samples *_"],
) -> Float64[Tensor, "networks samples"]:
    """Return the squared norms ‖∂(Cf)/∂θ‖_F² of per-sample gradients."""
    blocks = gradient_blocks(networks, inputs, cotangents, *of_points, partners=1)
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
    """Sum the gradients, or the squares of their entries, over samples and rows.

    Products are in the dtype of the weights; blocks of samples are added in float64. Gradients of
    a module are summed by one backward pass, squares of their entries layer by layer.

    Args:
        squared: Whether entries are squared.

    Returns:
        One tensor per layer, in the shape of its weights with the bias as last column. For a
        module, one column per parameter tensor; if squared, one per layer that has parameters where
        these are of fully connected layers and convolutions.
    """
    if isinstance(networks, nn.Module) and not squared:
        return _module_sum(networks, inputs, cotangents, of_points)
    blocks = gradient_blocks(networks, inputs, cotangents, *of_points)
    sums: dict[int, list[Tensor]] = {}
    for block in blocks:
        _add(sums, block.members.start, _block_sum(block, squared=squared))
    return _stacked(sums)


# A sum over the samples of a block, one per network, and the factor that it is to be scaled by.
Scaled = tuple[Float[Tensor, "networks _ _"], Float64[Tensor, "networks 1 1"]]


class LossMoments(NamedTuple):
    """Moments of the gradients g of the loss of N samples.

    Attributes:
        squares: ‖g_i‖² of every sample.
        square_of_mean: ‖Σ_i g_i / N‖².
        diagonal: Σ_i g_i² of every parameter, in the layout of ``gradient_sum``.
    """

    squares: Float64[Tensor, "networks samples"]
    square_of_mean: Float64[Tensor, "networks"]
    diagonal: list[Float64[Tensor, "networks _ _"]]


class FisherMoments(NamedTuple):
    """Trace of the Gauss–Newton matrix at every sample, and its diagonal summed over samples."""

    traces: Float64[Tensor, "networks samples"]
    diagonal: list[Float64[Tensor, "networks _ _"]]


@torch.no_grad()
def loss_moments(networks: Networks, inputs: Tensor, labels: Tensor) -> LossMoments:
    """Compute moments of the gradients of the loss by one backward pass."""
    squares: dict[int, list[Tensor]] = {}
    sums: dict[int, list[Tensor]] = {}
    diagonals: dict[int, list[Tensor]] = {}
    for block in gradient_blocks(networks, inputs, loss_rows, labels):
        members = block.members.start
        of_block, diagonal = _squares_and_diagonal(block)
        squares.setdefault(members, []).append(of_block)
        _add(sums, members, _block_sum(block, squared=False))
        _add(diagonals, members, diagonal)
    of_total = torch.stack([layer.square().sum((1, 2)) for layer in _stacked(sums)]).sum(0)
    return LossMoments(_joined(squares), of_total / len(inputs) ** 2, _stacked(diagonals))


@torch.no_grad()
def fisher_moments(networks: Networks, inputs: Tensor) -> FisherMoments:
    """Compute traces and diagonal of the Gauss–Newton matrix by one backward pass."""
    squares: dict[int, list[Tensor]] = {}
    diagonals: dict[int, list[Tensor]] = {}
    for block in gradient_blocks(networks, inputs, fisher_rows):
        of_block, diagonal = _squares_and_diagonal(block)
        squares.setdefault(block.members.start, []).append(of_block)
        _add(diagonals, block.members.start, diagonal)
    return FisherMoments(_joined(squares), _stacked(diagonals))


def _joined(blocks: dict[int, list[Tensor]]) -> Tensor:
    """Concatenate values over samples, and then over networks."""
    return torch.cat([torch.cat(of_members, dim=1) for of_members in blocks.values()])


def _stacked(sums: dict[int, list[Tensor]]) -> list[Tensor]:
    """Concatenate the sums of every layer over networks."""
    return [torch.cat(layer) for layer in zip(*sums.values(), strict=True)]


def _add(
    sums: dict[int, list[Float64[Tensor, "networks _ _"]]], members: int, found: Sequence[Scaled]
) -> None:
    """Add the sums over a block of samples to those of the same networks."""
    if members not in sums:
        sums[members] = [part.double().mul_(factor) for part, factor in found]
        return
    for old, (new, factor) in zip(sums[members], found, strict=True):
        old.addcmul_(new.double(), factor)


def _squares_and_diagonal(
    block: Block,
) -> tuple[Float64[Tensor, "networks samples"], list[Scaled]]:
    """Return the results of ``_block_squares`` and ``_block_sum`` from the same squares.

    Squares and their sums over units are in the dtype of the weights, products in float64.
    """
    largest = block.scale.amax(1, keepdim=True)
    weights, factor = (block.scale / largest).square().unsqueeze(2), largest.square().unsqueeze(2)
    of_layers, diagonals = [], []
    for deltas, activations in block.layers:
        deltas, activations = _sum_of_squares(deltas), activations.square()
        of_layers.append(deltas.sum(2).double() * activations.sum(2).double())
        weighted = (deltas * weights.to(deltas.dtype)).mT
        diagonals.append((torch.bmm(weighted, activations), factor))
    return torch.stack(of_layers).sum(0) * block.scale.square(), diagonals


def _sum_of_squares(
    deltas: Float[Tensor, "networks samples rows units"],
) -> Float[Tensor, "networks samples units"]:
    """Sum squares over rows, one row at a time: squares of all rows would not stay in the cache."""
    total = deltas[:, :, 0].square()
    for row in range(1, deltas.shape[2]):
        total.addcmul_(deltas[:, :, row], deltas[:, :, row])
    return total


def _block_squares(block: Block) -> Float64[Tensor, "networks samples"]:
    of_layers = []
    for layer in block.layers:
        if isinstance(layer, Unfolded):
            products = torch.einsum("nprtu,nprsu->npts", layer.deltas, layer.deltas)
            of_inputs = torch.einsum("npta,npsa->npts", layer.activations, layer.activations)
            of_layers.append((products.double() * of_inputs.double()).sum((2, 3)))
        else:
            of_layers.append(_squares(layer.deltas.flatten(2)) * _squares(layer.activations))
    return torch.stack(of_layers).sum(0) * block.scale.square()


def row_squares(block: Block) -> Float64[Tensor, "networks samples rows"]:
    """Return the squared norms of the gradients of every row, over the squared scale.

    Args:
        block: Factors that are not ``Unfolded``.
    """
    of_layers = [
        _squares(deltas) * _squares(activations).unsqueeze(2)
        for deltas, activations in block.layers
    ]
    return torch.stack(of_layers).sum(0)


def summed_squares(block: Block, rows: slice) -> list[Float64[Tensor, "networks _ _"]]:
    """Sum the squares of the entries of the gradients of some rows over samples, as products."""
    chosen = [layer._replace(deltas=layer.deltas[:, :, rows]) for layer in block.layers]
    _, diagonal = _squares_and_diagonal(block._replace(layers=chosen))
    return [part.double() * factor for part, factor in diagonal]


def _squares(vectors: Float[Tensor, "*batch _"]) -> Float64[Tensor, "*batch"]:
    return torch.linalg.vector_norm(vectors, dim=-1, dtype=torch.float64).square()


def _block_sum(block: Block, *, squared: bool) -> list[Scaled]:
    """Sum over the samples of a block, with scales relative to the largest one."""
    largest = block.scale.amax(1, keepdim=True)
    weights, factor = (block.scale / largest).unsqueeze(2), largest.unsqueeze(2)
    if squared:
        weights, factor = weights.square(), factor.square()
    sums = []
    for deltas, activations in block.layers:
        if squared:
            deltas, activations = deltas.square(), activations.square()
        total = deltas[:, :, 0] if deltas.shape[2] == 1 else deltas.sum(2)
        weighted = (total * weights.to(deltas.dtype)).mT
        sums.append((torch.bmm(weighted, activations), factor))
    return sums
