"""The area under curves of ablation in the course of training, beside train and test loss."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.single_directions.early_stopping import FEWEST_STEPS
from generalization.figures.facets import Facet
from generalization.figures.legends import entries
from generalization.figures.small_multiples import Panel, SmallMultiples, at_top
from generalization.figures.style import ALL, FITTED, figure_of_words, styled
from generalization.names import value_name, within
from generalization.tables import swept_hyperparameters

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
    names = {
        ensemble: _name(rows[rows["ensemble"] == ensemble], rows)
        for ensemble in _chosen(rows, color)
    }

    def draw(panel: Panel) -> None:
        axes, course = panel.axes, panel.table
        if panel.row == "area":
            _draw(axes, course, "value", AREA)
        else:
            for key, (_, hue) in LOSSES.items():
                _draw(axes, course, key, hue)
            axes.set_yscale("log")
        least = mean_course(course, "test_loss").idxmin()
        axes.axvline(least, color=ALL, linestyle="--", linewidth=1.2)
        largest = mean_course(course, "value").idxmax()
        axes.axvline(largest, color=AREA, linestyle=":", linewidth=1.2)
        axes.set_xscale("log")

    plain = {"marker": "", "linestyle": "-"}
    return SmallMultiples(
        rows=Facet.each({"area": "Area under curve of ablations", "loss": "Loss"}),
        columns=Facet.of(rows, "ensemble", order=names, name=names.get, noun="ensembles"),
        size=(2.9, 3),
        margin=(2.2, 0),
        fewest=2,
        grid={"sharex": "col", "sharey": "row"},
        heading=at_top,
        x="Training step",
        y="{row}",
        headline="The area in the course of training: {networks}",
        legend={
            "Area": entries({"mean over seeds": AREA}, "color", **plain),
            "Loss": entries(dict(LOSSES.values()), "color", **plain),
            "Marks": [
                *entries({"largest area": ":"}, "linestyle", marker="", color=AREA),
                *entries({"least test loss": "--"}, "linestyle", marker="", color=ALL),
            ],
        },
    ).draw(rows, draw)


def _chosen(rows: pd.DataFrame, color: str) -> list[str]:
    """Ensembles to show: in the order of a hyper-parameter, spread over all that there are."""
    ordered = rows.drop_duplicates("ensemble").sort_values(color, kind="stable")["ensemble"]
    step = max(len(ordered) - 1, 1) / (min(len(ordered), MOST) - 1 or 1)
    return [ordered.iloc[round(place * step)] for place in range(min(len(ordered), MOST))]


def _draw(axes: Axes, course: pd.DataFrame, quantity: str, hue: str) -> None:
    """Draw every network, and their mean over seeds, by step."""
    for _, network in course.sort_values("step", kind="stable").groupby("seed"):
        axes.plot(network["step"], network[quantity], color=hue, linewidth=0.7, alpha=0.5)
    mean = mean_course(course, quantity)
    axes.plot(mean.index, mean, color=hue, linewidth=2, marker=".", label=quantity)


def mean_course(course: pd.DataFrame, quantity: str) -> pd.Series:
    """Mean over seeds by step, at steps that all of them have.

    Networks whose training has ended have no later steps, and would make a mean jump.

    Args:
        course: Rows of one ensemble.
        quantity: Name of the column.
    """
    steps = course.groupby("step")[quantity].agg(["mean", "size"])
    return steps.loc[steps["size"] == course["seed"].nunique(), "mean"]


def _name(course: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Hyper-parameters that distinguish an ensemble from the others shown."""
    told = [key for key in swept_hyperparameters(rows) if key != "kept_steps"]
    return "\n".join(f"{within(key)} {value_name(course[key].iloc[0])}" for key in told[:2])
