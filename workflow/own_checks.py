"""Checks of what the networks of a user share, before any is measured. Imports no torch.

Factories are imported and data are read in a process of their own, again where they have changed;
what was found is kept in ``results/manifests``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from fingerprint import fingerprint
from own_code import answer_of, code_of, state_of
from schema import listed

from generalization.files import written_whole
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
    codes = {factory: code_of(factory, tuple(folders)) for factory in factories}
    states = [state_of(source, folders) for source in sources]
    state = {"code": fingerprint(SCRIPT), "codes": codes, "states": states, **request}
    state = json.loads(json.dumps(state))
    kept = KEPT / f"{short_hash({'manifest': manifest})}.json"
    try:
        known = json.loads(kept.read_text())
    except (OSError, ValueError):
        known = {}
    if known.get("state") != state:
        shapes = answer_of(SCRIPT, request, f"data must be readable, but {listed(sources)}")
        with written_whole(kept) as beside:
            beside.write_text(json.dumps({"state": state, "shapes": shapes}))
