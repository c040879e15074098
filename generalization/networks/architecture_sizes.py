"""Sizes of networks that a function of a user builds, by which a study estimates what they cost."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from generalization.errors import InputError
from generalization.networks.foreign_architecture import ForeignArchitecture
from generalization.networks.hidden_layers import module_activations
from generalization.networks.module_networks import named_tensors, reason_apart, seeded, template_of

CPU = torch.device("cpu")


def described_architecture(architecture: ForeignArchitecture) -> dict[str, Any]:
    """Build a network and count what it computes.

    Args:
        architecture: Function that builds it.

    Returns:
        ``stored``, the numbers in a file; ``products`` of weights per sample, and the ``first``
        layer's; ``units``, all numbers per sample that its parts return; ``widths`` of inputs and
        layers with weights; ``calls`` of parts; ``hidden`` units per layer, in which a feature map
        is one, or the reason why they ``hide``; whether it ``draws`` random numbers and ``couples``
        the samples of a batch; why networks train ``apart``.
    """
    template = template_of(architecture)
    module, counted = template.module.eval(), []

    def count(part: nn.Module, _: Any, output: Any) -> None:
        weight = getattr(part, "weight", None)
        if isinstance(output, Tensor) and isinstance(weight, Tensor) and weight.dim() > 1:
            positions = prod(output.shape[2:]) if weight.dim() > 2 else output[0].numel()
            products = weight.numel() * positions // (1 if weight.dim() > 2 else len(weight))
            counted.append((products, output[0].numel()))

    leaves = [part for part in module.modules() if not next(part.children(), None)]
    hooks = [part.register_forward_hook(count) for part in leaves]
    dtype = next(module.parameters()).dtype
    image = torch.zeros(1, *architecture.image, dtype=dtype)
    with torch.no_grad(), seeded(0):
        module(image)
        for hook in hooks:
            hook.remove()
        hidden, hides = _hidden_units(module, image)
    inputs, *units, classes = template.widths
    # ASSUME: a network without layers that are known multiplies every parameter once per sample.
    counted = counted or [(sum(one.numel() for one in module.parameters()), classes)]
    return {
        "stored": sum(one.numel() for one in named_tensors(module).values()),
        "products": sum(products for products, _ in counted),
        "first": counted[0][0],
        "units": sum(units),
        "inputs": inputs,
        "widths": [inputs, *(width for _, width in counted)],
        "calls": len(units),
        "hidden": hidden,
        "hides": hides,
        "draws": template.draws,
        "couples": template.couples,
        "apart": reason_apart(architecture, CPU),
    }


def _hidden_units(module: nn.Module, image: Tensor) -> tuple[list[int], str]:
    """Count the units of every hidden layer, or say why they cannot be seen."""
    try:
        return [layer.shape[1] for layer in module_activations(module, image)], ""
    except InputError as error:
        return [], str(error)
