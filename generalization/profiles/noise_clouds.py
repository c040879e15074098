"""What layers make of noise: clouds of noisy copies of single images."""

from collections.abc import Iterator, Sequence

import pandas as pd
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.derivatives.layer_noise import layer_noise
from generalization.networks.hidden_layers import hidden_activations
from generalization.networks.modules import Networks, number_of_networks
from generalization.units.noise_clouds import (
    cloud_spectra,
    explained_variance,
    squared_singular_values,
)

QUANTITIES = ["ev_1", "ev_2", "ev_rest", "s_1", "s_2", "predicted_noise", "layer_norm", "signal"]
NULL_DRAWS = 8

Values = Float64[Tensor, "networks layers noise_scales quantities"]


@torch.no_grad()
def noise_clouds(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    generator: torch.Generator,
    *,
    images_per_class: int = 2,
    # ASSUME: there are 256 copies, which are not clipped to the range of pixels; the blog says
    # neither. Its noise is of pixels from 0 to 1, which inputs are if they are not normalized.
    noise_scales: Sequence[float] = (0.2, 0.1, 0.01),
    copies: int = 256,
) -> pd.DataFrame:
    """Explained variance of the activations of noisy copies of one image, layer by layer.

    N copies x + σξ with ξ ~ N(0, I) go through the network in eval mode; H is the N × n_l matrix of
    the activations of a layer, not centered, with singular values s_i and EV_i = s_i² / Σ_j s_j²
    (Graham, *From Generalization to Inner Activations*, last section). Without noise H has rank 1
    and EV_1 = 1: 1 − EV_1 is how much of what a layer says is noise.

    Beside it stands its limit for small σ, without sampling (see ``LayerNoise``). What differs is
    the rest of the network's being not linear, and the copies' being few.

    Args:
        networks: A stack of R networks, or an ``nn.Sequential``.
        inputs: Test images, in the dtype of the weights.
        labels: Their classes.
        train_inputs: The training set, as the networks saw it.
        train_labels: Its labels, as the networks saw them.
        generator: Of the noise, which differs between images and is the same for all networks, σ.
        images_per_class: The first so many images of every class, of either part.
        noise_scales: σ, in units of the inputs, which have a standard deviation of 1 over the
            pixels of an image where images are normalized.
        copies: N.

    Returns:
        One row per network, ``part`` (train, test), ``class``, ``layer`` (0, the input, then the
        hidden layers) and ``sigma``, means over the images of the class of

        ``ev_1``, ``ev_2``, ``ev_rest``
            Shares of the first, the second, and all other components; their sum is 1.
        ``s_1``, ``s_2``
            Singular values divided by √N.
        ``predicted_noise``
            σ²(‖A_l‖_F² − ‖ĥᵀA_l‖²) / ‖h‖², what 1 − EV_1 is for small σ.
        ``layer_norm``, ``signal``
            ‖A_l‖_F and ‖h‖.

        and ``null_share``, the share of the first component of N × n_l independent normal numbers:
        EV_2 / (1 − EV_1) would be near it if noise had no direction in the layer. Images of which a
        layer shows nothing, not one active unit, are left out; without any, values are NaN.
    """
    parts = {"train": (train_inputs, train_labels), "test": (inputs, labels)}
    tables = [
        _table(values, noise_scales).assign(part=part, **{"class": label})
        for part, (images, classes) in parts.items()
        for label, some in _of_classes(images, classes, images_per_class)
        for values in [_mean_over_images(networks, some, copies, noise_scales, generator)]
    ]
    table = pd.concat(tables, ignore_index=True)
    units = [inputs[0].numel(), *(h[0].numel() for h in hidden_activations(networks, inputs[:1]))]
    shares = {count: _null_share(count, copies, generator) for count in dict.fromkeys(units)}
    table["null_share"] = table["layer"].map(dict(enumerate(shares[count] for count in units)))
    return table[["network", "part", "class", "layer", "sigma", *QUANTITIES, "null_share"]]


