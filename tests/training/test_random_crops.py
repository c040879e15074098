"""Random crops of whole images in training, the center crop in evaluation (Zhang et al. 2017)."""

from dataclasses import replace

import pytest
import torch
from oracles.blobs import blobs
from oracles.slow_trainer import slow_batches, train_slowly
from torchvision.transforms import functional

from generalization.datasets.experiment_data import center, experiment_data
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters, contradictions
from generalization.training import architecture_for, initial_networks, train_ensemble
from generalization.training.augmentation import crop_views
from generalization.training.batches import TrainingSet, batches_of_epoch

CROPS = {"augmentation": "random_crop", "crop": 4}
NORMALIZATIONS = ["each_image", "each_channel", "none"]
SEEDS, STEPS = (3, 1), 10


def pixels(channels=2):
    """Images of 6 × 7 pixels, each with a brightness and a contrast of its own."""
    data = blobs(train=40, channels=channels, height=6, width=7)
    count = torch.arange(40.0).double()
    return replace(
        data,
        train_pixel_means=0.4 + count / 400,
        train_pixel_deviations=0.1 + count / 1000,
    )


def settings(**changes):
    return Hyperparameters(**{"dataset": "blobs", "batch_size": 16} | CROPS | changes)


def epoch_of(data, hyperparameters):
    source = TrainingSet.of(data, hyperparameters, torch.device("cpu"))
    for batch in batches_of_epoch(source, hyperparameters, SEEDS, 0):
        out = torch.empty(*batch.rows.shape, source.inputs.shape[1])
        batch.gather(out)
        yield batch, out


def test_crops_are_those_of_torchvision():
    image = torch.rand(3, 6, 7)
    views = crop_views(6, 7, 4)
    assert views.shape == (3 * 4, 16)
    for place, view in enumerate(views):
        top, left = divmod(place, 4)
        expected = functional.crop(image, top, left, 4, 4)
        assert torch.equal(image.flatten(1)[:, view].view(3, 4, 4), expected)
    of_cifar = crop_views(32, 32, 28)
    assert of_cifar.shape == (25, 784)
    middle = center(torch.arange(1024.0).view(1, 1, 32, 32), 28).flatten()
    assert torch.equal(of_cifar[12], middle.long())


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_batches_hold_crops_of_pixels_that_are_then_normalized(normalization):
    raw = pixels()
    hyperparameters = settings(input_normalization=normalization)
    data = experiment_data(raw, hyperparameters)
    units = raw.train_pixel_means, raw.train_pixel_deviations
    mean, deviation = (one.float().view(-1, 1, 1, 1) for one in units)
    whole = mean + deviation * raw.train_inputs
    middle = center(whole, 4)
    for batch, inputs in epoch_of(data, hyperparameters):
        for network, rows in enumerate(batch.rows):
            for place, (row, view) in enumerate(zip(rows, batch.views[network], strict=True)):
                top, left = divmod(view.item(), 4)
                crop = functional.crop(whole[row], top, left, 4, 4)
                if normalization == "each_image":
                    crop = (crop - crop.mean()) / crop.std(correction=0)
                elif normalization == "each_channel":
                    of_all = middle.mean((0, 2, 3)), middle.std((0, 2, 3), correction=0)
                    crop = functional.normalize(crop, *map(torch.Tensor.tolist, of_all))
                torch.testing.assert_close(
                    inputs[network, place], crop.flatten(), rtol=1e-4, atol=1e-4
                )


def test_all_crops_are_seen_and_the_center_is_evaluated():
    hyperparameters = settings(crop=5)
    raw = blobs(train=600, height=6, width=7)
    data = experiment_data(raw, hyperparameters)
    views = torch.cat([batch.views.flatten() for batch, _ in epoch_of(data, hyperparameters)])
    assert views.bincount(minlength=6).min() > 150
    plain = experiment_data(raw, Hyperparameters(dataset="blobs", crop=5))
    for name in ("train_inputs", "test_inputs", "train_labels"):
        assert torch.equal(getattr(data, name), getattr(plain, name))
    assert plain.train_whole is None
    assert torch.equal(data.train_whole, raw.train_inputs)


def test_batches_are_those_of_each_network_alone():
    hyperparameters = settings()
    data = experiment_data(pixels(), hyperparameters)
    slow = [slow_batches(data, hyperparameters, seed) for seed in SEEDS]
    for batch, inputs in epoch_of(data, hyperparameters):
        for position, alone in enumerate(slow):
            _, images, labels = next(alone)
            torch.testing.assert_close(inputs[position], images.flatten(1))
            assert torch.equal(batch.labels[position], labels)


@pytest.mark.parametrize(
    "kind",
    [
        {"width": 7, "activation": "tanh"},
        {"architecture": "convolutional", "depth": 3, "width": 40, "train_size": 30},
    ],
    ids=str,
)
def test_every_step_is_that_of_the_slow_trainer(kind):
    hyperparameters = settings(
        max_steps=STEPS, stop_at_accuracy=None, kept_steps=tuple(range(STEPS)), **kind
    )
    data = experiment_data(pixels(), hyperparameters)
    kept = train_ensemble(data, hyperparameters, SEEDS).kept
    for position, seed in enumerate(SEEDS):
        initial = initial_networks(architecture_for(data, hyperparameters), hyperparameters, [seed])
        slow = train_slowly(data, hyperparameters, seed, initial, STEPS)
        for networks, expected in zip(kept.networks, slow, strict=True):
            ours = [tensor[position] for tensor in networks.tensors.values()]
            torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4)


def test_a_constant_crop_is_zero():
    images = torch.zeros(2, 1, 6, 6)
    images[:, :, 0, 0], images[:, :, 3, 2] = 1.0, 3.0
    data = replace(
        blobs(train=2, height=4, width=4),
        train_whole=(images - images.mean()) / images.std(correction=0),
    )
    hyperparameters = settings(crop=2)
    data = replace(data, train_inputs=data.train_inputs[:, :, :2, :2])
    for epoch in range(4):
        source = TrainingSet.of(data, hyperparameters, torch.device("cpu"))
        for batch in batches_of_epoch(source, hyperparameters, SEEDS, epoch):
            out = torch.empty(*batch.rows.shape, 4)
            batch.gather(out)
            assert out.isfinite().all()


def test_data_without_whole_images_is_refused():
    sentence = (
        r"^data must be what experiment_data makes of blobs where augmentation is 'random_crop', "
        r"with whole images to crop, not without\.$"
    )
    with pytest.raises(InputError, match=sentence):
        train_ensemble(blobs(), settings(max_steps=2), SEEDS)


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"crop": None}, "crop must be given where augmentation is 'random_crop', not null."),
        (
            {"randomization": "gaussian"},
            "augmentation must not be 'random_crop' where randomization is 'gaussian', which "
            "replaces the pixels of the center crop.",
        ),
    ],
)
def test_impossible_crops(chosen, sentence):
    assert list(contradictions(settings(**chosen), 100)) == [sentence]


def test_labels_may_be_random():
    assert not list(contradictions(settings(randomization="random_labels"), 100))
