"""The data of an experiment: subsets, crops, randomized or raw images, corrupted labels.

The randomizations are those of Zhang, Bengio, Hardt, Recht & Vinyals 2017, §2.1. Each is drawn once
per dataset and shared by all networks of all ensembles.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from generalization.datasets.dataset import Dataset
from generalization.datasets.normalization import normalized_images, pixel_units
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters, label_noise_faults
from generalization.randomness import generator_for

INPUT_NORMALIZATIONS = ("each_image", "none")
RANDOMIZATIONS = ("none", "random_labels", "shuffled_pixels", "random_pixels", "gaussian")


def experiment_data(dataset: Dataset, hyperparameters: Hyperparameters) -> Dataset:
    """Prepare the training and test data of an ensemble.

    Args:
        dataset: Prepared dataset.
        hyperparameters: Hyper-parameters; ``train_size`` (the first rows are kept), ``crop``,
            ``input_normalization``, ``randomization``, ``label_corruption``, ``label_noise`` and
            ``label_matrix`` are used. ``random_labels`` is label corruption with probability 1.

    Returns:
        A dataset of the same name, always with the true test labels.
    """
    raise_if_impossible(dataset, hyperparameters)
    randomization = hyperparameters.randomization
    corruption = 1.0 if randomization == "random_labels" else hyperparameters.label_corruption
    if hyperparameters.label_noise == "uniform":
        labels = corrupted_labels(dataset, corruption)
    else:
        labels = noisy_labels(dataset, hyperparameters)
    dataset = replace(dataset, train_labels=labels)
    if hyperparameters.train_size is not None:
        dataset = beginning(dataset, hyperparameters.train_size)
    if hyperparameters.crop is not None:
        dataset = cropped(dataset, hyperparameters.crop)
    # ASSUME: test images are randomized like training images, to have the same distribution.
    inputs = {
        f"{part}_inputs": randomized(images, randomization, dataset=dataset.name, part=part)
        for part, images in (("train", dataset.train_inputs), ("test", dataset.test_inputs))
    }
    dataset = replace(dataset, **inputs)
    return dataset if hyperparameters.input_normalization == "each_image" else in_pixels(dataset)


def raise_if_impossible(dataset: Dataset, hyperparameters: Hyperparameters) -> None:
    """Refuse hyper-parameters that the dataset does not allow.

    Raises:
        InputError: If a hyper-parameter is impossible for this dataset.
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
    if hyperparameters.input_normalization not in INPUT_NORMALIZATIONS:
        raise InputError(
            f"input_normalization must be one of {', '.join(INPUT_NORMALIZATIONS)}, "
            f"not {hyperparameters.input_normalization!r}."
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
    for sentence in label_noise_faults(hyperparameters, dataset.classes):
        raise InputError(sentence)


def beginning(dataset: Dataset, size: int) -> Dataset:
    """Keep the first training images."""
    kept = ("inputs", "labels", "pixel_means", "pixel_deviations")
    return replace(
        dataset, **{f"train_{name}": getattr(dataset, f"train_{name}")[:size] for name in kept}
    )


def cropped(dataset: Dataset, side: int) -> Dataset:
    """Crop the center of every image and normalize it again; an odd margin is larger at the end.

    Normalization is invariant to affine maps with positive slope applied before it. The normalized
    crop of a normalized image is therefore the normalized crop of the raw image: with the crop
    m + s·x of an image M + S·(m + s·x), its pixels are M + S·m + (S·s)·x.

    Raises:
        InputError: If the center of an image is constant.
    """
    top, left = ((length - side) // 2 for length in dataset.train_inputs.shape[-2:])
    changed = {}
    for part in ("train", "test"):
        images = getattr(dataset, f"{part}_inputs").numpy()
        middle = images[:, :, top : top + side, left : left + side]
        try:
            changed[f"{part}_inputs"] = torch.from_numpy(normalized_images(middle))
        except InputError:
            raise InputError(f"crop must leave no image constant, and {side!r} does.") from None
        means, deviations = map(torch.from_numpy, pixel_units(middle))
        whole = getattr(dataset, f"{part}_pixel_deviations")
        changed[f"{part}_pixel_means"] = getattr(dataset, f"{part}_pixel_means") + whole * means
        changed[f"{part}_pixel_deviations"] = whole * deviations
    return replace(dataset, **changed)


def randomized(
    images: Float32[Tensor, "images channels height width"],
    randomization: str,
    *,
    dataset: str,
    part: str,
) -> Float32[Tensor, "images channels height width"]:
    """Permute or replace the pixels of images; the channels of a pixel stay together.

    Args:
        images: Training or test images.
        randomization: ``shuffled_pixels`` applies one permutation to all images of both parts;
            ``random_pixels`` a separate permutation to each image; ``gaussian`` draws all values
            from N(0, 1), whose mean and variance are irrelevant because images are normalized
            afterwards. Any other value leaves images unchanged.
        dataset: Name of the dataset.
        part: ``train`` or ``test``.

    Returns:
        Normalized images. The first n do not depend on the number of images.
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


def in_pixels(dataset: Dataset) -> Dataset:
    """Undo the normalization: pixels range from 0 (black) to 1 (white).

    Args:
        dataset: Dataset with images that are normalized individually.
    """
    # ASSUME: an image of Gaussian noise gets the mean and the variance of the image it replaces.
    changed: dict[str, Tensor | None] = {}
    for part in ("train", "test"):
        names = [f"{part}_{name}" for name in ("inputs", "pixel_means", "pixel_deviations")]
        images, means, deviations = (getattr(dataset, name) for name in names)
        pixels = torch.addcmul(
            means.view(-1, 1, 1, 1), deviations.view(-1, 1, 1, 1), images.double()
        )
        changed |= dict(zip(names, (pixels.float(), None, None), strict=True))
    return replace(dataset, **changed)


def corrupted_labels(dataset: Dataset, probability: float) -> Int64[Tensor, "train"]:
    """Return training labels, each replaced by a random class with a given probability.

    The class is uniform over all classes, including the true one, so that a fraction p(1 − 1/K) is
    wrong (Zhang et al. 2017, §2.1). Label i is replaced if a random number u_i is below p:
    replacements for a smaller probability are among those for a larger one.

    Args:
        dataset: Dataset, whose name seeds all random numbers.
        probability: Probability p of replacement, from 0 to 1.
    """
    generator = generator_for(dataset.name, "label_corruption")
    labels = dataset.train_labels
    chances = torch.rand(labels.shape, generator=generator)
    classes = torch.randint(dataset.classes, labels.shape, generator=generator)
    return torch.where(chances < probability, classes, labels)


def noisy_labels(dataset: Dataset, hyperparameters: Hyperparameters) -> Int64[Tensor, "train"]:
    """Return training labels of which some are replaced, in another way than uniformly.

    Which labels are replaced first is the same as for uniform corruption: those with the smallest
    random numbers u_i. ``other_class`` replaces label i if u_i is below p = ``label_corruption``,
    ``exact`` the round(p·n) labels with the smallest u_i of the n that are trained on; both by
    another class, all with the same chance. ``class_matrix`` replaces label i if u_i is below p,
    by class k with the chance ``label_matrix[true class][k]``.

    Args:
        dataset: Dataset before its first rows are chosen.
        hyperparameters: Hyper-parameters, also of how many rows are trained on.
    """
    generator = generator_for(dataset.name, "label_corruption")
    labels, probability = dataset.train_labels, hyperparameters.label_corruption
    chances = torch.rand(labels.shape, generator=generator)
    replaced = chances < probability
    if hyperparameters.label_matrix is not None:
        cumulative = torch.tensor(hyperparameters.label_matrix, dtype=torch.float64).cumsum(1)
        thresholds = (cumulative / cumulative[:, -1:])[labels]
        draws = torch.rand(len(labels), 1, generator=generator, dtype=torch.float64)
        return torch.where(replaced, (thresholds <= draws).sum(1), labels)
    shifts = torch.randint(1, dataset.classes, labels.shape, generator=generator)
    if hyperparameters.label_noise == "exact":
        used = hyperparameters.train_size or len(labels)
        first = chances[:used].argsort(stable=True)[: round(probability * used)]
        replaced = torch.zeros_like(replaced).index_fill(0, first, True)
    return torch.where(replaced, (labels + shifts) % dataset.classes, labels)
