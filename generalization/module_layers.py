"""Layers of a ``torch.nn.Module``: their names, and their activations as similarities take them."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import torch
from jaxtyping import Inexact
from torch import Tensor, nn

from generalization.devices import SAMPLES_PER_CHUNK, at_most, samples_at_once
from generalization.errors import InputError
from generalization.networks.coupling import differ, other_batches, some_points
from generalization.networks.modules import evaluation_mode, refuse_statistics_of_batches
from generalization.networks.unit_axes import unit_axes
from generalization.refusals import with_article


def layer_names(module: nn.Module, names: Sequence[str] | None) -> list[str]:
    """Return names of submodules; by default of all that contain no other, but for weights.

    Raises:
        InputError: If there is no submodule of that name, or it can have no hooks.
    """
    scripted = torch.jit.ScriptModule
    if isinstance(module, scripted):
        raise InputError("networks must be written in Python for hooks, not in TorchScript.")
    known = dict(module.named_modules())
    if names is None:
        return [
            name
            for name, one in known.items()
            if not isinstance(one, scripted)
            and not one._modules.keys() - {"parametrizations"}
            and "parametrizations" not in name.split(".")
        ]
    for name in names:
        if isinstance(known.get(name), scripted):
            raise InputError(
                f"layers must be written in Python for hooks, not in TorchScript as {name!r} is."
            )
        if name not in known:
            near = get_close_matches(name, known) or sorted(filter(None, known))
            raise InputError(f"layers must be among {', '.join(near)}, not {name!r}.")
    return list(names)


@torch.no_grad()
def layer_activations(
    module: nn.Module,
    names: Sequence[str],
    inputs: Inexact[Tensor, "samples *features"],
    batch_size: int,
) -> dict[str, Inexact[Tensor, "samples units *positions"] | None]:
    """Record the outputs of submodules in eval mode, without those that have none of every input.

    Returns:
        Activations by name; None where the axis of the units is not known.

    Raises:
        InputError: If the module fails, no submodule has activations, or those of an input depend
            on the others.
    """
    refuse_statistics_of_batches(module)
    with evaluation_mode(module):
        alone = _outputs(module, names, inputs[:1])
        with at_most(batch_size):
            _refuse_coupled(module, [*alone], inputs)
            size = samples_at_once(SAMPLES_PER_CHUNK)
        axes = unit_axes(module, [*alone], inputs[:1])
        chunks = [_outputs(module, names, chunk) for chunk in inputs.split(size)]
    found = [name for name in names if all(name in chunk for chunk in (alone, *chunks))]
    if not found:
        raise InputError(
            "networks must have layers that are used once and return a tensor, not "
            f"{with_article(type(module).__name__)} without."
        )
    return {
        name: torch.cat([chunk[name] for chunk in chunks]).movedim(axes[name], 1)
        if name in axes
        else None
        for name in found
    }


def _outputs(module: nn.Module, names: Sequence[str], inputs: Tensor) -> dict[str, Tensor]:
    """Return what submodules return, once, of every input.

    Raises:
        InputError: If the module fails.
        OutOfMemoryError: If a GPU has too little memory.
    """
    found: dict[str, list[Any]] = {name: [] for name in names}

    def record(name: str, _: nn.Module, __: Any, output: Any) -> None:
        of_each = isinstance(output, Tensor) and output.dim() > 1 and len(output) == len(inputs)
        found[name].append(output.detach().clone() if of_each else None)

    parts = dict(module.named_modules())
    hooks = [parts[name].register_forward_hook(partial(record, name)) for name in names]
    try:
        module(inputs)
    except (InputError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            "networks must map a batch of inputs to logits, not fail as "
            f"{with_article(type(module).__name__)} does at inputs of shape "
            f"{tuple(inputs.shape)} ({said})."
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    return {name: one[0] for name, one in found.items() if len(one) == 1 and one[0] is not None}


def _refuse_coupled(module: nn.Module, names: Sequence[str], inputs: Tensor) -> None:
    """Refuse activations of a point that depend on the other points, or on their order.

    Raises:
        InputError: If those of a few points do.
    """
    points = some_points(module, inputs)
    together = _outputs(module, names, points)
    for places in other_batches(len(points)):
        others = _outputs(module, names, points[places])
        for name in filter(others.__contains__, together):
            if differ(together[name][places], others[name]):
                raise InputError(
                    "networks must have layers whose activations are those of single inputs in "
                    f"eval mode, not {name!r} of {type(module).__name__}, whose activations change "
                    "with the other inputs."
                )


def samples_by_units(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return matrices of samples by units; positions are samples where both have the same."""
    same = a.shape[2:] == b.shape[2:]
    layers = []
    for layer in (a, b):
        flat = layer.flatten(2) if layer.dim() > 2 else layer
        if flat.dim() == 3:
            flat = flat.transpose(1, 2).flatten(0, 1) if same else flat.mean(2)
        layers.append(flat)
    return layers[0], layers[1]
