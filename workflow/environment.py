"""Python and checkout that jobs use."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

from generalization.errors import InputError

ROOT = Path(__file__).parents[1]
NEEDED = ("torch", "pandas", "h5py", "safetensors", "statsmodels", "matplotlib")


def check_environment() -> None:
    """Refuse a Python that lacks packages of the jobs, before the first of them fails.

    Raises:
        InputError: If a package is missing.
    """
    missing = [package for package in NEEDED if find_spec(package) is None]
    if missing:
        raise InputError(
            f"The Python of Snakemake, {sys.executable}, must have the packages of "
            f"requirements.lock, but lacks {', '.join(missing)}; `make study` sets them up, and "
            "`source .venv/bin/activate` makes their Snakemake the one that is found."
        )


def run_scripts(*, deployed: bool) -> str:
    """Return the start of a command that runs a script with the Python that runs Snakemake.

    Args:
        deployed: Whether Snakemake activates an environment for every job, whose ``python`` is
            used instead.

    Returns:
        Shell words up to the folder of the scripts; ``/NAME.py`` and arguments follow.
    """
    python = "python" if deployed else shlex.quote(sys.executable)
    launch, scripts = (shlex.quote(str(ROOT / name)) for name in ("workflow/launch.py", "scripts"))
    return f"{python} -ES {launch} {scripts}"
