"""Count what everything in the catalog costs: operations and peak memory, on small networks.

``make properties`` writes ``docs/counted_costs.csv``, from which the pages of measures, profiles
and similarities quote it. Operations are those of matrix products, as torch counts them; they
depend on no clock, so that a test counts them again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import pandas as pd
import torch
from calls import call, function_of, layers, of_small_networks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from generalization.audit.cases import Case
from generalization.catalog import FUNCTIONS, SIMILARITIES

FILE = Path(__file__).with_suffix(".csv")
POINTS = ("inputs", "train_inputs")
# Operation of torch → its name; they are not among the matrix products.
DECOMPOSITIONS = {
    "aten._linalg_svd": "singular value decompositions",
    "aten._linalg_eigh": "eigendecompositions",
    "aten.linalg_qr": "QR decompositions",
    "aten.linalg_cholesky_ex": "Cholesky decompositions",
}


class Memory(TorchDispatchMode):
    """Counts bytes of live tensors, and decompositions.

    Attributes:
        peak: Largest sum of bytes of tensors that were live at once.
        decompositions: How many there were of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak, self.decompositions = 0, Counter[str]()
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and note what it returns."""
        returned = func(*args, **(kwargs or {}))
        if kind := DECOMPOSITIONS.get(str(func).rpartition(".")[0]):
            self.decompositions[kind] += 1
        for tensor in tree_iter(returned):
            if isinstance(tensor, torch.Tensor):
                self._note(tensor.untyped_storage())
        return returned

    def _note(self, storage: torch.UntypedStorage) -> None:
        known = self._live.get(storage._cdata)
        if known and not known[0].expired():
            return
        live = {key: one for key, one in self._live.items() if not one[0].expired()}
        self._live = live | {storage._cdata: (StorageWeakRef(storage), storage.nbytes())}
        self.peak = max(self.peak, sum(size for _, size in self._live.values()))


def counted(run: Callable[[], Any]) -> tuple[int, int, Counter[str]]:
    """Return operations of matrix products, peak bytes and decompositions of a call."""
    operations, memory = FlopCounterMode(display=False), Memory()
    with catch_warnings(), operations, memory:
        simplefilter("ignore")
        run()
    return operations.get_total_flops(), memory.peak, memory.decompositions


def points_of(name: str) -> list[str]:
    """Return which points a function of the catalog is given."""
    return [one for one in POINTS if one in signature(function_of(name)).parameters]


def unit_of(name: str, case: Case) -> int:
    """Return the operations that those of a function are compared with.

    They are those of a forward pass of all points that it is given, of a single input if it is
    given none, and of the product of the two layers of a similarity.
    """
    if name in SIMILARITIES:
        samples, units = layers(case)["a"].shape
        return 2 * samples * units**2
    given = [getattr(case, one) for one in points_of(name)] or [case.inputs[:1]]
    return counted(lambda: case.networks.logits(torch.cat(given)))[0]


def cost_of(name: str) -> dict[str, Any]:
    """Count the cost of a function of the catalog, and how it grows if points are doubled."""
    case = of_small_networks()
    half = case.part(0, 2)
    operations, peak, decompositions = counted(lambda: call(name, case))
    of_half, peak_of_half, _ = counted(lambda: call(name, half))
    has_points = name in SIMILARITIES or points_of(name)
    return {
        "name": name,
        "operations": operations,
        "passes": operations / unit_of(name, case),
        "growth": operations / of_half if has_points and of_half else None,
        "decompositions": "; ".join(
            f"{count} {kind if count > 1 else kind.removesuffix('s')}"
            for kind, count in sorted(decompositions.items())
        ),
        "peak_bytes": peak,
        "peak_growth": peak / peak_of_half if has_points and peak_of_half else None,
    }


def told(row: pd.Series, name: str) -> str:
    """Return the cost of a function of the catalog in words.

    Args:
        row: Its row of the table.
    """
    if not row["operations"]:
        said = "no matrix products"
    else:
        unit = "products aᵀb of the two layers" if name in SIMILARITIES else "forward passes at"
        if name not in SIMILARITIES:
            unit += " its points" if points_of(name) else " a single input"
        said = f"matrix products of {row['passes']:.3g} {unit}"
    parts = [said + _growing(row["growth"])]
    if isinstance(row["decompositions"], str) and row["decompositions"]:
        parts.append(row["decompositions"])
    return "; ".join([*parts, f"{_size(row['peak_bytes'])} at peak{_growing(row['peak_growth'])}"])


def _growing(factor: float) -> str:
    return "" if pd.isna(factor) else f" (×{factor:.1f} for twice as many points)"


def _size(count: int) -> str:
    return f"{count / 1e6:.2g} MB" if count >= 1e5 else f"{count / 1e3:.2g} kB"


def main() -> None:
    """Count everything anew."""
    pd.DataFrame(map(cost_of, FUNCTIONS)).to_csv(FILE, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
