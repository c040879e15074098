"""Loss and accuracy in the course of training."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from generalization.figures.facets import Facet
from generalization.figures.looks import told_apart
from generalization.figures.marks import mean_over_seeds
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import Percentages, figure_of_words, styled

LABELS = {"loss": "Cross-entropy (nats)", "accuracy": "Accuracy"}


@styled
def training_curves(training: pd.DataFrame, *, color: str = "label_corruption") -> Figure:
    """Train and test loss and accuracy against the step, one line per ensemble, its seeds averaged.

    So that the mean over seeds is of the same networks at every step, a network is interpolated,
    on the logarithmic axis, between steps at which it was kept, and goes on as it was when its
    training ended. Where a network has no value because it diverged, the mean is of the others.

    Returns:
        The figure; words, if no network was trained.
    """
    if training.empty or not training["step"].any():
        return figure_of_words("No network was kept after step 0: there is no course to show.")
    hues, _ = told_apart(training, color, panels=())
    first = training.loc[training["step"] > 0, "step"].min()
    # Cut and colored once, not in every panel: there may be thousands.
    ensembles = [one for _, one in training.groupby("ensemble", sort=False)]
    colors = [hues.of(one.iloc[0]) for one in ensembles]

    def draw(panel: Panel) -> None:
        for ensemble, color in zip(ensembles, colors, strict=True):
            mean = mean_over_seeds(ensemble, f"{panel.column}_{panel.row}")
            line = {"marker": ".", "markersize": 4, "linewidth": 1.2, "alpha": 0.75}
            panel.axes.plot(mean.index, mean, color=color, **line)
        # Step 0, the untrained network, has its place left of the first step.
        panel.axes.set_xscale("symlog", linthresh=first, linscale=0.5)
        if panel.row == "loss":
            panel.axes.set_yscale("log")
        else:
            panel.axes.yaxis.set_major_formatter(Percentages())

    return SmallMultiples(
        rows=Facet.each(LABELS),
        columns=Facet.each({"train": "Train", "test": "Test"}),
        size=(5, 3.25),
        margin=(0, 0),
        grid={"sharex": True, "sharey": "row"},
        heading=lambda panel: f"{panel.column_name} {panel.row}",
        x="Training step",
        y="{row}",
        headline=f"Training of {{networks}}: means of {len(ensembles)} ensembles over their seeds",
        legend=hues.legend(marker="", linestyle="-"),
    ).draw(training, draw)
