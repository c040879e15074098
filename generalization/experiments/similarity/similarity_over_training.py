"""How alike layers are to what they will be at the end, in the course of training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from generalization.experiments.similarity.layer_maps import layer_names, of_architecture
from generalization.experiments.similarity.network_pairs import task
from generalization.experiments.similarity.similarity_heat_maps import NAMES, TASKS
from generalization.experiments.similarity.similarity_to_end import similarity_to_end
from generalization.figures.style import QUIET, colors, entries, figure_of_words, legend, styled
from generalization.tables import KEPT_NETWORK, NETWORK

GROUP = ["dataset", "architecture", "depth", "task"]
MOST_GROUPS, MOST_SIMILARITIES = 4, 2
SHOWN = ("svcca", "pwcca", "mean_cca", "linear_cka")


@styled
def similarity_over_training(similarities: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Similarity of every layer with itself at the end against the step, after Raghu et al. 2017.

    One line per layer, the mean over networks, with a band of ± one standard error over networks;
    dotted, what is expected by chance. Networks that end earlier count on as they ended. One column
    of panels per dataset, architecture, depth and kind of labels, at most four, one row per
    similarity, at most two.

    Args:
        similarities: Table of a study.
        training: Table of ``collect_training``.

    Returns:
        The figure; words, if no network was kept in the course of training.
    """
    rows = _courses(similarities, training)
    if rows.empty:
        return figure_of_words("No network was kept at two steps and compared with its end.")
    names = [name for name in SHOWN if name in set(rows["similarity"])][:MOST_SIMILARITIES]
    groups = list(rows.groupby(GROUP, sort=True))[:MOST_GROUPS]

    figure = Figure(figsize=(2.2 + 3.9 * max(len(groups), 1.4), 0.9 + 3.3 * len(names)))
    grid = figure.subplots(len(names), len(groups), sharex=True, sharey=True, squeeze=False)
    deepest = max(depth for (_, _, depth, _), _ in groups)
    hues = colors(range(deepest))
    for panels, ((dataset, architecture, depth, labels), group) in zip(grid.T, groups, strict=True):
        for axes, name in zip(panels, names, strict=True):
            _draw(axes, group[group["similarity"] == name], hues, depth)
        networks = len(group.drop_duplicates(NETWORK))
        name = f"{dataset}{of_architecture(rows, architecture)}"
        panels[0].set_title(f"{name}, {TASKS[labels]}\n{networks} networks", fontsize=11.5)
        panels[-1].set_xlabel("Training step")
    for axes, name in zip(grid[:, 0], names, strict=True):
        axes.set_ylabel(f"{NAMES[name]} with the end")
    figure.suptitle("Layers on the way to their end", x=0.01, ha="left", weight="bold")
    labels = dict(zip(layer_names(deepest), hues.values(), strict=True))
    legend(
        grid[0, -1],
        {
            "Layer": entries(labels, "color", linestyle="-", marker=""),
            "By chance": entries({"any layer": QUIET}, "color", linestyle=":", marker=""),
        },
    )
    return figure


def _courses(similarities: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Similarity to the end of all layers of networks that were kept before it."""
    rows = similarity_to_end(similarities, training)
    rows = rows[rows.groupby(["similarity", *NETWORK])["step"].transform("nunique") > 1]
    about = training[[*KEPT_NETWORK, *GROUP[:-1]]].assign(task=task(training))
    return rows.merge(about, on=KEPT_NETWORK, validate="many_to_one")


def _draw(axes: Axes, rows: pd.DataFrame, hues: dict, depth: int) -> None:
    """The lines of one panel. Logits keep their color where networks differ in depth."""
    for layer, of_layer in rows.groupby("layer"):
        place = layer if layer < depth - 1 else len(hues) - 1
        courses = of_layer.pivot(index="step", columns=NETWORK, values="value").ffill()
        mean, sem = courses.mean(axis=1), courses.sem(axis=1).fillna(0)
        color = hues[place]
        axes.plot(mean.index, mean, color=color, marker="o", markersize=3.5, linewidth=1.5)
        axes.fill_between(mean.index, mean - sem, mean + sem, color=color, alpha=0.2, linewidth=0)
        null = of_layer.groupby("step")["null"].mean()
        axes.plot(null.index, null, color=color, linestyle=":", linewidth=1.2)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks([0, *(10.0 ** np.arange(np.ceil(np.log10(max(rows["step"].max(), 1)) + 0.01)))])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,g}"))
    axes.minorticks_off()
    axes.set_ylim(0, 1.03)
