"""Tangent sensitivity by its definition, slowly."""

import torch
from torch.func import functional_call, jacrev, vmap


def second_derivatives(module, inputs):
    """∂²f/∂θ∂x of every point by name of the parameter: (samples, classes, *parameter, *features).

    The derivative is by the input first, so that nothing of the closed form is shared.
    """
    parameters = {name: part.detach() for name, part in module.named_parameters()}

    def logits(x, parameters):
        return functional_call(module, parameters, (x.unsqueeze(0),))[0]

    def of_point(x):
        return jacrev(lambda parameters: jacrev(logits)(x, parameters))(parameters)

    # (samples, classes, *features, *parameter) → parameter before features.
    axes = inputs.dim() - 1
    return {
        name: block.movedim(tuple(range(2, 2 + axes)), tuple(range(-axes, 0)))
        for name, block in vmap(of_point)(inputs).items()
    }


def tangent_sensitivities(module, inputs, reduction="sum"):
    """‖∂²f/∂θ∂x‖_F of every point."""
    blocks = second_derivatives(module, inputs).values()
    if reduction == "sum":
        blocks = [block.sum(1) for block in blocks]
    elif reduction != "full":
        blocks = [block[:, reduction] for block in blocks]
    return torch.cat([block.flatten(1) for block in blocks], dim=1).norm(dim=1)
