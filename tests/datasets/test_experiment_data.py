import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from generalization.datasets.dataset import Dataset
from generalization.datasets.experiment_data import RANDOMIZATIONS, experiment_data
from generalization.datasets.normalization import normalized_images, pixel_units
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters

FIELDS = ("train_inputs", "train_labels", "test_inputs", "test_labels")


def toy(train=60, test=30, shape=(2, 6, 5), classes=10):
    """A dataset of noise images; classes have unequal sizes."""
    generator = np.random.default_rng(0)
    inputs = [normalized_images(generator.random((n, *shape))) for n in (train, test)]
    labels = [np.sqrt(generator.integers(classes**2, size=n)).astype(int) for n in (train, test)]
    return Dataset(
        name="toy",
        classes=classes,
        train_inputs=torch.from_numpy(inputs[0]),
        train_labels=torch.from_numpy(labels[0]),
        test_inputs=torch.from_numpy(inputs[1]),
        test_labels=torch.from_numpy(labels[1]),
    )


def changed(dataset, **hyperparameters):
    return experiment_data(dataset, Hyperparameters(dataset="toy", **hyperparameters))


def with_pixels(train=60, test=30, shape=(2, 6, 5), white=16):
    """The toy dataset of raw images with their units, and these images from 0 to 1."""
    generator = np.random.default_rng(1)
    raw = {
        part: generator.integers(white + 1, size=(count, *shape), dtype=np.uint8)
        for part, count in (("train", train), ("test", test))
    }
    changes = {}
    for part, images in raw.items():
        means, deviations = map(torch.from_numpy, pixel_units(images, white=white))
        changes |= {f"{part}_pixel_means": means, f"{part}_pixel_deviations": deviations}
        changes[f"{part}_inputs"] = torch.from_numpy(normalized_images(images))
    pixels = {part: torch.from_numpy(images / white).float() for part, images in raw.items()}
    return replace(toy(train, test, shape), **changes), pixels


def columns(images):
    """The pixels of one image as a sorted list of tuples of channels."""
    return sorted(map(tuple, images.flatten(1).T.tolist()))


def test_defaults_change_nothing():
    dataset = toy()
    same = changed(dataset)
    assert (same.name, same.classes) == ("toy", 10)
    for field in FIELDS:
        torch.testing.assert_close(getattr(same, field), getattr(dataset, field), rtol=0, atol=0)


@pytest.mark.parametrize("randomization", RANDOMIZATIONS)
def test_smaller_training_set_is_the_beginning_of_the_larger(randomization):
    dataset = toy()
    chosen = {"randomization": randomization, "crop": 3}
    chosen |= {} if randomization == "random_labels" else {"label_corruption": 0.5}
    large, small = changed(dataset, **chosen), changed(dataset, train_size=7, **chosen)
    assert len(small.train_inputs) == 7
    assert torch.equal(small.train_inputs, large.train_inputs[:7])
    assert torch.equal(small.train_labels, large.train_labels[:7])
    assert torch.equal(small.test_inputs, large.test_inputs)


@pytest.mark.parametrize("randomization", RANDOMIZATIONS)
def test_test_labels_are_true_and_images_normalized(randomization):
    dataset = toy()
    data = changed(dataset, randomization=randomization, crop=4)
    assert torch.equal(data.test_labels, dataset.test_labels)
    for images in (data.train_inputs, data.test_inputs):
        assert images.shape[1:] == (2, 4, 4)
        torch.testing.assert_close(images.mean((1, 2, 3)), torch.zeros(len(images)))
        torch.testing.assert_close(images.square().mean((1, 2, 3)), torch.ones(len(images)))


@pytest.mark.parametrize("randomization", RANDOMIZATIONS)
def test_numbers_never_change_between_calls_and_are_left_alone(randomization):
    dataset = toy()
    copy = dataset.train_inputs.clone()
    first, second = (changed(dataset, randomization=randomization) for _ in range(2))
    for field in FIELDS:
        assert torch.equal(getattr(first, field), getattr(second, field))
    assert torch.equal(dataset.train_inputs, copy)


