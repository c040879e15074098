"""Hidden activations of stacks and of modules."""

from collections.abc import Callable
from itertools import count

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generalization.devices import SAMPLES_PER_CHUNK, samples_at_once
from generalization.errors import InputError, NotFinite
from generalization.networks.activation_calls import (
    ActivationCalls,
    as_sequence,
    hides_activations,
)
from generalization.networks.activation_functions import activation_module
from generalization.networks.coupling import POINTS, differ, spread
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.heads import entering_head
from generalization.networks.linearized_layers import flat_layers
from generalization.networks.modules import Networks, evaluation_mode, kind_of
from generalization.networks.sequences import module_of
from generalization.refusals import with_article


def network_modules(networks: Networks) -> list[nn.Module]:
    """Return every network as a module; networks of a stack are converted."""
    return [networks] if isinstance(networks, nn.Module) else list(map(module_of, networks))


def layer_maps(module: nn.Module) -> list[nn.Sequential]:
    """Split a sequence of layers after every activation function.

    Args:
        module: Sequence of layers, possibly nested.

    Returns:
        Consecutive maps: from inputs to the units of the first hidden layer, from these to those of
        the next, and from the last ones to logits. Units are on the second axis: neurons, or
        feature maps followed by two axes of positions.

    Raises:
        InputError: If there is no hidden layer to be seen, or there may be some that are not.
    """
    layers = flat_layers(module)
    if any(map(hides_activations, layers)):
        layers = list(as_sequence(module) or layers)
    pieces: list[list[nn.Module]] = [[]]
    for layer in layers:
        if hides_activations(layer):
            inside = "" if layer is module else f" with {kind_of(layer)}"
            raise InputError(
                "networks must be sequences of layers with activation functions among them, "
                f"not {kind_of(module)}{inside}, which may have some inside."
            )
        pieces[-1].append(layer)
        if activation_module(layer):
            pieces.append([])
    if len(pieces) == 1:
        raise InputError(
            "networks must be sequences of layers with activation functions among them, "
            f"not {kind_of(module)} without."
        )
    return [nn.Sequential(*piece) for piece in pieces]


def is_sequence(module: nn.Module) -> bool:
    """Return whether all hidden layers of a module stand in a sequence, see ``layer_maps``."""
    layers = flat_layers(module)
    if not any(map(hides_activations, layers)):
        return True
    return not any(map(hides_activations, as_sequence(module) or layers))


def logits_of_changed_layers(
    module: nn.Module,
    inputs: Float[Tensor, "samples *features"],
    change: Callable[[int, Tensor], None],
) -> Float[Tensor, "samples classes"]:
    """Compute the logits of any module while activations of its hidden layers are changed.

    Args:
        module: Module in eval mode, whose hidden layers are the calls of activation functions, in
            their order.
        change: Function that changes the activations of a hidden layer in place, given its index:
            whatever uses them later, such as the shortcut of a residual block, sees the change.
    """
    layers = count()
    calls = ActivationCalls(after=lambda activations: change(next(layers), activations))
    with calls.of(module):
        return module(inputs.clone())


def module_activations(
    module: nn.Module, inputs: Float[Tensor, "samples *features"]
) -> list[Float[Tensor, "samples units *positions"]]:
    """Compute the activations of every hidden layer of a module in eval mode, with their graph.

    Args:
        module: A sequence of layers, cut as ``layer_maps`` does; of any other module, all calls of
            activation functions are recorded in their order.
        inputs: In the dtype of its parameters.
    """
    with evaluation_mode(module):
        if any(map(hides_activations, flat_layers(module))):
            return _activations_of_calls(module, inputs)
        *pieces, _ = layer_maps(module)
        values, found = inputs, []
        for piece in pieces:
            values = piece(values.clone())  # Layers may operate in place.
            found.append(values)
    return found


def _activations_of_calls(
    module: nn.Module, inputs: Float[Tensor, "samples *features"]
) -> list[Float[Tensor, "samples units *positions"]]:
    """Record what activation functions return, wherever a module applies them, in its order.

    Raises:
        InputError: If it applies none, or to something else than units or feature maps.
    """
    found: list[Tensor] = []
    calls = ActivationCalls(after=lambda activations: found.append(activations.clone()))
    with calls.of(module):
        module(inputs.clone())
    if not found:
        raise InputError(
            "networks must have activation functions that are modules, functions or methods of "
            f"torch, not none as in {kind_of(module)}."
        )
    sequences = not any(isinstance(part, nn.Conv1d) for part in module.modules())
    for layer in found:
        if layer.dim() < 2 or len(layer) != len(inputs) or (layer.dim() == 3 and sequences):
            raise InputError(
                "networks must have hidden activations of shape (samples, units, *positions), "
                f"not of {tuple(layer.shape)}, whose units are not known."
            )
    return found


