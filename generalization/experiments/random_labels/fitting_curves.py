"""How networks fit true labels, random labels and random images."""

from __future__ import annotations

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from generalization.experiments.random_labels.fitting_times import OF_DATA
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.marks import bars, mean_over_seeds
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import CATEGORIES, figure_of_words, styled
from generalization.names import setting_name

# As the paper calls them, in its order.
KINDS = {
    "none": "true labels",
    "random_labels": "random labels",
    "shuffled_pixels": "shuffled pixels",
    "random_pixels": "random pixels",
    "gaussian": "Gaussian",
}
HUES = dict(zip(KINDS, CATEGORIES, strict=False))
# What hides another: permuted pixels are fitted as those in their order are.
DASHED = ("shuffled_pixels", "gaussian")
LOOKS = {
    kind: {"color": hue, "linestyle": "--" if kind in DASHED else "-"} for kind, hue in HUES.items()
}
COLUMNS = 3
LETTERS = 34  # Of the name of a panel, in a line.


@styled
def fitting_curves(training: pd.DataFrame, fitting_times: pd.DataFrame) -> Figure:
    """Training loss against the step for each kind of data, as Zhang et al. 2017, Fig. 1a.

    One panel per dataset and architecture, one line per kind, the mean over seeds; a point where
    the networks have fitted, with its interval.

    Returns:
        The figure; words, if no network was trained on such data.
    """
    corruption = training["label_corruption"].where(training["randomization"] == "none", 0)
    rows = training[(corruption == 0) & training["randomization"].isin(KINDS)]
    if rows.empty or not rows["step"].any():
        return figure_of_words("No network was trained on uncorrupted data: no course to show.")
    keys = architecture_columns(fitting_times)
    there = set(rows["randomization"])
    lines = {name: LOOKS[kind] for kind, name in KINDS.items() if kind in there}

    def name(*values: object) -> str:
        return fill(architecture(dict(zip(keys, values, strict=True))), LETTERS)

    def draw(panel: Panel) -> None:
        times = panels.select(fitting_times, panel.column)
        _draw(panel, times[times["statistic"] == "fitting_step"])

    panels = Facet.of(rows, *keys, name=name)
    return SmallMultiples(
        columns=panels,
        wrap=COLUMNS,
        size=(4, 3.6),
        margin=(2.4, 0.7),
        grid={"sharey": True},
        limits={"xlim": (0, None), "ylim": (0, None)},
        x=lambda _: "Training step",
        y="Training loss (nats)",
        headline="Fitting random data: means over {networks}",
        legend={"Data": labelled(lines, linewidth=2)},
    ).draw(rows, draw)


def architecture_columns(fitting_times: pd.DataFrame) -> list[str]:
    """Columns of the table that say within what networks are compared."""
    return list(fitting_times.columns[: list(fitting_times).index("randomization")])


def architecture(about: dict[str, object]) -> str:
    """Dataset and architecture, in words; what an architecture does without is not named."""
    words = [str(about["dataset"])]
    for key, value in about.items():
        # Architectures of other kinds lack a hyper-parameter.
        if key not in OF_DATA and value != "none" and not pd.isna(value):
            words.append(setting_name(key, value))
    return ", ".join(words)


def _draw(panel: Panel, times: pd.DataFrame) -> None:
    """Draw the lines of a panel, and where networks have fitted."""
    for kind, look in LOOKS.items():
        rows = panel.table[panel.table["randomization"] == kind]
        if rows.empty:
            continue
        mean = mean_over_seeds(rows, "train_loss")
        panel.axes.plot(mean.index, mean, linewidth=1.8, **look)
        chosen = (times["randomization"] == kind) & times["label_corruption"].isin([0, 1])
        for time in times[chosen].dropna(subset="estimate").to_dict("records"):
            step = time["estimate"]
            loss = np.interp(np.log1p(step), np.log1p(mean.index), mean)
            reach = bars(step, time["low"], time["high"])
            mark = {"color": look["color"], "marker": "o", "capsize": 3}
            panel.axes.errorbar(step, loss, xerr=reach, **mark)
    panel.axes.set_xscale("symlog", linthresh=1, linscale=0.4)
