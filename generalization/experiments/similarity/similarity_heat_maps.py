"""Every layer against every layer: of a network, two seeds, two steps, two architectures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from generalization.experiments.similarity.layer_maps import (
    NAMES,
    TASKS,
    Panel,
    draw_layers,
    name_of_networks,
    similarities_of,
)
from generalization.experiments.similarity.network_pairs import task
from generalization.figures.style import figure_of_words, headline, styled
from generalization.tables import KEPT_NETWORK

ITSELF, SEEDS, STEPS, ARCHITECTURES = "itself", "seeds", "steps", "architectures"
MOST_GROUPS = MOST_ARCHITECTURES = 4
GROUP = ["dataset", "architecture", "depth", "task"]
ARCHITECTURE = ["architecture", "depth", "width"]


@styled
def similarity_heat_maps(similarities: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Means over pairs of networks, with what is expected by chance.

    Per dataset, architecture, depth and kind of labels, at most four: the layers of each network
    beside its own other layers, and the layers of two seeds of one ensemble, at the last step; and
    the layers at the first kept step and at one half way through the kept ones beside the layers
    at the end, if all were compared with all. Then networks of two architectures, widths or
    depths, at most four pairs, if all layers were compared. Of a similarity that has two
    directions, the row is the layer whose directions are weighted.

    Returns:
        The figure of SVCCA, or else of the first of PWCCA, mean CCA and linear CKA that the study
        has; words, if it has no such pairs.
    """
    rows = _shown(_described(similarities, training))
    if rows.empty:
        return figure_of_words("No two layers of networks at their last step were compared.")
    name = similarities_of(rows)[0]
    rows = rows[rows["similarity"] == name]
    panels = [*_of_groups(rows[rows["kind"] != ARCHITECTURES])]
    panels += _of_architectures(rows[rows["kind"] == ARCHITECTURES])

    lines = (len(panels) + 1) // 2
    figure = Figure(figsize=(9.4, 0.9 + 4.4 * lines))
    figure.get_layout_engine().set(h_pad=0.1)
    grid = figure.subplots(lines, 2, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        image = draw_layers(axes, panel)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    scale = {"shrink": 0.9 / lines, "anchor": (0, 1), "aspect": 18}
    figure.colorbar(image, ax=grid, label=NAMES[name], **scale)
    heading = f"{NAMES[name]} of every two layers; in parentheses, by chance"
    headline(figure, heading)
    return figure


def _described(similarities: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Pairs of layers with what both networks are, and whether they are at their last step."""
    about = ["final", "dataset", *ARCHITECTURE]
    networks = training[[*KEPT_NETWORK, *about]].assign(task=task(training))
    rows = similarities.dropna(subset="value")
    for side in "ab":
        keys = [f"{key}_{side}" for key in KEPT_NETWORK]
        rows = rows.merge(networks.add_suffix(f"_{side}"), on=keys, validate="many_to_one")
    return rows


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Those of which there is a panel, with ``kind``, the kind of panel."""
    over_training, end = rows["pairs"] == "over_training", rows["final_b"]
    ends = rows["final_a"] & end
    kinds = {
        ITSELF: over_training & ends,
        STEPS: over_training & end & ~rows["final_a"],
        SEEDS: (rows["pairs"] == "between_seeds") & ends,
        ARCHITECTURES: ends & _same(rows, ["dataset", "task"]) & ~_same(rows, ARCHITECTURE),
    }
    rows = rows.assign(kind=np.select([*kinds.values()], [*kinds], ""))
    logits = (rows["layer_a"] == rows["depth_a"] - 1) & (rows["layer_b"] == rows["depth_b"] - 1)
    rows["crossing"] = (rows["layer_a"] != rows["layer_b"]) & ~logits
    keys = ["similarity", "kind", "ensemble_a", "ensemble_b"]
    every = rows.groupby(keys)["crossing"].transform("any") | rows["kind"].isin([ITSELF, SEEDS])
    return rows[(rows["kind"] != "") & every]


def _same(rows: pd.DataFrame, keys: list[str]) -> pd.Series:
    return np.logical_and.reduce([rows[f"{key}_a"] == rows[f"{key}_b"] for key in keys])


def _of_groups(rows: pd.DataFrame) -> Iterator[Panel]:
    """A network and itself, two seeds, and layers on their way to the end."""
    groups = rows.groupby([f"{key}_a" for key in GROUP], sort=True)
    for (dataset, architecture, depth, labels), group in list(groups)[:MOST_GROUPS]:
        name = name_of_networks(rows, dataset, architecture, depth, suffix="_a")
        # On a line of its own where the name is long.
        words = f", {TASKS[labels]}" if name == dataset else f"\n{TASKS[labels]}"
        for pairs, title in ((ITSELF, "A network and itself"), (SEEDS, "Two seeds")):
            of_kind = _both_ways(group[group["kind"] == pairs])
            if len(of_kind):
                yield Panel(of_kind, f"{title}\n{name}{words}", "Layer", "Layer of the other")
        for step, of_step in _early(group[group["kind"] == STEPS]):
            title = f"Step {step:,} and the end\n{name}{words}"
            yield Panel(of_step, title, f"Layer at step {step:,}", "Layer at the end")


def _early(rows: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """The first step and one half way, of those at which most networks were kept."""
    kept = rows.drop_duplicates(["ensemble_a", "seed_a", "step_a"])["step_a"].value_counts()
    steps = sorted(kept[kept == kept.max()].index)
    for step in dict.fromkeys([*steps[:1], *steps[len(steps) // 2 :][:1]]):
        yield step, rows[rows["step_a"] == step]


def _both_ways(pairs: pd.DataFrame) -> pd.DataFrame:
    """Add the reversed pairs: neither of two seeds is the first if a similarity is symmetric."""
    if pairs["similarity"].eq("pwcca").any():
        return pairs
    return pd.concat([pairs, pairs.rename(columns=_turned(pairs))])


def _turned(rows: pd.DataFrame) -> dict[str, str]:
    """Names of columns after the two networks have changed places."""
    first = [name.removesuffix("_a") for name in rows if name.endswith("_a")]
    return {f"{name}_{one}": f"{name}_{other}" for name in first for one, other in ("ab", "ba")}


def _of_architectures(rows: pd.DataFrame) -> list[Panel]:
    """Layers of two architectures; those that differ most come first."""
    first, second = (
        pd.MultiIndex.from_frame(rows[[f"{key}_{side}" for key in ARCHITECTURE]]) for side in "ab"
    )
    turned = np.array([a > b for a, b in zip(first, second, strict=True)], dtype=bool)
    ordered = [rows[~turned]]
    if not rows["similarity"].eq("pwcca").any():
        ordered.append(rows[turned].rename(columns=_turned(rows)))
    keys = ["dataset_a", "task_a", *(f"{key}_{side}" for side in "ab" for key in ARCHITECTURE)]
    panels = []
    for about, pairs in pd.concat(ordered).groupby(keys, sort=True):
        one, other = about[2:5], about[5:8]
        same = [a == b for a, b in zip(one, other, strict=True)]
        title = f"Two architectures\n{about[0]}, {TASKS[about[1]]}"
        panels.append((same, Panel(pairs, title, _layer_of(*one), _layer_of(*other))))
    panels.sort(key=lambda panel: panel[0])
    return [panel for _, panel in panels[:MOST_ARCHITECTURES]]


def _layer_of(architecture: str, depth: int, width: int) -> str:
    return f"Layer of {architecture.replace('_', ' ')},\ndepth {depth}, width {width}"