def _of_classes(images: Tensor, labels: Tensor, count: int) -> Iterator[tuple[int, Tensor]]:
    """Every class that there is, with its first images."""
    for label in labels.unique().tolist():
        yield label, images[labels == label][:count]


def _mean_over_images(
    networks: Networks,
    images: Float[Tensor, "images *features"],
    copies: int,
    noise_scales: Sequence[float],
    generator: torch.Generator,
) -> Values:
    """Means over those images of which a layer shows something."""
    values = []
    for image in images:
        # Drawn on the CPU, so that all devices see the same noise.
        noise = torch.randn(copies, *image.shape, generator=generator).to(image)
        values.append(_of_image(networks, image, noise, noise_scales))
    return torch.stack(values).nanmean(0)


def _of_image(
    networks: Networks,
    image: Float[Tensor, "*features"],
    noise: Float[Tensor, "copies *features"],
    noise_scales: Sequence[float],
) -> Values:
    """All quantities, of the input and of every hidden layer."""
    copies = torch.stack([(image + scale * noise).flatten(1) for scale in noise_scales])
    of_input = squared_singular_values(copies).expand(number_of_networks(networks), -1, -1)
    spectra = [of_input, *cloud_spectra(networks, image, noise, noise_scales)]
    signal, norm, predicted = _closed_form(networks, image, torch.tensor(noise_scales))
    layers = [
        torch.stack([*explained_variance(spectrum), *_singular_values(spectrum, len(noise))], -1)
        for spectrum in spectra
    ]
    return torch.cat([torch.stack(layers, 1), torch.stack([predicted, norm, signal], -1)], -1)


def _singular_values(spectrum: Tensor, copies: int) -> tuple[Tensor, Tensor]:
    """s_1 and s_2 by √N."""
    both = torch.nn.functional.pad(spectrum, (0, 1))[..., :2] / copies
    return both.sqrt().unbind(-1)


def _closed_form(
    networks: Networks, image: Float[Tensor, "*features"], noise_scales: Float[Tensor, "scales"]
) -> tuple[Tensor, Tensor, Tensor]:
    """‖h‖, ‖A‖_F and 1 − EV_1 of the input, of which A is I, and of every hidden layer."""
    found = layer_noise(networks, image.unsqueeze(0))
    signal, norm, ratio = found.signal[:, 0], found.jacobian_norm[:, 0], found.noise_to_signal[:, 0]
    length, features = image.double().norm().item(), image.numel()
    at_input = (length, features**0.5, (features - 1) / length**2 if length else torch.nan)
    signal, norm, ratio = (
        torch.nn.functional.pad(layers, (1, 0), value=value)
        for layers, value in zip((signal, norm, ratio), at_input, strict=True)
    )
    scales = noise_scales.to(ratio)
    shape = (*ratio.shape, len(scales))
    return (
        signal.unsqueeze(-1).expand(shape),
        norm.unsqueeze(-1).expand(shape),
        ratio.unsqueeze(-1) * scales.square(),
    )


def _null_share(units: int, copies: int, generator: torch.Generator) -> float:
    """EV_1 of independent normal numbers, mean over some draws."""
    draws = torch.randn(NULL_DRAWS, copies, units, generator=generator)
    return explained_variance(squared_singular_values(draws))[0].mean().item()


def _table(values: Values, noise_scales: Sequence[float]) -> pd.DataFrame:
    """One row per network, layer and σ."""
    networks, layers = values.shape[:2]
    table = pd.DataFrame(values.flatten(0, 2).cpu().numpy(), columns=QUANTITIES)
    rows = pd.MultiIndex.from_product(
        [range(networks), range(layers), noise_scales], names=["network", "layer", "sigma"]
    )
    return pd.concat([rows.to_frame(index=False), table], axis=1)
