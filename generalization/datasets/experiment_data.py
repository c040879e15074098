"""The data of an experiment: fewer, smaller, randomized or wrongly labelled images.

The randomizations are those of Zhang, Bengio, Hardt, Recht & Vinyals 2017, §2.1. All of them are
drawn once per dataset: every network of every ensemble sees the same.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from generalization.datasets.dataset import Dataset
from generalization.datasets.normalization import normalized_images
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters
from generalization.randomness import generator_for

RANDOMIZATIONS = ("none", "random_labels", "shuffled_pixels", "random_pixels", "gaussian")


def experiment_data(dataset: Dataset, hyperparameters: Hyperparameters) -> Dataset:
    """What the networks of an ensemble are trained on, tested on and measured at.

    Args:
        dataset: As it was prepared.
        hyperparameters: Of these ``train_size`` (the first rows are kept), ``crop``,
            ``randomization`` and ``label_corruption``. ``random_labels`` is label corruption 1.

    Returns:
        A dataset of the same name. Test labels are always the true ones.
    """
    raise_if_impossible(dataset, hyperparameters)
    rows = slice(hyperparameters.train_size)
    randomization = hyperparameters.randomization
    corruption = 1.0 if randomization == "random_labels" else hyperparameters.label_corruption
    inputs = {"train": dataset.train_inputs[rows], "test": dataset.test_inputs}
    if hyperparameters.crop is not None:
        inputs = {part: cropped(images, hyperparameters.crop) for part, images in inputs.items()}
    # ASSUME: test images are randomized as training images are, so that both have one distribution.
    inputs = {
        part: randomized(images, randomization, dataset=dataset.name, part=part)
        for part, images in inputs.items()
    }
    return replace(
        dataset,
        train_inputs=inputs["train"],
        train_labels=corrupted_labels(dataset, corruption)[rows],
        test_inputs=inputs["test"],
    )


def raise_if_impossible(dataset: Dataset, hyperparameters: Hyperparameters) -> None:
    """Refuse what cannot be done to a dataset.

    Raises:
        InputError: Naming the hyper-parameter, what it must be, and what it is.
    """
    images, smallest_side = len(dataset.train_inputs), min(dataset.train_inputs.shape[-2:])
    size, crop = hyperparameters.train_size, hyperparameters.crop
    randomization, corruption = hyperparameters.randomization, hyperparameters.label_corruption
    if size is not None and not 1 <= size <= images:
        raise InputError(
            f"train_size must be from 1 to the {images} training images of {dataset.name}, "
            f"not {size!r}."
        )
    if crop is not None and not 1 <= crop <= smallest_side:
        raise InputError(
            f"crop must be from 1 to the {smallest_side} pixels of {dataset.name}, not {crop!r}."
        )
    if randomization not in RANDOMIZATIONS:
        raise InputError(
            f"randomization must be one of {', '.join(RANDOMIZATIONS)}, not {randomization!r}."
        )
    if not 0 <= corruption <= 1:
        raise InputError(f"label_corruption must be from 0 to 1, not {corruption!r}.")
    if randomization == "random_labels" and corruption != 0:
        raise InputError(
            "label_corruption must be 0 where randomization is 'random_labels', which is "
            f"corruption 1, not {corruption!r}."
        )


def cropped(
    images: Float32[Tensor, "images channels height width"], side: int
) -> Float32[Tensor, "images channels side side"]:
    """The middle of every image, normalized again; what cannot be halved is cut at the end.

    Normalization is affine with a positive slope and forgets such changes made before it. So the
    crop of a normalized image, normalized, is the crop of the raw image, normalized.

    Raises:
        InputError: If the middle of an image is constant.
    """
    top, left = ((length - side) // 2 for length in images.shape[-2:])
    middle = images[:, :, top : top + side, left : left + side]
    try:
        return torch.from_numpy(normalized_images(middle.numpy()))
    except InputError:
        raise InputError(f"crop must leave no image constant, and {side!r} does.") from None


def randomized(
    images: Float32[Tensor, "images channels height width"],
    randomization: str,
    *,
    dataset: str,
    part: str,
) -> Float32[Tensor, "images channels height width"]:
    """Images with their pixels moved or replaced; the channels of a pixel stay together.

    Args:
        images: Training or test images.
        randomization: ``shuffled_pixels`` moves the pixels of all images, of both parts, by one
            permutation; ``random_pixels`` has a permutation for every image; ``gaussian`` draws
            all values from N(0, 1). What mean and variance they are drawn with does not matter,
            because images are normalized afterwards. Any other leaves images as they are.
        dataset: Name of the dataset.
        part: ``train`` or ``test``.

    Returns:
        Normalized images. The first n do not depend on how many follow.
    """
    pixels = images.shape[-2] * images.shape[-1]
    if randomization == "shuffled_pixels":
        order = torch.randperm(pixels, generator=generator_for(dataset, randomization))
        return images.flatten(2)[:, :, order].view(images.shape)
    generator = generator_for(dataset, randomization, part)
    if randomization == "random_pixels":
        orders = torch.stack([torch.randperm(pixels, generator=generator) for _ in images])
        orders = orders.unsqueeze(1).expand(-1, images.shape[1], -1)
        return images.flatten(2).gather(2, orders).view(images.shape)
    if randomization == "gaussian":
        noise = torch.stack([torch.randn(images.shape[1:], generator=generator) for _ in images])
        return torch.from_numpy(normalized_images(noise.numpy()))
    return images


def corrupted_labels(dataset: Dataset, probability: float) -> Int64[Tensor, "train"]:
    """Training labels, each replaced by a random class with a probability.

    The class is uniform over all classes, the true one included, so that a fraction p(1 − 1/K) is
    wrong (Zhang et al. 2017, §2.1). Label i is replaced if its own number u_i is below p: which
    labels a smaller probability replaces, and by what, a larger one repeats.

    Args:
        dataset: Whose labels; its name fixes all random numbers.
        probability: From 0 to 1.
    """
    generator = generator_for(dataset.name, "label_corruption")
    labels = dataset.train_labels
    chances = torch.rand(labels.shape, generator=generator)
    classes = torch.randint(dataset.classes, labels.shape, generator=generator)
    return torch.where(chances < probability, classes, labels)
