"""Files of tensors with a description: safetensors, which cannot execute code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from generalization.files import written_whole

# The only key of the metadata: safetensors writes several keys in random order, so that equal
# networks would give different bytes.
DESCRIPTION = "description"


def write_tensors(
    path: Path | str, tensors: Mapping[str, Tensor], description: Mapping[str, Any]
) -> None:
    """Write tensors atomically; equal content gives equal bytes.

    Args:
        tensors: Tensors by name.
        description: Object stored as JSON, in this order, in the metadata ``description``.
    """
    metadata = {DESCRIPTION: json.dumps(description)}
    with written_whole(path) as beside:
        save_file(dict(tensors), beside, metadata=metadata)


def read_tensors(
    path: Path | str, device: torch.device | str = "cpu"
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the tensors and the description of a file.

    Args:
        path: File written by ``write_tensors``.
        device: Device of the tensors.

    Returns:
        The description and the tensors.

    Raises:
        ValueError: If the file has no description that is a JSON object.
    """
    with safe_open(path, framework="pt", device=str(device)) as file:
        description = json.loads((file.metadata() or {}).get(DESCRIPTION, "null"))
        if not isinstance(description, dict):
            raise ValueError(f"its metadata {DESCRIPTION!r} must be a JSON object")
        return description, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
