"""The data of an experiment: subsets, crops, randomized or raw images, corrupted labels.

The randomizations are those of Zhang, Bengio, Hardt, Recht & Vinyals 2017, §2.1. Each is drawn once
per dataset and shared by all networks of all ensembles.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from generalization.datasets.dataset import Dataset
from generalization.datasets.normalization import normalized_images, pixel_units
from generalization.devices import IMAGES_PER_CHUNK
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters, label_noise_faults
from generalization.randomness import generator_for

INPUT_NORMALIZATIONS = ("each_image", "each_channel", "none")
FLAT = 1e-12  # Variance of pixels from 0 to 1 that rounding leaves; of 8 bits it is larger.
RANDOMIZATIONS = ("none", "random_labels", "shuffled_pixels", "random_pixels", "gaussian")


def experiment_data(dataset: Dataset, hyperparameters: Hyperparameters) -> Dataset:
    """Prepare the training and test data of an ensemble.

    Args:
        dataset: Prepared dataset.
        hyperparameters: Hyper-parameters; ``train_size`` (the first rows are kept), ``crop``,
            ``input_normalization``, ``randomization``, ``label_corruption``, ``label_noise``,
            ``label_matrix`` and ``augmentation``, for whole images to crop at random, are used.
            ``random_labels`` is label corruption with probability 1.

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
    # Of all training images, so that networks with fewer of them see the same inputs.
    by_channel = hyperparameters.input_normalization == "each_channel"
    units = channel_units(dataset, hyperparameters.crop) if by_channel else None
    if hyperparameters.train_size is not None:
        dataset = beginning(dataset, hyperparameters.train_size)
    if hyperparameters.augmentation == "random_crop":
        dataset = replace(dataset, train_whole=whole_images(dataset, hyperparameters, units))
    if hyperparameters.crop is not None:
        dataset = cropped(dataset, hyperparameters.crop)
    # ASSUME: test images are randomized like training images, to have the same distribution.
    inputs = {
        f"{part}_inputs": randomized(images, randomization, dataset=dataset.name, part=part)
        for part, images in (("train", dataset.train_inputs), ("test", dataset.test_inputs))
    }
    dataset = replace(dataset, **inputs)
    if hyperparameters.input_normalization == "each_image":
        return dataset
    return in_pixels(dataset) if units is None else by_channels(in_pixels(dataset), *units)


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


def whole_images(
    dataset: Dataset,
    hyperparameters: Hyperparameters,
    units: tuple[Float64[Tensor, "channels"], Float64[Tensor, "channels"]] | None,
) -> Float32[Tensor, "train channels height width"]:
    """Return whole training images, of which training shows random crops.

    Args:
        dataset: Dataset as prepared, with the rows that are trained on.
        units: Mean and deviation of each channel, if channels are normalized.

    Returns:
        Images in the units of the inputs; where these are normalized one by one, crops still have
        to be, for which the units of the whole image are irrelevant.
    """
    if hyperparameters.input_normalization == "each_image":
        return dataset.train_inputs
    dataset = in_pixels(dataset)
    return (dataset if units is None else by_channels(dataset, *units)).train_inputs


def cropped(dataset: Dataset, side: int) -> Dataset:
    """Crop the center of every image and normalize it again; an odd margin is larger at the end.

    Normalization is invariant to affine maps with positive slope applied before it. The normalized
    crop of a normalized image is therefore the normalized crop of the raw image: with the crop
    m + s·x of an image M + S·(m + s·x), its pixels are M + S·m + (S·s)·x.

    Raises:
        InputError: If the center of an image is constant.
    """
    changed = {}
    for part in ("train", "test"):
        middle = center(getattr(dataset, f"{part}_inputs"), side).numpy()
        try:
            changed[f"{part}_inputs"] = torch.from_numpy(normalized_images(middle))
        except InputError:
            raise InputError(f"crop must leave no image constant, and {side!r} does.") from None
        means, deviations = map(torch.from_numpy, pixel_units(middle))
        whole = getattr(dataset, f"{part}_pixel_deviations")
        changed[f"{part}_pixel_means"] = getattr(dataset, f"{part}_pixel_means") + whole * means
        changed[f"{part}_pixel_deviations"] = whole * deviations
    return replace(dataset, **changed)


def center(
    images: Float32[Tensor, "images channels height width"], side: int
) -> Float32[Tensor, "images channels side side"]:
    """Return the middle of images; an odd margin is larger at the end."""
    top, left = ((length - side) // 2 for length in images.shape[-2:])
    return images[:, :, top : top + side, left : left + side]


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


def channel_units(
    dataset: Dataset, crop: int | None
) -> tuple[Float64[Tensor, "channels"], Float64[Tensor, "channels"]]:
    """Return mean and (population) deviation of each channel over all training images, in pixels.

    With pixels m + s·x of an image, the mean square of a channel is the mean over images of
    m² + 2 m s x̄ + s² times the mean of x².

    Args:
        dataset: Dataset before cropping, whose images are normalized individually.
        crop: Side length of the center crop, of whose pixels these are; none for whole images.

    Raises:
        InputError: If a channel is the same in all pixels of all images.
    """
    images = dataset.train_inputs if crop is None else center(dataset.train_inputs, crop)
    chunks = images.split(IMAGES_PER_CHUNK)
    first = torch.cat([chunk.double().mean((2, 3)) for chunk in chunks])
    second = torch.cat([chunk.double().square().mean((2, 3)) for chunk in chunks])
    means = dataset.train_pixel_means.unsqueeze(1)
    scales = dataset.train_pixel_deviations.unsqueeze(1)
    total = (means + scales * first).mean(0)
    square = (means.square() + 2 * means * scales * first + scales.square() * second).mean(0)
    variances = square - total.square()
    if (variances <= FLAT).any():
        channel = int(variances.argmin())
        raise InputError(
            "input_normalization must not be 'each_channel' where a channel is constant, and "
            f"channel {channel} of {dataset.name} is."
        )
    return total, variances.sqrt()


def by_channels(
    dataset: Dataset,
    means: Float64[Tensor, "channels"],
    deviations: Float64[Tensor, "channels"],
) -> Dataset:
    """Shift and scale each channel of images of pixels: input = (pixel − mean) / deviation."""
    changed: dict[str, Tensor] = {}
    one = len(means) == 1
    for part in ("train", "test"):
        images = getattr(dataset, f"{part}_inputs")
        shift, scale = (values.float().view(-1, 1, 1) for values in (means, deviations))
        changed[f"{part}_inputs"] = (images - shift) / scale
        # Of several channels no one number gives the scale.
        for unit, value in (("means", means), ("deviations", deviations)):
            same = value.new_full((len(images),), value.item() if one else torch.nan)
            changed[f"{part}_pixel_{unit}"] = same
    return replace(dataset, channel_black=-means / deviations, **changed)


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
