import pytest
import torch
from torch import nn

from generalization.networks.batch_normalization import BatchNormalization
from generalization.randomness import generator_for
from generalization.training.batch_statistics import (
    Normalized,
    normalization_gradients,
    normalize,
)

NETWORKS, UNITS = 3, 4
PARTS = ("scale", "shift", "mean", "variance")


def drawn(*shape):
    return torch.rand(shape, generator=generator_for("normalization", *shape))


def modules_of(normalization):
    for position in range(NETWORKS):
        module = nn.BatchNorm1d(UNITS)
        parts = module.weight.data, module.bias.data, module.running_mean, module.running_var
        for part, of_module in zip(PARTS, parts, strict=True):
            of_module.copy_(getattr(normalization, part)[position])
        yield module


@pytest.mark.parametrize("samples", [2, 9])
def test_each_network_is_normalized_as_by_torch(samples):
    normalization = BatchNormalization(*drawn(4, NETWORKS, UNITS))
    modules = list(modules_of(normalization))
    before, gradient = 3 * drawn(NETWORKS, UNITS, samples), drawn(NETWORKS, UNITS, samples) - 0.5
    after, remembered = before.clone(), Normalized.like(before)
    normalize(normalization, after, remembered)
    ours = normalization_gradients(normalization, gradient, remembered)
    for position, module in enumerate(modules):
        inputs = before[position].T.clone().requires_grad_()
        outputs = module(inputs)
        theirs = torch.autograd.grad(
            outputs, (inputs, module.weight, module.bias), gradient[position].T
        )
        torch.testing.assert_close(after[position].T, outputs, rtol=1e-5, atol=1e-6)
        for one, other in zip(ours, (theirs[0].T, *theirs[1:]), strict=True):
            torch.testing.assert_close(one[position], other, rtol=1e-4, atol=1e-5)
        for part, running in (("mean", module.running_mean), ("variance", module.running_var)):
            torch.testing.assert_close(getattr(normalization, part)[position], running)


def test_formula_of_the_gradient():
    normalization = BatchNormalization(*drawn(4, NETWORKS, UNITS).double())
    z, g = drawn(NETWORKS, UNITS, 9).double(), drawn(NETWORKS, UNITS, 9).double() - 0.5
    remembered = Normalized.like(z)
    normalize(normalization, z.clone(), remembered)
    deviation = (z.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    normal = (z - z.mean(2, keepdim=True)) / deviation
    centered = g - g.mean(2, keepdim=True) - normal * (g * normal).mean(2, keepdim=True)
    below, of_scale, of_shift = normalization_gradients(normalization, g, remembered)
    torch.testing.assert_close(below, normalization.scale.unsqueeze(2) * centered / deviation)
    torch.testing.assert_close(of_scale, (g * normal).sum(2))
    torch.testing.assert_close(of_shift, g.sum(2))
