"""Clouds of noisy copies of one image, in hidden layers, and their singular values."""

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.datasets.dataset import Dataset
from generalization.networks.hidden_layers import hidden_activations
from generalization.networks.modules import Networks


def squared_singular_values(
    matrices: Float[Tensor, "*batch rows columns"],
) -> Float64[Tensor, "*batch smaller"]:
    """s_i² of matrices, not centered, descending.

    They are the eigenvalues of HᵀH and of HHᵀ, of which the smaller one is formed, in float64: that
    takes two thirds of the time of a singular value decomposition, and leaves to a share of s_1²
    the digits that float32 activations have.
    """
    matrices = matrices.double()
    rows, columns = matrices.shape[-2:]
    gram = matrices.mT @ matrices if columns <= rows else matrices @ matrices.mT
    return torch.linalg.eigvalsh(gram).clamp_min(0).flip(-1)


def cloud_images(
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    images_per_class: int,
) -> tuple[Float[Tensor, "images *features"], pd.DataFrame]:
    """The first images of every class, of the training set and then of the test set.

    Returns:
        The images, and for each its ``part`` (train, test) and ``class``.
    """
    images, about = [], []
    for part, shown, classes in (("train", train_inputs, train_labels), ("test", inputs, labels)):
        for label in classes.unique().tolist():
            images.append(shown[classes == label][:images_per_class])
            about += len(images[-1]) * [(part, label)]
    return torch.cat(images), pd.DataFrame(about, columns=["part", "class"])


def noisy_copies(
    images: Float[Tensor, "images *features"],
    generator: torch.Generator,
    noise_stds: Sequence[float],
    copies: int,
) -> Float[Tensor, "images noise_stds copies *features"]:
    """N copies x + σξ of every image, ξ ~ N(0, I), which are not clipped.

    Args:
        images: x.
        generator: Of the noise, which differs between images and is the same for all σ.
        noise_stds: σ, in units of the inputs.
        copies: N.
    """
    # Drawn on the CPU, so that all devices see the same noise.
    noise = torch.randn(len(images), copies, *images.shape[1:], generator=generator).to(images)
    return torch.stack([images.unsqueeze(1) + scale * noise for scale in noise_stds], dim=1)


def noisy_images(
    data: Dataset,
    generator: torch.Generator,
    device: torch.device,
    *,
    images_per_class: int,
    noise_stds: Sequence[float],
    copies: int,
) -> Float[Tensor, "noisy_copies *features"]:
    """Noisy copies of the first images of every class, all copies of an image one after the other.

    Args:
        data: Where the images are from.
        generator: Source of the noise.
        device: Where the copies are needed.
        images_per_class: As for ``cloud_images``.
        noise_stds: As for ``noisy_copies``.
        copies: As there.
    """
    sets = data.train_inputs, data.train_labels, data.test_inputs, data.test_labels
    images, _ = cloud_images(*sets, images_per_class)
    return noisy_copies(images.to(device), generator, noise_stds, copies).flatten(0, 2)


@torch.no_grad()
def cloud_spectra(
    networks: Networks, copies: Float[Tensor, "noise_stds copies *features"]
) -> list[Float64[Tensor, "networks noise_stds _components"]]:
    """Squared singular values of the copies of an image in every hidden layer.

    Args:
        copies: Those of one image, in the dtype of the weights.

    Returns:
        One tensor per hidden layer, s_i² descending.
    """
    return [
        squared_singular_values(layer.flatten(2).unflatten(1, copies.shape[:2]))
        for layer in hidden_activations(networks, copies.flatten(0, 1))
    ]


def explained_variance(
    spectrum: Float64[Tensor, "*batch components"],
) -> tuple[Float64[Tensor, "*batch"], Float64[Tensor, "*batch"], Float64[Tensor, "*batch"]]:
    """EV_1, EV_2 and the rest, EV_i = s_i² / Σ_j s_j²; NaN where all is zero.

    Each is a sum of positive terms, so that a small rest is right to its last digits.
    """
    shares = torch.nn.functional.pad(spectrum / spectrum.sum(-1, keepdim=True), (0, 1))
    return shares[..., 0], shares[..., 1], shares[..., 2:].sum(-1)
