"""Small images of a few classes that a small network tells apart."""

import torch

from generalization.datasets.dataset import Dataset


def blobs(train=50, test=30, channels=1, height=4, width=4, classes=3, noise=1.0, seed=0):
    """Class means plus noise, each image normalized."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(classes, channels, height, width, generator=generator)

    def part(count):
        labels = torch.randint(classes, (count,), generator=generator)
        images = means[labels] + noise * torch.randn(
            count, channels, height, width, generator=generator
        )
        flat = images.flatten(1)
        flat = (flat - flat.mean(1, keepdim=True)) / flat.std(1, correction=0, keepdim=True)
        return flat.view_as(images), labels

    train_inputs, train_labels = part(train)
    test_inputs, test_labels = part(test)
    return Dataset(
        name="blobs",
        classes=classes,
        train_inputs=train_inputs,
        train_labels=train_labels,
        test_inputs=test_inputs,
        test_labels=test_labels,
    )
