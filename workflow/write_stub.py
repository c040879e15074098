"""Types of the public names of the package, for editors and type checkers: ``make stub``.

The package imports a public name when it is used, which they cannot follow. The stub imports all of
them, as their modules define them. Imports no torch.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from generalization.catalog import FUNCTIONS, module_of

STUB = Path("generalization/__init__.pyi")
# Of the names that are not in the catalog.
PLACES = {
    "check_measure": "generalization.audit.check_measure",
    "compare": "generalization.own_networks",
    "measure": "generalization.own_networks",
}
WIDTH = 100


def stub() -> str:
    """Return the stub, in the format of the project."""
    members = defaultdict(list)
    for name, module in sorted((PLACES | {name: module_of(name) for name in FUNCTIONS}).items()):
        members[module].append(name)
    imports = (imported(module, names) for module, names in sorted(members.items()))
    public = sorted(name for names in members.values() for name in names)
    shown = "".join(f'    "{name}",\n' for name in public)
    return "\n".join(["# Made by `make stub`.", *imports, f"\n__all__ = [\n{shown}]\n"])


def imported(module: str, names: list[str]) -> str:
    """Return the statement that imports names, over several lines if it is long."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
