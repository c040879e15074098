from dataclasses import replace

import pytest
import torch
from oracles.blobs import blobs
from oracles.slow_trainer import slow_batches
from torchvision.transforms import functional

from generalization.hyperparameters import Hyperparameters
from generalization.training.batches import TrainingSet, batches_of_epoch, whole_set

SEEDS = (3, 1, 4)
SAMPLES = 50


def epoch_of(data, epoch=0, skipped=0, **settings):
    hyperparameters = Hyperparameters(dataset="blobs", **settings)
    source = TrainingSet.of(data, hyperparameters, torch.device("cpu"))
    return list(batches_of_epoch(source, hyperparameters, SEEDS, epoch, skipped=skipped))


def inputs_of(batch):
    out = torch.empty(*batch.rows.shape, batch.source.inputs.shape[1])
    batch.gather(out)
    return out


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(20, [20, 20, 10]), (25, [25, 25]), (50, [50]), (999, [50])]
)
def test_an_epoch_shows_every_sample_once(batch_size, sizes):
    batches = epoch_of(blobs(), batch_size=batch_size)
    assert [len(batch) for batch in batches] == sizes
    for rows in torch.cat([batch.rows for batch in batches], dim=1):
        assert rows.sort().values.tolist() == list(range(SAMPLES))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("augmentation", ["none", "translate_flip", "flips_rotations", "crop_flip"])
def test_batches_are_those_of_each_network_alone(augmentation, channels):
    data = blobs(channels=channels)
    data = replace(data, channel_black=torch.linspace(-2, -1, channels, dtype=torch.float64))
    hyperparameters = Hyperparameters(dataset="blobs", batch_size=20, augmentation=augmentation)
    slow = [slow_batches(data, hyperparameters, seed) for seed in SEEDS]
    for epoch in range(2):
        for batch in epoch_of(data, epoch, batch_size=20, augmentation=augmentation):
            inputs = inputs_of(batch)
            for position, alone in enumerate(slow):
                its_epoch, images, labels = next(alone)
                assert its_epoch == epoch
                assert torch.equal(inputs[position], images.flatten(1))
                assert torch.equal(batch.labels[position], labels)


@pytest.mark.parametrize("augmentation", ["none", "translate_flip"])
def test_skipped_batches_change_nothing_in_the_others(augmentation):
    whole = epoch_of(blobs(), 2, batch_size=8, augmentation=augmentation)
    rest = epoch_of(blobs(), 2, skipped=4, batch_size=8, augmentation=augmentation)
    assert len(rest) == len(whole) - 4
    for one, other in zip(whole[4:], rest, strict=True):
        assert torch.equal(inputs_of(one), inputs_of(other))
        assert torch.equal(one.labels, other.labels)


def test_networks_and_epochs_have_orders_of_their_own():
    first, second = (epoch_of(blobs(), epoch, batch_size=SAMPLES)[0] for epoch in (0, 1))
    orders = torch.cat([first.rows, second.rows])
    assert len(orders.unique(dim=0)) == 6


def test_parts_are_the_batch():
    (batch,) = epoch_of(blobs(), batch_size=SAMPLES, augmentation="translate_flip")
    parts = list(batch.split(15))
    assert [len(part) for part in parts] == [15, 15, 15, 5]
    assert torch.equal(torch.cat([inputs_of(part) for part in parts], dim=1), inputs_of(batch))


def test_crops_of_pixels_are_those_of_torchvision_then_normalized():
    """As the author has them: ``RandomCrop``, ``RandomHorizontalFlip`` and ``Normalize``."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(SAMPLES, 3, 5, 6, generator=generator)
    mean, deviation = [0.3, 0.5, 0.6], [0.1, 0.2, 0.3]
    data = replace(
        blobs(channels=3, height=5, width=6),
        train_inputs=functional.normalize(pixels, mean, deviation),
        channel_black=-torch.tensor(mean).double() / torch.tensor(deviation).double(),
    )
    (batch,) = epoch_of(data, batch_size=SAMPLES, augmentation="crop_flip")
    for row, views, images in zip(batch.rows, batch.views, inputs_of(batch), strict=True):
        for number, view, seen in zip(row, views.tolist(), images, strict=True):
            place, flipped = divmod(view, 2)
            down, right = divmod(place, 9)
            crop = functional.crop(functional.pad(pixels[number], [4]), 8 - down, 8 - right, 5, 6)
            crop = functional.hflip(crop) if flipped else crop
            expected = functional.normalize(crop, mean, deviation)
            torch.testing.assert_close(seen.view(3, 5, 6), expected)


def test_padding_is_black_whatever_the_normalization_of_images():
    means, deviations = torch.full((SAMPLES,), 0.3).double(), torch.linspace(0.1, 0.4, SAMPLES)
    data = replace(
        blobs(channels=2), train_pixel_means=means, train_pixel_deviations=deviations.double()
    )
    (batch,) = epoch_of(data, batch_size=SAMPLES, augmentation="crop_flip")
    scale = deviations[batch.rows].unsqueeze(2)
    pixels = 0.3 + scale * inputs_of(batch)
    smallest = (0.3 + deviations[:, None] * data.train_inputs.flatten(1)).abs().min()
    black = pixels.abs() < 1e-6
    # Images of four pixels moved by so many are all black.
    assert smallest > 1e-5
    assert 0 < black.double().mean() < 1
    gone = batch.views // 2 % 9 % 8 == 0
    assert black[gone].all()


def test_whole_set_is_in_its_own_order():
    data = blobs()
    source = TrainingSet.of(data, Hyperparameters(dataset="blobs"), torch.device("cpu"))
    batch = whole_set(source)
    assert torch.equal(inputs_of(batch)[0], data.train_inputs.flatten(1))
    assert torch.equal(batch.labels[0], data.train_labels)
