"""Batches, in a sample order of its own for each network of a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from generalization.datasets.dataset import Dataset
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters
from generalization.randomness import generator_for
from generalization.training.augmentation import crop_views, pixel_views

LEAST_DEVIATION = 1e-4  # Of a crop of a normalized image; below, there is but rounding.


@dataclass(frozen=True)
class TrainingSet:
    """The training set on the device of training.

    Attributes:
        inputs: Inputs, one row per sample, as evaluations see them.
        labels: Labels, one per sample.
        views: Pixel indices of the views of the augmentation, or none.
        black: Value of a black pixel in each sample and channel; only where views go beyond the
            image.
        whole: Whole images of which training sees crops, one row per sample, or none.
        normalizes: Whether a crop is normalized to mean 0 and variance 1.
    """

    inputs: Float32[Tensor, "train features"]
    labels: Int64[Tensor, "train"]
    views: Int64[Tensor, "views pixels"] | None = None
    black: Float32[Tensor, "train channels"] | None = None
    whole: Float32[Tensor, "train channels whole"] | None = None
    normalizes: bool = False

    @classmethod
    def of(
        cls, data: Dataset, hyperparameters: Hyperparameters, device: torch.device
    ) -> TrainingSet:
        """Return the training set of a dataset, on a device."""
        if hyperparameters.augmentation == "random_crop":
            return cls._of_crops(data, hyperparameters, device)
        views = pixel_views(hyperparameters.augmentation, *data.train_inputs.shape[-2:])
        beyond = views is not None and views.max() >= views.shape[1]
        return cls(
            inputs=data.train_inputs.flatten(1).to(device),
            labels=data.train_labels.to(device),
            views=None if views is None else views.to(device),
            black=data.train_black.to(device) if beyond else None,
        )

    @classmethod
    def _of_crops(
        cls, data: Dataset, hyperparameters: Hyperparameters, device: torch.device
    ) -> TrainingSet:
        """Return the training set of a dataset whose images are cropped at random.

        Raises:
            InputError: If the dataset has no whole images.
        """
        whole = data.train_whole
        if whole is None:
            raise InputError(
                f"data must be what experiment_data makes of {data.name} where augmentation is "
                "'random_crop', with whole images to crop, not without."
            )
        views = crop_views(*whole.shape[-2:], data.train_inputs.shape[-1])
        return cls(
            inputs=data.train_inputs.flatten(1).to(device),
            labels=data.train_labels.to(device),
            views=views.to(device),
            whole=whole.flatten(2).to(device),
            normalizes=hyperparameters.input_normalization == "each_image",
        )


@dataclass(frozen=True)
class Batch:
    """One batch for every network of a stack.

    Attributes:
        source: Training set of the samples.
        rows: Indices of the samples in the training set.
        labels: Labels of the samples.
        views: Index of the view of each sample, or None.
        masks: Dropout masks, one per hidden layer, to multiply its activations by, or none.
        seeds: One seed per network of what a module of a user draws, or none.
    """

    source: TrainingSet
    rows: Int64[Tensor, "networks samples"]
    labels: Int64[Tensor, "networks samples"]
    views: Int64[Tensor, "networks samples"] | None = None
    masks: tuple[Float32[Tensor, "networks _ samples"], ...] = ()
    seeds: tuple[int, ...] = ()

    def __len__(self) -> int:
        """Number of samples per network."""
        return self.rows.shape[1]

    def split(self, samples: float) -> Iterator[Batch]:
        """Split the batch into parts of equal size, the last one smaller."""
        if len(self) <= samples:
            yield self
            return
        for begin in range(0, len(self), samples):
            part = slice(begin, begin + samples)
            views = None if self.views is None else self.views[:, part]
            masks = tuple(mask[..., part] for mask in self.masks)
            yield Batch(self.source, self.rows[:, part], self.labels[:, part], views, masks)

    def gather(self, out: Float32[Tensor, "networks samples features"]) -> None:
        """Write the inputs of the samples, augmented, to ``out``."""
        rows, out = self.rows.reshape(-1), out.flatten(0, 1)
        if self.views is None:
            torch.index_select(self.source.inputs, 0, rows, out=out)
            return
        pixels = self.source.views[self.views.reshape(-1)].unsqueeze(1)
        if self.source.whole is not None:
            self._gather_crops(pixels, out)
            return
        images = self.source.inputs[rows].unflatten(1, (-1, pixels.shape[-1]))
        pixels, seen = pixels.expand_as(images), out.view_as(images)
        if self.source.black is not None:
            images = torch.cat([images, self.source.black[rows].unsqueeze(2)], dim=2)
        torch.gather(images, 2, pixels, out=seen)

    def _gather_crops(
        self, pixels: Int64[Tensor, "samples 1 pixels"], out: Float32[Tensor, "samples features"]
    ) -> None:
        """Write crops of whole images to ``out``, normalized image by image if they are."""
        images = self.source.whole[self.rows.reshape(-1)]
        seen = out.unflatten(1, (images.shape[1], -1))
        torch.gather(images, 2, pixels.expand_as(seen), out=seen)
        if self.source.normalizes:
            deviations, means = torch.std_mean(out, dim=1, correction=0, keepdim=True)
            # ASSUME: a constant crop becomes 0, as TensorFlow's whitening makes it.
            out.sub_(means).div_(deviations.clamp(min=LEAST_DEVIATION))


def whole_set(source: TrainingSet) -> Batch:
    """Return the whole training set, in its stored order, for one network."""
    rows = torch.arange(len(source.labels), device=source.labels.device)
    return Batch(source, rows.unsqueeze(0), source.labels.unsqueeze(0))


def batches_of_epoch(
    source: TrainingSet,
    hyperparameters: Hyperparameters,
    seeds: Sequence[int],
    epoch: int,
    *,
    skipped: int = 0,
) -> Iterator[Batch]:
    """Yield the batches of an epoch: every sample once, in an order of its own for each network.

    Generators depend only on ensemble, seed and epoch, so that training can resume at any step.

    Args:
        source: Training set.
        hyperparameters: Hyper-parameters; ``batch_size`` and the name are used. The last batch of
            an epoch is smaller if the batch size does not divide the training set.
        seeds: One seed per network of the stack.
        epoch: Index of the epoch, from 0.
        skipped: Number of batches to skip at the beginning.

    Yields:
        Batches on the device of the training set.
    """
    name, shape = hyperparameters.name, (len(seeds), len(source.labels))

    def drawn(purpose: str, draw: Callable[..., Tensor]) -> Int64[Tensor, "networks train"]:
        numbers = torch.empty(shape, dtype=torch.long)
        for seed, row in zip(seeds, numbers, strict=True):
            draw(generator=generator_for(name, seed, purpose, epoch), out=row)
        return numbers.to(source.labels.device)

    rows, views = drawn("batches", partial(torch.randperm, shape[1])), None
    if source.views is not None:
        chances = partial(torch.randint, len(source.views), shape[1:])
        views = drawn("augmentation", chances)
    remaining = slice(skipped * hyperparameters.batch_size, None)
    rows, views = rows[:, remaining], None if views is None else views[:, remaining]
    labels = source.labels.index_select(0, rows.reshape(-1)).view_as(rows)
    yield from Batch(source, rows, labels, views).split(hyperparameters.batch_size)
