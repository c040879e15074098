"""The area under curves of ablation in the course of training, beside train and test loss."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.single_directions.early_stopping import FEWEST_STEPS
from generalization.figures.style import (
    ALL,
    FITTED,
    entries,
    figure_of_words,
    legend,
    styled,
)
from generalization.names import value_name, within
from generalization.tables import NETWORK, swept_hyperparameters

AREA = "#000000"
LOSSES = {"train_loss": ("Train", FITTED), "test_loss": ("Test", ALL)}
MOST = 4  # Panels side by side.


@styled
def ablation_auc_over_training(
    measures: pd.DataFrame, *, color: str = "label_corruption"
) -> Figure:
    """The area and the losses against the training step, as Morcos et al. 2018.

    One column per ensemble of which networks were kept at enough steps. Thin lines are networks,
    thick ones their mean over seeds. Where the mean test loss is least, and where the mean area is
    largest, is marked.

    Args:
        measures: Table of ``collect_measures``, with the measure ``ablation_auc``.
        color: Hyper-parameter by which ensembles are chosen if there are many: they are spread over
            its values.

    Returns:
        The figure; words, if no ensemble was kept at enough steps.
    """
    rows = measures[(measures["measure"] == "ablation_auc") & (measures["step"] > 0)]
    kept = rows.groupby("ensemble")["step"].transform("nunique")
    rows = rows[kept >= FEWEST_STEPS]
    if rows.empty:
        return figure_of_words("No network was kept at enough steps to show a course of areas.")
    ensembles = _chosen(rows, color)

    figure = Figure(figsize=(2.2 + 2.9 * max(len(ensembles), 2), 6))
    grid = figure.subplots(2, len(ensembles), sharex="col", sharey="row", squeeze=False)
    for column, ensemble in zip(grid.T, ensembles, strict=True):
        course = rows[rows["ensemble"] == ensemble]
        area = _draw(column[0], course, "value", AREA)
        losses = {key: _draw(column[1], course, key, hue) for key, (_, hue) in LOSSES.items()}
        for axes in column:
            axes.axvline(losses["test_loss"].idxmin(), color=ALL, linestyle="--", linewidth=1.2)
            axes.axvline(area.idxmax(), color=AREA, linestyle=":", linewidth=1.2)
        column[0].set_title(_name(course, rows), fontsize=11.5)
        column[1].set_xscale("log")
        column[1].set_xlabel("Training step")
    grid[0, 0].set_ylabel("Area under curve of ablations")
    grid[1, 0].set_ylabel("Loss")
    grid[1, 0].set_yscale("log")
    figure.suptitle(
        f"The area in the course of training: {len(rows.drop_duplicates(NETWORK))} networks",
        x=0.01,
        ha="left",
        weight="bold",
    )
    plain = {"marker": "", "linestyle": "-"}
    legend(
        grid[0, -1],
        {
            "Area": entries({"mean over seeds": AREA}, "color", **plain),
            "Loss": entries(dict(LOSSES.values()), "color", **plain),
            "Marks": [
                *entries({"largest area": ":"}, "linestyle", marker="", color=AREA),
                *entries({"least test loss": "--"}, "linestyle", marker="", color=ALL),
            ],
        },
    )
    return figure


def _chosen(rows: pd.DataFrame, color: str) -> list[str]:
    """Ensembles to show: in the order of a hyper-parameter, spread over all that there are."""
    ordered = rows.drop_duplicates("ensemble").sort_values(color, kind="stable")["ensemble"]
    step = max(len(ordered) - 1, 1) / (min(len(ordered), MOST) - 1 or 1)
    return [ordered.iloc[round(place * step)] for place in range(min(len(ordered), MOST))]


def _draw(axes: Axes, course: pd.DataFrame, quantity: str, hue: str) -> pd.Series:
    """Every network, and their mean over seeds, by step, which is given back."""
    for _, network in course.sort_values("step").groupby("seed"):
        axes.plot(network["step"], network[quantity], color=hue, linewidth=0.7, alpha=0.5)
    # Networks whose training has ended have no later steps, and would make a mean jump.
    steps = course.groupby("step")[quantity].agg(["mean", "size"])
    mean = steps.loc[steps["size"] == course["seed"].nunique(), "mean"]
    axes.plot(mean.index, mean, color=hue, linewidth=2, marker=".", label=quantity)
    return mean


def _name(course: pd.DataFrame, rows: pd.DataFrame) -> str:
    """What tells an ensemble from the others that are shown."""
    told = [key for key in swept_hyperparameters(rows) if key != "kept_steps"]
    return "\n".join(f"{within(key)} {value_name(course[key].iloc[0])}" for key in told[:2])