def test_crop_of_normalized_images_is_normalized_crop_of_raw_images():
    raw = np.random.default_rng(1).integers(256, size=(90, 2, 6, 5), dtype=np.uint8)
    normalized = torch.from_numpy(normalized_images(raw))
    dataset = replace(toy(), train_inputs=normalized[:60], test_inputs=normalized[60:])
    data = changed(dataset, crop=2)
    expected = torch.from_numpy(normalized_images(raw[:, :, 2:4, 1:3]))
    torch.testing.assert_close(data.train_inputs, expected[:60])
    torch.testing.assert_close(data.test_inputs, expected[60:])


def test_raw_inputs_are_pixels():
    dataset, pixels = with_pixels()
    data = changed(dataset, input_normalization="none", train_size=7)
    torch.testing.assert_close(data.train_inputs, pixels["train"][:7])
    torch.testing.assert_close(data.test_inputs, pixels["test"])
    assert data.train_inputs.dtype == torch.float32
    for part, count in (("train", 7), ("test", 30)):
        assert getattr(data, f"{part}_pixel_deviations").tolist() == [1] * count
        assert getattr(data, f"{part}_pixel_means").tolist() == [0] * count
    assert torch.equal(data.train_labels, dataset.train_labels[:7])


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_are_normalized_over_all_training_images_as_torchvision_does(channels):
    dataset, pixels = with_pixels(shape=(channels, 6, 5))
    data = changed(dataset, input_normalization="each_channel", train_size=7)
    mean, deviation = pixels["train"].mean((0, 2, 3)), pixels["train"].std((0, 2, 3), correction=0)
    for part, count in (("train", 7), ("test", 30)):
        expected = functional.normalize(pixels[part][:count], mean.tolist(), deviation.tolist())
        torch.testing.assert_close(getattr(data, f"{part}_inputs"), expected)
        # In several channels a unit of input is not the same number of pixels.
        scale = getattr(data, f"{part}_pixel_deviations")
        assert scale.tolist() == pytest.approx(
            [deviation.item() if channels == 1 else np.nan] * count, nan_ok=True
        )
    black = functional.normalize(torch.zeros(channels, 1, 1), mean.tolist(), deviation.tolist())
    torch.testing.assert_close(data.train_black, black.flatten().expand(7, -1))


def test_channels_of_crops_and_of_shuffled_images_are_normalized_over_what_is_seen():
    dataset, pixels = with_pixels()
    chosen = {"input_normalization": "each_channel", "crop": 4}
    cropped = pixels["train"][:, :, 1:5, :4]
    data = changed(dataset, **chosen)
    torch.testing.assert_close(data.train_inputs.mean((0, 2, 3)), torch.zeros(2))
    torch.testing.assert_close(data.train_inputs.std((0, 2, 3), correction=0), torch.ones(2))
    deviations = cropped.std((0, 2, 3), correction=0, keepdim=True)
    expected = (cropped - cropped.mean((0, 2, 3), keepdim=True)) / deviations
    torch.testing.assert_close(data.train_inputs, expected)
    moved = changed(dataset, randomization="shuffled_pixels", **chosen)
    for before, after in zip(data.test_inputs, moved.test_inputs, strict=True):
        assert columns(after) == pytest.approx(np.array(columns(before)), abs=1e-5)


def test_black_pixels_of_images_normalized_one_by_one():
    dataset, pixels = with_pixels()
    assert torch.equal(changed(dataset, input_normalization="none").train_black, torch.zeros(60, 2))
    black = changed(dataset).train_black
    images = pixels["train"].flatten(1)
    expected = -images.mean(1) / images.std(1, correction=0)
    torch.testing.assert_close(black, expected.unsqueeze(1).expand(-1, 2))


def test_constant_channels_are_refused():
    dataset, _ = with_pixels()
    images = dataset.train_inputs.clone()
    images[:, 1] = -dataset.train_pixel_means[:, None, None].div(
        dataset.train_pixel_deviations[:, None, None]
    )
    with pytest.raises(
        InputError,
        match=r"^input_normalization must not be 'each_channel' where a channel is constant, and "
        r"channel 1 of toy is\.$",
    ):
        changed(replace(dataset, train_inputs=images), input_normalization="each_channel")


