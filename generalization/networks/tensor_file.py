"""Tensors and a description of them on disk: safetensors, which cannot execute code."""

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

# The only key of the metadata: safetensors writes several in random order, so that the same
# networks would make files of different bytes.
DESCRIPTION = "description"


def write_tensors(
    path: Path | str, tensors: Mapping[str, Tensor], description: Mapping[str, Any]
) -> None:
    """Write tensors, whole or not at all; the same content makes the same bytes.

    Args:
        tensors: By name.
        description: Stored as JSON, in this order, in the metadata ``description``.
    """
    metadata = {DESCRIPTION: json.dumps(description)}
    with written_whole(path) as beside:
        save_file(dict(tensors), beside, metadata=metadata)


def read_tensors(
    path: Path | str, device: torch.device | str = "cpu"
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what ``write_tensors`` wrote.

    Args:
        path: The file.
        device: Where the tensors shall be.

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
