"""Checks of what the networks of a user share, before any is measured. Imports no torch.

Factories are imported and data are read in a process of their own, again where they have changed;
what was found is kept in ``results/manifests``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fingerprint import fingerprint
from own_code import code_of, kept_answer, state_of
from schema import listed

from generalization.hyperparameters import short_hash

KEPT = Path("results/manifests")
SCRIPT = "workflow/check_own_networks.py"


def check_shared(
    manifest: str,
    factories: Mapping[str, tuple[str, int]],
    sources: Sequence[str],
    folders: Sequence[str],
) -> None:
    """Import the factories and read the data, once.

    Args:
        manifest: File that has the rows of the networks.
        factories: Factory → group and seed of the first network that it builds.
        sources: Sources of the training data and of the test data.
        folders: Folders in which modules of the user are looked for.

    Raises:
        InputError: If that fails.
    """  # noqa: DOC502
    request = {
        "manifest": manifest,
        "factories": dict(factories),
        "data": dict(zip(("train", "test"), sources, strict=True)),
        "folders": list(folders),
    }
    state = {
        "code": fingerprint(SCRIPT),
        "codes": {factory: code_of(factory, tuple(folders)) for factory in factories},
        "states": [state_of(source, folders) for source in sources],
    }
    kept = KEPT / f"{short_hash({'manifest': manifest})}.json"
    kept_answer(kept, SCRIPT, request, f"data must be readable, but {listed(sources)}", state=state)
