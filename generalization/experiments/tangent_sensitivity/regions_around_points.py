"""How many units are active at test points, whether normally so, and how near borders are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy.stats import norm

from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.network_counts import counted
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import ALL, FITTED, QUIET, figure_of_words, logarithmic, styled
from generalization.statistics.selection import before_and_after, has_fitted
from generalization.tables import KEPT_NETWORK, NETWORK

LOOKS = {False: ("untrained", ALL, "--"), True: ("trained", FITTED, "-")}
BAND = (0.05, 0.95)  # Of networks.
SHARES = (np.arange(100) + 0.5) / 100  # Of points, for distances.
NORMAL = np.linspace(-3, 3, 121)  # Quantiles, for counts.


@styled
def regions_around_points(
    activation_regions: pd.DataFrame, training: pd.DataFrame, *, fitted_accuracy: float = 0.999
) -> Figure:
    """Counts of active units with normal curves, their quantiles, and distances to borders.

    As Daróczy 2020, Figs 1 and 4, before and after training, one row of panels per dataset: the
    histogram of one network, the first that has fitted, or the first if none has; quantiles of
    standardized counts against those of the normal distribution; and the distribution of the
    inradius, both as means over all networks with a band in which nine of ten of them are.

    Returns:
        The figure; words, if no network has regions before or after training.
    """
    rows = before_and_after(activation_regions, training)
    rows = rows[rows["active"].notna()]
    if rows.empty:
        return figure_of_words("No network has activation regions to show.")

    panels = {"counts": _draw_counts, "quantiles": _draw_quantiles, "distances": _draw_distances}

    def shown(panel: Panel) -> pd.DataFrame:
        one = panel.column == "counts"
        return _first_network(panel.table, fitted_accuracy) if one else panel.table

    figure = SmallMultiples(
        rows=Facet.of(
            rows,
            "dataset",
            name=lambda dataset: counted(rows[rows["dataset"] == dataset], dataset),
        ),
        columns=Facet.each({
            "counts": "",
            "quantiles": "Active units, standardized",
            "distances": "Distance to the region's border",
        }),
        size=(11 / 3, 3.9),
        margin=(0, 0.9),
        heading=lambda panel: panel.row_name * panel.left,
        below=lambda panel: [panel.column_name or _name(shown(panel))],
        headline="Activation regions of test points",
    ).draw(rows, lambda panel: panels[panel.column](panel.axes, shown(panel)))
    for text in (text for axes in figure.axes for text in axes.texts):
        text.set_in_layout(False)  # Or a panel would be as narrow as its text is wide.
    _legend(figure, rows)
    return figure


def standardized_quantiles(
    counts: pd.Series, normal: Float[np.ndarray, "quantiles"]
) -> Float[np.ndarray, "quantiles"]:
    """Quantiles, less the mean, in units of the standard deviation.

    Args:
        counts: Counts of one network, over points, of which not all are the same.
        normal: Quantiles of the normal distribution at the same shares.
    """
    quantiles = np.quantile(counts.to_numpy(float), norm.cdf(normal), method="hazen")
    return (quantiles - counts.mean()) / counts.std()


def distance_quantiles(distances: pd.Series) -> Float[np.ndarray, "shares"]:
    """Logarithms of quantiles at ``SHARES``.

    Args:
        distances: Distances of one network, over points, positive and finite.
    """
    return np.quantile(np.log(distances.to_numpy(float)), SHARES, method="hazen")


def _draw_counts(axes: Axes, network: pd.DataFrame) -> None:
    """Histograms of one network, with the normal curve of the same mean and variance."""
    counts, deviations = network["active"], network.groupby("trained")["active"].std()
    # Bins of whole numbers, so that none has more of them than the next.
    width = max(1, round(deviations.min() / 2)) if len(network) > 2 else 1
    edges = np.arange(counts.min() - 0.5, counts.max() + width + 0.5, width)
    for trained, points in network.groupby("trained"):
        _, color, line = LOOKS[trained]
        axes.hist(points["active"], edges, density=True, color=color, alpha=0.35, linewidth=0)
        mean, deviation = points["active"].mean(), points["active"].std()
        if deviation > 0:
            along = np.linspace(mean - 4 * deviation, mean + 4 * deviation, 161)
            axes.plot(along, norm.pdf(along, mean, deviation), color=color, linestyle=line, lw=2)
    axes.grid(False, axis="x")
    axes.set(
        xlabel=f"Active units, of {network['units'].iloc[0]}", ylabel="Share of points per unit"
    )


def _draw_quantiles(axes: Axes, networks: pd.DataFrame) -> None:
    """Quantiles of standardized counts against those of the normal distribution."""
    fewest = networks.groupby(KEPT_NETWORK).size().min()
    normal = NORMAL[np.abs(norm.cdf(NORMAL) - 0.5) <= 0.5 - 0.5 / fewest]  # As far as points go.
    axes.plot(normal, normal, color="black", linewidth=0.9, linestyle=":", zorder=4)
    for trained, points in networks.groupby("trained"):
        _, color, line = LOOKS[trained]
        curves = [
            standardized_quantiles(counts, normal)
            for _, counts in points.groupby(KEPT_NETWORK)["active"]
            if counts.nunique() > 1
        ]
        if curves:
            axes.plot(normal, np.mean(curves, axis=0), color=color, linestyle=line, linewidth=2)
            low, high = np.quantile(curves, BAND, axis=0)
            axes.fill_between(normal, low, high, color=color, alpha=0.2, linewidth=0)
    axes.set(xlabel="Normal quantile", ylabel="Quantile over points")


def _draw_distances(axes: Axes, networks: pd.DataFrame) -> None:
    """The share of points whose distance is below a value."""
    drawn = []
    usable = networks[np.isfinite(networks["inradius"]) & (networks["inradius"] > 0)]
    for trained, points in usable.groupby("trained"):
        _, color, line = LOOKS[trained]
        curves = [distance_quantiles(of) for _, of in points.groupby(KEPT_NETWORK)["inradius"]]
        mean, (low, high) = np.mean(curves, axis=0), np.quantile(curves, BAND, axis=0)
        axes.plot(np.exp(mean), 100 * SHARES, color=color, linestyle=line, linewidth=2)
        axes.fill_betweenx(
            100 * SHARES, np.exp(low), np.exp(high), color=color, alpha=0.2, linewidth=0
        )
        drawn += [np.exp(low), np.exp(high)]
    if drawn:
        logarithmic(axes.xaxis, pd.Series(np.concatenate(drawn)))
    axes.set(xlabel="Inradius (units of the input)", ylabel="Points that are nearer (%)")


def _first_network(networks: pd.DataFrame, fitted_accuracy: float) -> pd.DataFrame:
    """The rows of one network, if there is one that is there before and after training."""
    steps = networks.drop_duplicates(KEPT_NETWORK)
    steps = steps.assign(
        kept=steps.groupby(NETWORK)["step"].transform("size"),
        fitted=has_fitted(steps, fitted_accuracy=fitted_accuracy) & steps["trained"],
    )
    first = steps.sort_values(["kept", "fitted"], ascending=False, kind="stable").iloc[0]
    return networks[(networks[NETWORK] == first[NETWORK]).all(axis=1)]


def _name(network: pd.DataFrame) -> str:
    about = network.iloc[0]
    return (
        f"Depth {about['depth']}, width {about['width']}, "
        f"{about['activation']}, seed {about['seed']}"
    )


def _legend(figure: Figure, rows: pd.DataFrame) -> None:
    """Add a legend in the corner above the panels."""
    looks = {
        name: {"color": color, "linestyle": line}
        for trained, (name, color, line) in LOOKS.items()
        if (rows["trained"] == trained).any()
    }
    band = Patch(color=QUIET, alpha=0.3, linewidth=0, label="nine of ten networks")
    normal = {"color": "black", "linewidth": 0.9, "linestyle": ":"}
    lines = labelled(looks | {"normal": normal}, linewidth=2)
    handles = [*lines[:-1], band, lines[-1]]
    figure.legend(handles=handles, loc="upper right", ncols=4, columnspacing=1.6)
