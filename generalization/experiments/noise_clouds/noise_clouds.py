"""Clouds of noisy copies of single images in the layers of networks."""

from collections.abc import Callable, Sequence

import pandas as pd
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.derivatives.layer_noise import layer_noise
from generalization.errors import InputError
from generalization.networks.hidden_layers import hidden_activations
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.units.cloud_spectra import (
    cloud_images,
    explained_variance,
    squared_singular_values,
)

QUANTITIES = ["ev_1", "ev_2", "ev_rest", "s_1", "s_2", "predicted_noise", "layer_norm", "signal"]
NULL_DRAWS = 8
ACCURACIES = ["accuracy", "accuracy_without_noise"]
ACCURACY_IMAGES = 1_000  # Of every part, the first ones, each with one draw of noise.

Values = Float64[Tensor, "networks layers noise_stds quantities"]


@reads_networks
@torch.no_grad()
def noise_clouds(
    networks: Networks,
    recorded: Callable[[slice], tuple[Tensor, list[Tensor]]],
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    generator: torch.Generator,
    *,
    images_per_class: int = 2,
    # ASSUME: there are 256 copies, which are not clipped to the range of pixels; the blog says
    # neither. Its noise is of pixels from 0 to 1, which inputs are if they are not normalized.
    noise_stds: Sequence[float] = (0.2, 0.1, 0.01),
    copies: int = 256,
) -> pd.DataFrame:
    """Explained variance of the activations of noisy copies of one image, layer by layer.

    N copies x + σξ with ξ ~ N(0, I) go through the network in eval mode; H is the N × n_l matrix of
    the activations of a layer, not centered, with singular values s_i and EV_i = s_i² / Σ_j s_j²
    (Graham, *From Generalization to Inner Activations*, last section). Without noise H has rank 1
    and EV_1 = 1: 1 − EV_1 is the share of noise in a layer.

    Its limit for small σ is given without sampling (see ``LayerNoise``). The two differ because the
    network is not linear and copies are few.

    Source: Graham, *From Generalization to Inner Activations*, last section; the limit for
    small σ is this project's own.

    Args:
        networks: A stack of R networks, or an ``nn.Sequential``, in eval mode.
        recorded: Function from a slice, counted over images, σ and copies, to the ``noisy_copies``
            of ``cloud_images`` and their activations, which are too many to be held at once.
        inputs: Test images, in the dtype of the weights.
        train_labels: Training labels, as the networks saw them.
        generator: Source of the draws behind ``null_share``.
        images_per_class: Number of images of every class and part, the first ones.
        noise_stds: Values of σ, in units of the inputs, which have a standard deviation of 1 over
            the pixels of an image where images are normalized.
        copies: Number N of copies.

    Returns:
        One row per network, ``part`` (train, test), ``class``, ``layer`` (0, the input, then the
        hidden layers) and ``sigma``, means over the images of the class of

        ``ev_1``, ``ev_2``, ``ev_rest``
            Shares of the first, the second, and all other components; their sum is 1.
        ``s_1``, ``s_2``
            Singular values divided by √N.
        ``predicted_noise``
            Limit σ²(‖A_l‖_F² − ‖ĥᵀA_l‖²) / ‖h‖² of 1 − EV_1 for small σ.
        ``layer_norm``, ``signal``
            Norms ‖A_l‖_F and ‖h‖.

        and ``null_share``, the share of the first component of N × n_l independent normal numbers:
        EV_2 / (1 − EV_1) would be near it if noise had no direction in the layer; and ``accuracy``
        with this noise and ``accuracy_without_noise``, at the first 1,000 images of the part,
        whatever the class and layer of the row. Shares, and
        ``predicted_noise``, do not exist where a layer shows nothing, no copy or no image having an
        active unit: they are means over the other images, NaN without any.

    Raises:
        InputError: If there is no record.
    """
    if recorded is None:
        raise InputError("noise_clouds needs recorded activations of noisy copies, not None.")
    images, about = cloud_images(train_inputs, train_labels, inputs, labels, images_per_class)
    of_image = len(noise_stds) * copies
    clouds = (recorded(slice(i * of_image, (i + 1) * of_image)) for i in range(len(images)))
    sampled = torch.stack([
        _sampled([layer.to(images.device) for layer in (cloud[None], *layers)], len(noise_stds))
        for cloud, layers in clouds
    ])
    values = torch.cat([sampled, _closed_form(networks, images, noise_stds)], -1)
    kinds = about.groupby(["part", "class"], sort=False).indices
    tables = [
        _table(values[positions].nanmean(0), noise_stds).assign(part=part, **{"class": label})
        for (part, label), positions in kinds.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    units = [images[0].numel(), *(h[0].numel() for h in hidden_activations(networks, images[:1]))]
    shares = {count: _null_share(count, copies, generator) for count in dict.fromkeys(units)}
    table["null_share"] = table["layer"].map(dict(enumerate(shares[count] for count in units)))
    parts = {"train": (train_inputs, train_labels), "test": (inputs, labels)}
    table = table.merge(
        pd.concat(
            _accuracies(networks, *shown, noise_stds, generator).assign(part=part)
            for part, shown in parts.items()
        ),
        on=["network", "part", "sigma"],
        validate="many_to_one",
    )
    keys = ["network", "part", "class", "layer", "sigma"]
    return table[[*keys, *QUANTITIES, "null_share", *ACCURACIES]]


def _sampled(layers: Sequence[Float[Tensor, "_networks samples *units"]], scales: int) -> Values:
    """Shares EV_1, EV_2, the rest, and the first two singular values by √N, of one image."""
    found = []
    for layer in layers:
        clouds = layer.flatten(2).unflatten(1, (scales, -1))
        spectra = squared_singular_values(clouds)
        both = torch.nn.functional.pad(spectra, (0, 1))[..., :2] / clouds.shape[2]
        found.append(torch.stack([*explained_variance(spectra), *both.sqrt().unbind(-1)], -1))
    return torch.stack(torch.broadcast_tensors(*found), 1)


def _closed_form(
    networks: Networks, images: Float[Tensor, "images *features"], noise_stds: Sequence[float]
) -> Float64[Tensor, "images networks layers noise_stds quantities"]:
    """Limits of 1 − EV_1, ‖A‖_F and ‖h‖ for the input, where A = I, and for every hidden layer."""
    found = layer_noise(networks, images)
    length, features = images.flatten(1).double().norm(dim=1), images[0].numel()
    at_input = (
        (features - 1) / length.where(length > 0, torch.nan).square(),
        torch.full_like(length, features**0.5),
        length,
    )
    ratio, norm, signal = (
        torch.cat([value.expand(len(layers), -1).unsqueeze(2), layers], dim=2).unsqueeze(3)
        for layers, value in zip(
            (found.noise_to_signal, found.jacobian_norm, found.signal), at_input, strict=True
        )
    )
    squares = ratio.new_tensor(noise_stds).square()
    return torch.stack(torch.broadcast_tensors(ratio * squares, norm, signal), -1).transpose(0, 1)


def _accuracies(
    networks: Networks,
    images: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    noise_stds: Sequence[float],
    generator: torch.Generator,
) -> pd.DataFrame:
    """Accuracy at images with noise of every σ, and without: a row per network and σ."""
    shown, right = images[:ACCURACY_IMAGES], labels[:ACCURACY_IMAGES]
    noise = torch.randn(shown.shape, generator=generator).to(shown)

    def accuracy(scale: float) -> list[float]:
        logits = logits_of(networks, shown + scale * noise)
        return (logits.argmax(-1) == right).double().mean(1).tolist()

    without = accuracy(0.0)
    rows = [
        {"network": network, "sigma": scale, "accuracy": with_noise}
        | {"accuracy_without_noise": without[network]}
        for scale in noise_stds
        for network, with_noise in enumerate(accuracy(scale))
    ]
    return pd.DataFrame(rows)


def _null_share(units: int, copies: int, generator: torch.Generator) -> float:
    """Chance level of EV_1: that of independent normal numbers, averaged over some draws."""
    draws = torch.randn(NULL_DRAWS, copies, units, generator=generator)
    return explained_variance(squared_singular_values(draws))[0].mean().item()


def _table(values: Values, noise_stds: Sequence[float]) -> pd.DataFrame:
    """Table with one row per network, layer and σ."""
    networks, layers = values.shape[:2]
    table = pd.DataFrame(values.flatten(0, 2).cpu().numpy(), columns=QUANTITIES)
    rows = pd.MultiIndex.from_product(
        [range(networks), range(layers), noise_stds], names=["network", "layer", "sigma"]
    )
    return pd.concat([rows.to_frame(index=False), table], axis=1)
