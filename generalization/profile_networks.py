"""Profile of the networks of an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd
from torch import Tensor

from generalization.datasets.dataset import Dataset
from generalization.devices import halving_memory
from generalization.errors import NotFinite
from generalization.finite_networks import FiniteNetworks, Groups, offered_of_ensemble
from generalization.networks.modules import number_of_networks
from generalization.networks.networks_file import KeptNetworks
from generalization.offered import OfferedToProfiles, check_signature, checked_table
from generalization.randomness import generator_for
from generalization.signatures import named_by
from generalization.tables import KEPT_NETWORK

Recorded = Callable[[list[tuple[int, int]], slice], tuple[Tensor, list[Tensor]]]


def profile_networks(
    kept: KeptNetworks,
    data: Dataset,
    profile: Callable[..., pd.DataFrame],
    settings: Mapping[str, Any],
    recorded: Recorded | None = None,
    *,
    together: bool = False,
) -> pd.DataFrame:
    """Compute a profile of all networks, at every step at which they were kept.

    A profile is given what its signature names, see ``generalization.offered``.

    Args:
        profile: The function.
        settings: Keyword arguments; ``samples`` is the number of test inputs instead.
        recorded: Function from pairs of seed and kept step, and a slice of the recorded inputs, to
            these inputs and the activations of their layers, where a profile reads a record.
        together: Whether it compares networks, and is given a whole stack of convolutional
            networks, too.

    Returns:
        The rows of the profile, with ensemble, seed and step before its own columns. A network
        whose weights or logits are not finite has none.

    Raises:
        InputError: If the profile asks for something that is not offered, or returns something else
            than a table of the networks.
    """  # noqa: DOC502
    name = f"profile {profile.__name__}"
    check_signature(name, profile, OfferedToProfiles, settings)
    finite = FiniteNetworks.of(kept)
    if not finite.positions:
        return pd.DataFrame(columns=KEPT_NETWORK)
    chosen = dict(settings)
    samples = chosen.pop("samples", None)
    groups = Groups({"networks": finite.stack().folded()}, data.test_inputs.device)
    about = _about(finite)

    def tables() -> Iterator[pd.DataFrame]:
        for members, networks in [(slice(None), groups.together())] if together else groups:
            offered = OfferedToProfiles(
                **networks,
                **offered_of_ensemble(kept, data, samples),
                members=about[members].reset_index(drop=True),
                labels=data.test_labels[:samples],
                generator=generator_for(data.name, profile.__name__),
                recorded=recorded and partial(recorded, _recorded_as(finite)[members]),
            )
            try:
                table = profile(**named_by(profile, vars(offered)), **chosen)
            except NotFinite:
                continue
            table = checked_table(name, table, number_of_networks(offered.networks))
            table["network"] += members.start or 0
            yield table

    found = halving_memory(name, lambda: list(tables()))
    nothing = pd.DataFrame(columns=["network"])
    return _named(finite, pd.concat(found or [nothing], ignore_index=True))


def _about(finite: FiniteNetworks) -> pd.DataFrame:
    """Table with the seed and step of networks, and whether they are the last of their seed."""
    seeds, last = finite.kept.seeds, finite.kept.steps[-1]
    about = [(seeds[place], step, step == last[place]) for _, place, step in finite.finite_rows]
    return pd.DataFrame(about, columns=["seed", "step", "final"])


def _recorded_as(finite: FiniteNetworks) -> list[tuple[int, int]]:
    """Pairs of seed and kept step, by which networks are recorded."""
    return [(finite.kept.seeds[place], kept_step) for kept_step, place, _ in finite.finite_rows]


def _named(finite: FiniteNetworks, table: pd.DataFrame) -> pd.DataFrame:
    """Replace the position of a network by its ensemble, seed and step."""
    of_row = [finite.finite_rows[position] for position in table.pop("network")]
    table.insert(0, "ensemble", finite.kept.hyperparameters.name)
    table.insert(1, "seed", [finite.kept.seeds[place] for _, place, _ in of_row])
    table.insert(2, "step", [step for *_, step in of_row])
    return table
