"""Singular values of noisy copies, and their closed form, beside what one would write at first."""

from itertools import pairwise

import torch
from timing import print_table, sgemm_rate, take_turns
from torch import Generator
from torch.func import jacrev, vmap

from generalization.derivatives.layer_noise import layer_noise
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.hidden_layers import hidden_activations
from generalization.units.cloud_spectra import cloud_spectra, noisy_copies, squared_singular_values

WIDTHS = (784, 200, 200, 200, 10)
COPIES, SCALES = 256, (0.2, 0.1, 0.01)


def spectra_by_svd(networks, clouds):
    """One forward pass per σ, one decomposition per network, layer and σ."""
    return [
        [torch.linalg.svdvals(cloud.double()).square() for cloud in layer.flatten(2)]
        for copies in clouds
        for layer in hidden_activations(networks, copies)
    ]


def noise_by_autograd(networks, inputs):
    def activations(point):
        layers = networks.preactivations(point[None])[:-1]
        return [networks.phi.function(layer)[:, 0] for layer in layers]

    found = []
    for layer, jacobian in enumerate(vmap(jacrev(activations), chunk_size=1)(inputs)):
        hidden = networks.phi.function(networks.preactivations(inputs)[layer]).transpose(0, 1)
        along = hidden / hidden.norm(dim=-1, keepdim=True)
        across = jacobian.norm(dim=(2, 3)) ** 2 - (along.unsqueeze(2) @ jacobian).square().sum((
            2,
            3,
        ))
        found.append(across)
    return torch.stack(found, -1)


def main():
    limit = sgemm_rate()
    generators = [Generator().manual_seed(seed) for seed in range(4)]
    networks = initialize_fully_connected(WIDTHS, "relu", generators)
    images = torch.randn(32, 784, generator=Generator().manual_seed(9))
    clouds = noisy_copies(images[:1], Generator().manual_seed(10), SCALES, COPIES)[0]

    forward = 2 * COPIES * len(SCALES) * sum(a * b for a, b in pairwise(WIDTHS))
    gram = 2 * COPIES * len(SCALES) * sum(width**2 for width in WIDTHS[1:-1])
    seconds = take_turns({
        "one pass, smaller Gram matrix": lambda: cloud_spectra(networks, clouds),
        "a pass per scale, SVD of every cloud": lambda: spectra_by_svd(networks, clouds),
    })
    title = f"Clouds of one image: {len(networks)} networks, {COPIES} copies, {len(SCALES)} scales"
    print_table(
        title,
        seconds,
        ours="one pass, smaller Gram matrix",
        flops=len(networks) * (forward + gram),
        limit=limit,
    )
    cloud = torch.randn(12, COPIES, WIDTHS[1])
    seconds = take_turns({
        "eigenvalues of the smaller Gram matrix": lambda: squared_singular_values(cloud),
        "torch.linalg.svdvals, float64": lambda: torch.linalg.svdvals(cloud.double()),
    })
    print_table(
        f"Spectra of 12 clouds, {COPIES} × {WIDTHS[1]}",
        seconds,
        ours="eigenvalues of the smaller Gram matrix",
    )
    one, images = networks[:1], images[:8]
    seconds = take_turns({
        "layer_noise": lambda: layer_noise(one, images),
        "jacrev of every layer": lambda: noise_by_autograd(one, images),
    })
    exact = noise_by_autograd(one.to(torch.float64), images.double()).transpose(0, 1)
    error = (layer_noise(one, images).noise.square() / exact - 1).abs().max().item()
    width = WIDTHS[1]
    flops = len(images) * 2 * 2 * width**3
    print_table(
        f"Closed form of {len(images)} images; largest relative error {error:.1e}",
        seconds,
        ours="layer_noise",
        flops=flops,
        limit=limit,
    )


if __name__ == "__main__":
    main()
