"""Inputs that a user gives in memory: tensors, arrays, a ``Dataset`` or a ``DataLoader``.

Args:
    key: Name of the argument, for sentences.
    data: Inputs, or inputs and labels.
    samples: Number of points after which no further batch is read; all are by default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from inspect import getfile
from traceback import format_exception
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from generalization.errors import InputError
from generalization.refusals import with_article

LONGEST = 60  # Characters of labels in a sentence.
Data = Any  # A tensor, an array, a Dataset or a DataLoader.


def usable(key: str, tensor: Tensor) -> Tensor:
    """Return a tensor that functions of torch take, and may save for derivatives.

    Args:
        tensor: A tensor, of which a copy is returned if it was made in ``torch.inference_mode``.

    Raises:
        InputError: If it is sparse, nested, quantized, or without numbers.
    """
    faults = {
        "that is nested": tensor.is_nested,
        "that is quantized": tensor.is_quantized,
        "on the device meta": tensor.is_meta,
        f"of {tensor.layout}": tensor.layout != torch.strided,
    }
    for fault, found in faults.items():
        if found:
            raise InputError(f"{key} must be a dense tensor of numbers, not one {fault}.")
    return tensor.clone() if tensor.is_inference() else tensor


def as_tensor(key: str, values: Data) -> Tensor:
    """Return a tensor; arrays are copied where torch cannot share their strides.

    Raises:
        InputError: If they are not numbers, or masked.
    """
    if isinstance(values, Tensor):
        return usable(key, values)
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(
            f"{key} must be a plain array, not a masked one, whose mask would be ignored: filled() "
            "gives a plain one."
        )
    try:
        return torch.from_numpy(np.ascontiguousarray(values))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{key} must be numbers, not {type(values).__name__} ({error})."
        ) from error


def collected(key: str, data: Data, labels: Data, samples: int | None) -> tuple[Tensor, Data]:
    """Return the inputs and labels of a pair, a ``Dataset`` or a ``DataLoader``.

    Args:
        labels: Labels that are given beside the inputs, which count more than those of a pair.

    Raises:
        InputError: If it is nothing of that kind, or gives no tensors of one shape.
    """
    if isinstance(data, tuple) and len(data) == 2:
        return as_tensor(key, data[0]), data[1] if labels is None else labels
    if isinstance(data, Dataset):
        data = DataLoader(data, batch_size=256)
    if not isinstance(data, DataLoader):
        raise InputError(
            f"{key} must be a tensor, an array, a pair of inputs and labels, a Dataset or a "
            f"DataLoader, not {with_article(type(data).__name__)}."
        )
    inputs, found, count = [], [], 0
    for batch in _batches(key, data):
        pair = batch if isinstance(batch, list | tuple) else [batch]
        if not pair or not isinstance(pair[0], Tensor) or not pair[0].dim():
            raise InputError(
                f"{key} must give batches of inputs, or pairs of inputs and labels, not "
                f"{with_article(type(pair[0] if pair else pair).__name__)}."
            )
        inputs.append(pair[0])
        found += pair[1:2]
        count += len(pair[0])
        if samples is not None and count >= samples:
            break
    if not inputs:
        raise InputError(f"{key} must hold at least one input, not none.")
    if labels is None and len(found) == len(inputs):
        for one in found:
            if not isinstance(one, Tensor) or not one.dim():
                raise InputError(
                    f"labels of {key} must be a tensor of integers in every batch, not "
                    f"{repr(one)[:LONGEST]}."
                )
        labels = _joined(f"labels of {key}", found)
    return _joined(key, inputs), labels


def _batches(key: str, loader: DataLoader) -> Iterator[Any]:
    """Yield batches.

    Args:
        loader: Loader of the data.

    Raises:
        InputError: If items cannot be stacked; an error within code of the user is told with its
            traceback.
    """
    try:
        yield from loader
    except Exception as error:
        # Workers tell of their errors in words.
        if getfile(default_collate) not in "".join(format_exception(error)):
            raise
        said = re.sub(r"^\w+Error: ", "", str(error).strip().splitlines()[-1]).rstrip(".")
        raise InputError(
            f"{key} must give tensors of one shape, or pairs of them with integers as labels, but "
            f"its items cannot be stacked: {said}."
        ) from error


def _joined(key: str, batches: Sequence[Tensor]) -> Tensor:
    """Return batches in one tensor.

    Raises:
        InputError: If one has another shape.
    """
    for batch in batches:
        if batch.shape[1:] != batches[0].shape[1:]:
            raise InputError(
                f"{key} must have one shape, not {tuple(batches[0].shape[1:])} and "
                f"{tuple(batch.shape[1:])}."
            )
    return usable(key, torch.cat(list(batches)))