def test_units_of_normalized_inputs_give_pixels_after_crop_and_randomization():
    """Cropped and shuffled normalized images are those of pixels, image by image."""
    dataset, pixels = with_pixels()
    data = changed(dataset, crop=4, train_size=9)
    for part, count in (("train", 9), ("test", 30)):
        means, deviations, inputs = (
            getattr(data, f"{part}_{name}")
            for name in ("pixel_means", "pixel_deviations", "inputs")
        )
        there = means[:, None] + deviations[:, None] * inputs.flatten(1)
        expected = pixels[part][:count, :, 1:5, :4].flatten(1).double()
        torch.testing.assert_close(there, expected, rtol=0, atol=1e-6)
    raw = changed(dataset, crop=4, input_normalization="none")
    torch.testing.assert_close(raw.test_inputs, pixels["test"][:, :, 1:5, :4])


@pytest.mark.parametrize("randomization", ["shuffled_pixels", "random_pixels"])
def test_moved_pixels_are_pixels_of_the_image(randomization):
    dataset, pixels = with_pixels(train=10)
    data = changed(dataset, randomization=randomization, input_normalization="none")
    for before, after in zip(pixels["train"], data.train_inputs, strict=True):
        assert columns(after) == pytest.approx(np.array(columns(before)), abs=1e-6)


def test_gaussian_images_have_the_brightness_and_contrast_of_those_they_replace():
    dataset, pixels = with_pixels()
    data = changed(dataset, randomization="gaussian", input_normalization="none")
    for part, inputs in (("train", data.train_inputs), ("test", data.test_inputs)):
        before, after = pixels[part].flatten(1), inputs.flatten(1)
        torch.testing.assert_close(after.mean(1), before.mean(1))
        torch.testing.assert_close(after.std(1), before.std(1))


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 1.0])
def test_fraction_of_wrong_labels(probability):
    """p(1 − 1/K) of them, to five standard deviations."""
    dataset = toy(train=20_000, test=1, shape=(1, 1, 2), classes=5)
    data = changed(dataset, label_corruption=probability)
    wrong = (data.train_labels != dataset.train_labels).double().mean().item()
    expected = probability * (1 - 1 / 5)
    assert abs(wrong - expected) <= 5 * (expected * (1 - expected) / 20_000) ** 0.5


def test_random_labels_are_uniform_and_independent_of_the_true_ones():
    dataset = toy(train=20_000, test=1, shape=(1, 1, 2), classes=5)
    data = changed(dataset, randomization="random_labels")
    pairs = (5 * dataset.train_labels + data.train_labels).bincount(minlength=25).view(5, 5)
    expected = pairs.sum(1, keepdim=True) / 5.0
    deviation = (pairs - expected).abs() / (expected * (1 - 1 / 5)).sqrt()
    assert deviation.max() < 5
    assert torch.equal(data.train_labels, changed(dataset, label_corruption=1.0).train_labels)
    assert torch.equal(data.train_inputs, dataset.train_inputs)


