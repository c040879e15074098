"""Batch normalizations of a module, folded into the linear layers and convolutions before them.

In eval mode a normalization multiplies every unit by a constant s = γ / √(v + ε), which s W and
s (b − μ) + β in the layer before it do as well, see ``BatchNormalization.fold``. Measures of
weights thereby have the same value for networks that compute the same function with and without.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node, Tracer
from torch.nn.modules.batchnorm import _BatchNorm

from generalization.errors import reason_of
from generalization.networks.linearized_layers import flat_layers
from generalization.networks.modules import BATCH_NORMS
from generalization.precision import rounded_to

AFFINE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

# A part of a module and one that takes its output; None is anything else, or unknown.
Edge = tuple[nn.Module | None, nn.Module | None]


class Folded(NamedTuple):
    """A module that computes the same, and why some of its normalizations are left; else ""."""

    module: nn.Module
    left: str


@torch.no_grad()
def folded_module(module: nn.Module) -> Folded:
    """Fold batch normalizations into the layers before them, in a copy; a module without is itself.

    Which layer feeds which normalization is read off the graph of ``torch.fx``, or, if the module
    cannot be traced, off its sequences. A normalization is left where the layer before it is none
    of ``AFFINE``, has other uses, shares parameters, or has hooks.

    Args:
        module: In eval mode. The copy shares with it all tensors that are not folded; weights that
            are have the precision to which they were ``rounded_to`` before as an attribute.
    """
    normalizations = _normalizations(module)
    if not normalizations:
        return Folded(module, "")
    try:
        copy, traced = _copy(module), _copy(module)
    except Exception as error:  # A module may hold anything, such as results of earlier calls.
        return Folded(module, f"{_left(len(normalizations), module)}: {reason_of(error)}")
    parts = dict(copy.named_modules())
    for layer, normalization in _pairs(traced):
        _fold(parts[layer], parts[normalization])
    return Folded(copy, _left(len(normalizations), copy))


def _normalizations(module: nn.Module) -> list[nn.Module]:
    return [part for part in module.modules() if isinstance(part, _BatchNorm)]


def _left(count: int, module: nn.Module) -> str:
    """Say how many of so many normalizations are not folded."""
    left = len(_normalizations(module))
    if not left:
        return ""
    return (
        f"{left} of {count} batch normalizations could not be folded into weights, which needs a "
        "linear layer or a convolution of its own directly before"
    )


def _copy(module: nn.Module) -> nn.Module:
    """Copy a module, but not its tensors."""
    tensors = (*module.parameters(), *module.buffers())
    return deepcopy(module, {id(one): one for one in tensors})


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Return the names of layers and of the normalizations that can be folded into them.

    Args:
        module: A copy that is not used afterwards: its code may keep what it is traced with.
    """
    names = {id(part): name for name, part in module.named_modules()}
    owners = Counter(id(one) for part in module.modules() for one in _tensors(part))
    graph = _graph(module)
    edges = _edges_of_graph(module, graph, owners) if graph else _edges_of_sequences(module)
    before, after = defaultdict(set), defaultdict(set)
    for part, other in edges:
        after[part].add(other)
        before[other].add(part)
    return [
        (names[id(layer)], names[id(other)])
        for layer, others in after.items()
        for other in others
        if len(others) == 1 and before[other] == {layer} and _fits(layer, other, owners)
    ]


def _tensors(part: nn.Module) -> list[Tensor]:
    """Return parameters and buffers, those of parts within it apart."""
    tensors = (*part._parameters.values(), *part._buffers.values())
    return [one for one in tensors if one is not None]


def _graph(module: nn.Module) -> Graph | None:
    """Trace a module; nothing if its code depends on values, which may raise anything."""
    try:
        return Tracer().trace(module)
    except Exception:
        return None


def _edges_of_graph(module: nn.Module, graph: Graph, owners: Counter[int]) -> Iterator[Edge]:
    """Yield what is before every normalization and after every layer in the graph of a module.

    Args:
        owners: Number of uses of each tensor, to which those apart from its layer are added.
    """

    def part_at(node: Node) -> nn.Module | None:
        part = module.get_submodule(node.target) if node.op == "call_module" else None
        return part if type(part) in (*AFFINE, *BATCH_NORMS) else None

    for node in graph.nodes:
        if node.op == "get_attr":
            owner, _, name = node.target.rpartition(".")
            owners[id(getattr(module.get_submodule(owner), name))] += 1
        part = part_at(node)
        if part is not None:
            yield from ((part_at(source), part) for source in node.all_input_nodes)
            yield from ((part, part_at(user)) for user in node.users)


def _edges_of_sequences(module: nn.Module) -> Iterator[Edge]:
    """Yield the neighbours in sequences; parts elsewhere have unknown ones."""
    inner = {id(part) for one in module.modules() if _is_sequence(one) for part in one}
    for outer in module.modules():
        if _is_sequence(outer):
            if id(outer) not in inner:
                yield from pairwise([None, *flat_layers(outer), None])
        else:
            yield from ((part, None) for part in outer.children())
            yield from ((None, part) for part in outer.children())


def _is_sequence(module: nn.Module) -> bool:
    return flat_layers(module) != [module]


def _fits(layer: nn.Module | None, normalization: nn.Module | None, owners: Counter[int]) -> bool:
    """Return whether a normalization can be folded into a layer whose output it alone takes."""
    if type(layer) not in AFFINE or type(normalization) not in BATCH_NORMS:
        return False
    parts = (layer, normalization)
    tensors = [one for part in parts for one in _tensors(part)]
    units = len(layer.weight) if isinstance(layer._parameters.get("weight"), nn.Parameter) else None
    return (
        normalization.running_mean is not None
        and normalization.num_features == units
        and all(owners[id(one)] == 1 for one in tensors)
        and not any(part._forward_hooks or part._forward_pre_hooks for part in parts)
    )


def _fold(layer: nn.Module, normalization: nn.Module) -> None:
    """Fold a normalization into a layer, and make it the identity wherever the module has it."""
    double = torch.float64
    scale = (normalization.running_var.to(double) + normalization.eps).rsqrt()
    if normalization.weight is not None:
        scale = scale * normalization.weight
    bias = -scale * normalization.running_mean
    if layer.bias is not None:
        bias = bias + scale * layer.bias
    if normalization.bias is not None:
        bias = bias + normalization.bias
    precision = rounded_to(layer.weight)  # Scaled, they no longer show it.
    weight = layer.weight * scale.view(-1, *[1] * (layer.weight.dim() - 1))
    for name, value in (("weight", weight), ("bias", bias)):
        folded = nn.Parameter(value.to(layer.weight.dtype), layer.weight.requires_grad)
        layer.register_parameter(name, folded)
    layer.weight.rounded_to = precision
    # The object stays, since code may refer to it by other ways than its name.
    normalization.__class__ = nn.Identity
    normalization._parameters.clear()
    normalization._buffers.clear()