@torch.no_grad()
def hidden_activations(
    networks: Networks, inputs: Float[Tensor, "samples *features"]
) -> list[Float[Tensor, "networks samples units *positions"]]:
    """Compute the activations of every hidden layer in eval mode.

    Returns:
        One tensor per hidden layer, from the first to the last.

    Raises:
        NotFinite: If some of a module are NaN.
    """  # noqa: DOC502
    if isinstance(networks, FullyConnectedNetworks):
        preactivations = networks.preactivations(inputs)[:-1]
        return [networks.phi.in_place(layer) for layer in preactivations]
    of_members = [module_activations(module, inputs) for module in network_modules(networks)]
    if isinstance(networks, nn.Module):
        _refuse_nan(networks, of_members[0])
    return [torch.stack(layer) for layer in zip(*of_members, strict=True)]


def _refuse_nan(module: nn.Module, layers: list[Tensor]) -> None:
    """Refuse hidden layers that are no numbers, whether logits depend on them or not.

    Raises:
        NotFinite: If activations are NaN.
    """
    for number, layer in enumerate(layers, 1):
        if layer.isnan().any():
            raise NotFinite(
                "networks must have hidden activations that are numbers, not NaN in layer "
                f"{number} as {with_article(kind_of(module))} does."
            )


def unit_activations(
    networks: Networks, inputs: Float[Tensor, "samples *features"]
) -> list[Float[Tensor, "networks samples units"]]:
    """Compute hidden activations in eval mode, averaging feature maps over positions.

    Args:
        inputs: Any number of inputs, in the dtype of the weights.
    """
    of_chunks = [
        [
            layer.flatten(3).mean(3) if layer.dim() > 3 else layer
            for layer in hidden_activations(networks, chunk)
        ]
        for chunk in inputs.split(samples_at_once(SAMPLES_PER_CHUNK))
    ]
    return [torch.cat(layer, dim=1) for layer in zip(*of_chunks, strict=True)]


@torch.no_grad()
def first_hidden_layer(
    module: nn.Module, inputs: Float[Tensor, "samples *features"]
) -> Float[Tensor, "1 samples units"]:
    """Compute the activations of the first hidden layer of a module, averaged over positions.

    It is what the activation function that is called first returns, if the logits depend on the
    inputs through it alone: no gate, and no branch beside others or a shortcut.

    Raises:
        InputError: If the logits depend on the inputs past it.
    """
    if not is_sequence(module) and _is_passed(module, inputs[spread(len(inputs), POINTS)]):
        raise InputError(
            "networks must compute their logits from what their first activation function returns "
            f"alone, not past it as {with_article(kind_of(module))} does, whose first hidden layer "
            "is not known."
        )
    return unit_activations(module, inputs)[0]


def _is_passed(module: nn.Module, points: Float[Tensor, "samples *features"]) -> bool:
    """Return whether other inputs give other logits while the first activations stay."""
    first = module_activations(module, points)[0]

    def hold(layer: int, activations: Tensor) -> None:
        if layer == 0:
            activations.copy_(first)

    with evaluation_mode(module):
        held = logits_of_changed_layers(module, points.flip(0), hold)
        return differ(module(points), held)


@torch.no_grad()
def last_hidden_layer(
    networks: Networks, inputs: Float[Tensor, "samples *features"]
) -> Float[Tensor, "networks samples units"]:
    """Compute the activations of the last hidden layer at any number of inputs, in eval mode.

    Of modules, also of those that convolutional stacks are converted to, it is what enters the last
    linear layer, see ``entering_head``.
    """
    chunks = inputs.split(samples_at_once(SAMPLES_PER_CHUNK))
    if isinstance(networks, FullyConnectedNetworks):
        return torch.cat([hidden_activations(networks, chunk)[-1] for chunk in chunks], dim=1)
    found = []
    for module in network_modules(networks):
        with evaluation_mode(module):
            found.append(torch.cat([entering_head(module, chunk) for chunk in chunks]))
    return torch.stack(found)


def number_of_hidden_layers(networks: Networks, inputs: Float[Tensor, "samples *features"]) -> int:
    """Return the number of hidden layers, with activation functions, of each network."""
    if isinstance(networks, FullyConnectedNetworks):
        return networks.depth - 1
    return len(hidden_activations(networks, inputs[:1]))
