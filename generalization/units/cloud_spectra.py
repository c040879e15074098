"""Singular values of clouds of noisy copies of an image in hidden layers."""

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
    """Return the squared singular values s_i² of uncentered matrices, in descending order.

    They are the eigenvalues of the smaller one of HᵀH and HHᵀ, formed in float64. This takes two
    thirds of the time of a singular value decomposition, and shares of s_1² are accurate to the
    precision of float32 activations.
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
    """Return the first images of every class of the training set, then of the test set.

    Returns:
        The images, and a table of their ``part`` (train, test) and ``class``.
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
    """Return N copies x + σξ of every image, ξ ~ N(0, I), without clipping.

    Args:
        images: Images x.
        generator: Source of the noise ξ, independent between images and shared by all σ.
        noise_stds: Standard deviations σ, in units of the inputs.
        copies: Number N of copies per image.
    """
    # Drawn on the CPU, so that the noise does not depend on the device.
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
    """Return the squared singular values of the copies of an image in every hidden layer.

    Args:
        copies: Copies of one image, in the dtype of the weights.

    Returns:
        One tensor of descending s_i² per hidden layer.
    """
    return [
        squared_singular_values(layer.flatten(2).unflatten(1, copies.shape[:2]))
        for layer in hidden_activations(networks, copies.flatten(0, 1))
    ]


def explained_variance(
    spectrum: Float64[Tensor, "*batch components"],
) -> tuple[Float64[Tensor, "*batch"], Float64[Tensor, "*batch"], Float64[Tensor, "*batch"]]:
    """Return EV_1, EV_2 and the remainder, EV_i = s_i² / Σ_j s_j²; NaN where all s_i are zero.

    Each is a sum of positive terms, so that a small remainder is accurate.
    """
    shares = torch.nn.functional.pad(spectrum / spectrum.sum(-1, keepdim=True), (0, 1))
    return shares[..., 0], shares[..., 1], shares[..., 2:].sum(-1)