def test_label_wrong_at_a_small_probability_is_as_wrong_at_a_larger():
    dataset = toy(train=5000, test=1, shape=(1, 1, 2))
    labels = [
        changed(dataset, label_corruption=probability).train_labels
        for probability in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    for lower, higher in pairwise(labels):
        wrong = lower != dataset.train_labels
        assert torch.equal(higher[wrong], lower[wrong])
        assert (lower != higher).sum() > 1000


def test_label_corruption_is_fixed_for_ever():
    dataset = replace(toy(train=12), train_labels=torch.zeros(12, dtype=torch.int64))
    half, all_ = (changed(dataset, label_corruption=p).train_labels.tolist() for p in (0.5, 1.0))
    assert half == [6, 0, 0, 5, 0, 0, 0, 5, 0, 8, 2, 0]
    assert all_ == [6, 5, 2, 5, 8, 0, 3, 5, 1, 8, 2, 1]


def test_one_permutation_shuffles_the_pixels_of_all_images():
    dataset = toy(train=40, test=20)
    shuffled = changed(dataset, randomization="shuffled_pixels")
    numbers = torch.arange(30.0).expand(1, 2, 30).view(1, 2, 6, 5)
    numbered = replace(toy(train=1), train_inputs=numbers)
    order = changed(numbered, randomization="shuffled_pixels").train_inputs[0, 0].flatten().long()
    assert sorted(order.tolist()) == list(range(30))
    assert order.tolist() != list(range(30))
    for part in ("train_inputs", "test_inputs"):
        before, after = getattr(dataset, part).flatten(2), getattr(shuffled, part).flatten(2)
        assert torch.equal(after[:, :, order.argsort()], before)


def test_shuffled_pixels_are_the_same_to_a_fully_connected_network():
    """Inner products of images, training with test ones too, are all it has to learn from."""
    dataset = toy()
    shuffled = changed(dataset, randomization="shuffled_pixels")
    before = dataset.train_inputs.flatten(1) @ dataset.test_inputs.flatten(1).T
    after = shuffled.train_inputs.flatten(1) @ shuffled.test_inputs.flatten(1).T
    torch.testing.assert_close(after, before, rtol=0, atol=1e-4)


def test_every_image_has_random_pixels_of_its_own():
    numbers = torch.arange(6.0) + 10 * torch.arange(2.0)[:, None]
    images = numbers.view(1, 2, 2, 3).expand(3000, -1, -1, -1)
    dataset = replace(toy(train=3000, test=3000), train_inputs=images, test_inputs=images)
    data = changed(dataset, randomization="random_pixels")
    orders = torch.cat([data.train_inputs, data.test_inputs]).flatten(2)
    assert torch.equal(orders[:, 1], orders[:, 0] + 10)  # channels stay together
    assert torch.equal(orders[:, 0].sort().values, numbers[0].expand(6000, 6))
    # All 720 orders are equally frequent: chi² with 719 degrees of freedom, to 5 deviations.
    codes = (orders[:, 0].long() * 6 ** torch.arange(6)).sum(1)
    counts = codes.unique(return_counts=True)[1].double()
    chi2 = ((counts - 6000 / 720) ** 2 / (6000 / 720)).sum() + (720 - len(counts)) * 6000 / 720
    assert abs(chi2 - 719) < 5 * (2 * 719) ** 0.5
    assert not torch.equal(data.train_inputs, data.test_inputs)


def test_random_pixels_are_those_of_the_image():
    dataset = toy(train=10)
    data = changed(dataset, randomization="random_pixels")
    for before, after in zip(dataset.train_inputs, data.train_inputs, strict=True):
        assert columns(before) == columns(after)


def test_gaussian_images_are_uniform_on_the_sphere():
    """Closed form: E z⁴ = 3(d − 1)/(d + 1), E z_i z_j = −1/(d − 1), after normalization."""
    data = changed(toy(train=4000, test=4000, shape=(1, 3, 3)), randomization="gaussian")
    images = torch.cat([data.train_inputs, data.test_inputs]).flatten(1).double()
    fourth = images.pow(4).mean(1)
    assert abs(fourth.mean() - 3 * 8 / 10) < 5 * fourth.std() / len(images) ** 0.5
    products = images.T @ images / len(images)
    expected = torch.full((9, 9), -1 / 8, dtype=torch.float64).fill_diagonal_(1)
    assert (products - expected).abs().max() < 5 * 1.4**0.5 / len(images) ** 0.5
    assert not torch.equal(data.train_inputs, data.test_inputs)


@pytest.mark.parametrize(
    ("hyperparameters", "sentence"),
    [
        (
            {"train_size": 61},
            "train_size must be from 1 to the 60 training images of toy, not 61.",
        ),
        ({"train_size": 0}, "train_size must be from 1 to the 60 training images of toy, not 0."),
        ({"crop": 6}, "crop must be from 1 to the 5 pixels of toy, not 6."),
        ({"crop": 0}, "crop must be from 1 to the 5 pixels of toy, not 0."),
        (
            {"input_normalization": "dataset"},
            "input_normalization must be one of each_image, each_channel, none, not 'dataset'.",
        ),
        (
            {"randomization": "noise"},
            "randomization must be one of none, random_labels, shuffled_pixels, random_pixels, "
            "gaussian, not 'noise'.",
        ),
        ({"label_corruption": 1.5}, "label_corruption must be from 0 to 1, not 1.5."),
        ({"label_corruption": -0.1}, "label_corruption must be from 0 to 1, not -0.1."),
        (
            {"randomization": "random_labels", "label_corruption": 0.5},
            "label_corruption must be 0 where randomization is 'random_labels', which is "
            "corruption 1, not 0.5.",
        ),
    ],
)
def test_impossible_values(hyperparameters, sentence):
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        changed(toy(), **hyperparameters)


def test_crop_that_leaves_nothing_to_normalize():
    with pytest.raises(InputError, match=r"^crop must leave no image constant, and 1 does\.$"):
        changed(toy(shape=(1, 4, 4)), crop=1)


MATRIX = [[0.7, 0.2, 0.1], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]


@pytest.mark.parametrize("probability", [0, 0.01, 0.125, 0.3, 0.95, 1])
@pytest.mark.parametrize("size", [None, 37])
def test_exact_noise_changes_exactly_so_many_labels(probability, size):
    dataset = toy()
    noisy = changed(dataset, label_corruption=probability, label_noise="exact", train_size=size)
    true = dataset.train_labels[:size]
    assert (noisy.train_labels != true).sum() == round(probability * len(true))
    assert torch.equal(noisy.test_labels, dataset.test_labels)


@pytest.mark.parametrize("noise", ["exact", "other_class"])
def test_all_other_classes_are_equally_likely_and_the_true_one_never_is(noise):
    dataset = toy(train=20_000, shape=(1, 1, 2), classes=4)
    noisy = changed(dataset, label_corruption=1, label_noise=noise).train_labels
    for true in range(4):
        counts = noisy[dataset.train_labels == true].bincount(minlength=4)
        expected = counts.sum().item() / 3
        assert counts[true] == 0
        others = [count for label, count in enumerate(counts.tolist()) if label != true]
        assert others == [pytest.approx(expected, abs=5 * expected**0.5)] * 3


def test_other_class_replaces_with_the_probability():
    dataset = toy(train=20_000, shape=(1, 1, 2), classes=4)
    noisy = changed(dataset, label_corruption=0.3, label_noise="other_class").train_labels
    share = (noisy != dataset.train_labels).double().mean().item()
    assert share == pytest.approx(0.3, abs=5 * (0.3 * 0.7 / 20_000) ** 0.5)


@pytest.mark.parametrize("probability", [0.25, 1])
def test_class_frequencies_are_those_of_the_matrix(probability):
    dataset = toy(train=20_000, shape=(1, 1, 2), classes=3)
    settings = {"label_noise": "class_matrix", "label_matrix": MATRIX}
    noisy = changed(dataset, label_corruption=probability, **settings).train_labels
    for true, row in enumerate(MATRIX):
        labels = noisy[dataset.train_labels == true]
        chances = probability * np.array(row) + (1 - probability) * (np.arange(3) == true)
        shares = labels.bincount(minlength=3).numpy() / len(labels)
        assert (shares[chances == 0] == 0).all()
        errors = np.sqrt(chances * (1 - chances) / len(labels))
        assert (abs(shares - chances) <= 5 * errors + 1e-12).all()


@pytest.mark.parametrize("noise", ["exact", "other_class", "class_matrix"])
def test_more_noise_keeps_the_replacements_of_less(noise):
    matrix = MATRIX if noise == "class_matrix" else None
    dataset = toy(train=200, classes=3)
    less, more = (
        changed(dataset, label_corruption=p, label_noise=noise, label_matrix=matrix).train_labels
        for p in (0.2, 0.6)
    )
    replaced = less != dataset.train_labels
    assert 0 < replaced.sum() < (more != dataset.train_labels).sum()
    assert torch.equal(less[replaced], more[replaced])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"label_noise": "some"},
            "label_noise must be one of uniform, other_class, exact, class_matrix, not 'some'.",
        ),
        (
            {"label_noise": "class_matrix"},
            "label_matrix must be given where label_noise is 'class_matrix', not null.",
        ),
        (
            {"label_matrix": MATRIX},
            "label_matrix must be null where label_noise is 'uniform', not a matrix.",
        ),
        (
            {"label_noise": "class_matrix", "label_matrix": [[1, 0], [0, 1]]},
            "label_matrix must have 3 rows of 3 numbers, one per class, not 2 rows and 2 numbers "
            "in row 0.",
        ),
        (
            {"label_noise": "class_matrix", "label_matrix": [*MATRIX[:2], [0.5, 0, 0]]},
            "label_matrix must have rows of probabilities whose sum is 1, but row 2 is "
            "[0.5, 0.0, 0.0].",
        ),
        (
            {"label_noise": "exact", "randomization": "random_labels"},
            "label_noise must be 'uniform' where randomization is 'random_labels', not 'exact'.",
        ),
    ],
)
def test_impossible_label_noise(settings, sentence):
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        changed(toy(classes=3), **settings)
