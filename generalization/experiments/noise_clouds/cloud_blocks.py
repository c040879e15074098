"""What figures of noisy copies share: a block per ensemble, a column per σ, a color per layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.noise_clouds.cloud_courses import mean_over_classes
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.looks import colors
from generalization.figures.marks import mean_over_seeds
from generalization.figures.small_multiples import Panel, SmallMultiples, at_top
from generalization.figures.style import QUIET, headline, styled
from generalization.names import setting_name
from generalization.tables import NETWORK, swept_hyperparameters, with_networks

PARTS = {"test": "-", "train": "--"}
PART_NAMES = {"test": "held-out images", "train": "training images"}
CLOSED_FORM = {"linestyle": ":", "linewidth": 1.3}
NOTHING = "No network was kept after step 0: there is no course to show."
MOST = 4  # Ensembles that are drawn, the first ones.
PANEL = (3.3, 2.0)  # Inches.

# Draws one row of panels of one ensemble: axes of one σ, and the rows that belong there.
Draw = Callable[[Axes, pd.DataFrame, Mapping[int, object]], None]


def drawn_courses(noise_clouds: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Means over classes, of the first ensembles that have a course, beside their networks.

    Those in the setting of the blog, convolutional networks on MNIST with true labels, come first;
    then architectures take turns.
    """
    rows = with_networks(mean_over_classes(noise_clouds), training)
    trained = rows[rows["step"] > 0].drop_duplicates("ensemble")
    # The first one of every architecture, then the second ones.
    elsewhere, turn = ~_as_in_the_blog(trained), trained.groupby("architecture").cumcount()
    trained = trained.assign(elsewhere=elsewhere, turn=turn).sort_values(
        ["elsewhere", "turn"], kind="stable"
    )
    drawn = trained.set_index("ensemble")["elsewhere"].head(MOST)
    rows = rows[rows["ensemble"].isin(drawn.index)]
    return rows.sort_values("ensemble", key=lambda names: names.map(drawn), kind="stable")


def _as_in_the_blog(networks: pd.DataFrame) -> pd.Series:
    """Return whether networks are in the setting that the blog looks at."""
    return (
        (networks["architecture"] == "convolutional")
        & networks["dataset"].isin(["mnist", "mnist_subset"])
        & (networks["label_corruption"] == 0)
        & (networks["randomization"] == "none")
    )


@styled
def blocks(
    rows: pd.DataFrame, training: pd.DataFrame, panels: Mapping[str, Draw], *, words: str
) -> Figure:
    """The panels of every ensemble below each other, with what tells it apart above them.

    Args:
        rows: Rows of ``drawn_courses``; not empty.
        panels: Label of the axis → what draws a panel.
        words: Beginning of the headline, before the number of networks.
    """
    ensembles = list(rows.groupby("ensemble", sort=False))
    hues = {0: QUIET, **colors(sorted(rows.loc[rows["layer"] > 0, "layer"].unique()))}
    multiples = SmallMultiples(
        rows=Facet.each({label: label for label in panels}),
        columns=Facet.of(rows, "sigma", name=lambda sigma: f"σ = {sigma:g}"),
        size=PANEL,
        grid={"sharex": True},
        heading=at_top,
        x="Training step",
        y="{row}",
    )
    width, height = multiples.size_of_panels
    figure = Figure(figsize=(0.6 + width, 1.1 + (height + 0.6) * len(ensembles)))
    parts = np.atleast_1d(figure.subfigures(len(ensembles), 1))
    for part, (_, of_ensemble) in zip(parts, ensembles, strict=True):
        networks = of_ensemble.drop_duplicates(["seed", "step"])
        least = mean_over_seeds(networks, "test_loss").idxmin()

        def draw(panel: Panel, least: float = least) -> None:
            panel.axes.axvline(least, color="#A8A8A8", linewidth=1, zorder=1)
            panels[panel.row](panel.axes, panel.table, hues)

        multiples.draw(of_ensemble, draw, on=part)
        for axes in part.axes:
            _scale(axes, of_ensemble["step"])
        part.align_ylabels(part.axes[:: len(multiples.columns.values)])
        headline(part, about(networks, training), weight="normal", fontsize=11.5)
    drawn = len(rows.drop_duplicates(NETWORK))
    counts = f"{'means over ' * (drawn > len(ensembles))}{drawn} networks"
    if training["ensemble"].nunique() > len(ensembles):
        counts += f" of {len(ensembles)} of {training['ensemble'].nunique()} ensembles"
    headline(figure, f"{words}: {counts}")
    return figure


def about(ensemble: pd.DataFrame, training: pd.DataFrame) -> str:
    """Hyper-parameters that distinguish an ensemble, in words."""
    swept = [key for key in swept_hyperparameters(training) if key != "dataset"]
    words = [setting_name(key, ensemble[key].iloc[0]) for key in ["dataset", *swept]]
    return ", ".join(words)


def draw_layers(
    axes: Axes, rows: pd.DataFrame, hues: Mapping[int, object], quantity: str, **look: object
) -> None:
    """One line per layer, and per part of the images.

    Args:
        rows: Rows of one ensemble and σ.
        hues: Layer → color.
        quantity: Column.
        look: Style of lines, instead of that of their parts.
    """
    for (layer, part), course in rows.groupby(["layer", "part"]):
        if course[quantity].notna().any():
            mean = mean_over_seeds(course.dropna(subset=quantity), quantity)
            style = {"linestyle": PARTS[part], "linewidth": 1.3} | look
            axes.plot(mean.index, mean, color=hues[layer], label=f"{part} {layer}", **style)


def draw_losses(axes: Axes, rows: pd.DataFrame, hues: Mapping[int, object]) -> None:
    """Loss on the train and the test set."""
    networks = rows.drop_duplicates(["seed", "step"])
    for part, style in PARTS.items():
        mean = mean_over_seeds(networks, f"{part}_loss")
        axes.plot(mean.index, mean, color="black", linestyle=style, linewidth=1.3, label=part)
    axes.set_ylim(bottom=0)


def draw_legend(figure: Figure, rows: pd.DataFrame, *, closed_form: bool) -> None:
    """Layers, parts, and what else there is, below the figure."""
    layers = sorted(rows["layer"].unique())
    hues = {0: QUIET, **colors([layer for layer in layers if layer])}
    looks = {
        f"layer {layer}" if layer else "input": {"color": hues[layer], "linewidth": 2}
        for layer in layers
    }
    looks |= {PART_NAMES[part]: {"linestyle": style} for part, style in PARTS.items()}
    looks |= {"closed form": CLOSED_FORM} if closed_form else {}
    looks |= {"least test loss": {"color": "#A8A8A8", "linewidth": 1}}
    lines = labelled(looks, color="black")
    figure.legend(handles=lines, loc="outside lower center", ncols=-(-len(lines) // 2))


def _tens(low: float, high: float) -> list[float]:
    """Powers of ten between two numbers, and the first one."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1)
    return [low, *(power for power in powers if 1.5 * low < power <= high)]


def _scale(axes: Axes, steps: pd.Series) -> None:
    """Scale the axis of steps, with a place for step 0."""
    first = steps[steps > 0].min()
    axes.set_xscale("symlog", linthresh=first, linscale=0.4)
    axes.set_xlim(-0.05 * first, 1.1 * steps.max())
    axes.set_xticks(ticks := [0, *_tens(first, steps.max())], [f"{tick:,g}" for tick in ticks])
    axes.xaxis.minorticks_off()
