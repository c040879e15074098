"""Files of tensors with a description: safetensors, which cannot execute code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
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
        tensors: By name.
        description: Stored as JSON, in this order, in the metadata ``description``, with the
            ``sha256`` of all that the file holds as its last entry.
    """
    described = json.dumps(description)
    whole = {**description, "sha256": _sha256(described, tensors)}
    metadata = {DESCRIPTION: json.dumps(whole)}
    size = sum(tensor.nbytes for tensor in tensors.values())
    with written_whole(path, size) as beside:
        save_file(dict(tensors), beside, metadata=metadata)


def read_tensors(
    path: Path | str, device: torch.device | str = "cpu"
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what ``write_tensors`` wrote, and verify it.

    Args:
        path: File written by ``write_tensors``.
        device: Device of the tensors.

    Returns:
        The description, without its ``sha256``, and the tensors.

    Raises:
        ValueError: If the file has no description that is a JSON object, or another content than
            was written.
    """
    with safe_open(path, framework="pt", device=str(device)) as file:
        description = json.loads((file.metadata() or {}).get(DESCRIPTION, "null"))
        if not isinstance(description, dict):
            raise ValueError(f"its metadata {DESCRIPTION!r} must be a JSON object")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    written = description.pop("sha256", None)
    if written != _sha256(json.dumps(description), tensors):
        raise ValueError("its content is not that of which its sha256 was taken")
    return description, tensors


def _sha256(described: str, tensors: Mapping[str, Tensor]) -> str:
    """Return the digest of a description and of the names, types, shapes and bytes of tensors."""
    digest = sha256(described.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy())
    return digest.hexdigest()
