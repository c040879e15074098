"""The test loss and accuracy in the course of training, beside estimates of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from generalization.experiments.tangent_sensitivity.loss_estimate_errors import group_keys
from generalization.figures.style import figure_of_words, legend, styled
from generalization.names import value_name
from generalization.tables import NETWORK, with_networks

# Estimator → its name and look, in the order in which they are drawn; with logarithms, as the
# author has them. The training loss is wide, since estimates are often almost the same.
LINES = {
    "train": ("Train", {"color": "#A8A8A8", "linewidth": 5}),
    "eq_5_log": ("Eq. 5: layer norms", {"color": "#D55E00", "marker": "o"}),
    "eq_6_log": ("Eq. 6: maximal", {"color": "#0072B2", "marker": "s"}),
    "eq_7_log": ("Eq. 7: empirical", {"color": "#009E73", "marker": "^"}),
}
TRUTH = {"color": "#000000", "linewidth": 2, "linestyle": "--"}
LAST = {"last": ("Test, one step ago", {"color": "#000000", "marker": "D"})}
MARK = {"markersize": 4, "linewidth": 1.2}
QUANTITIES = {"loss": "Cross-entropy (nats)", "accuracy": "Accuracy"}
MOST_GROUPS, MOST_MARKERS = 3, 12


@styled
def loss_estimate_curves(
    loss_estimates: pd.DataFrame, loss_estimate_errors: pd.DataFrame, training: pd.DataFrame
) -> Figure:
    """Estimates of the test loss and accuracy over steps, as Daróczy 2020, Fig. 3 and Table 2.

    A column of panels per dataset and variant, at most three: the course of the first network that
    has estimates, and below it the mean absolute errors of all networks, with their intervals.

    Args:
        loss_estimates: Table of a study.
        loss_estimate_errors: Table of a study.
        training: Table of ``collect_training``.

    Returns:
        The figure; words, if no network has an estimate and the truth.
    """
    keys = group_keys(training)
    rows = with_networks(loss_estimates, training)
    # The variants of one optimizer come before those of the next.
    order = [keys[0], *keys[:0:-1]]
    groups = [group for _, group in _drawable(rows).groupby(order, dropna=False)]
    if not groups:
        return figure_of_words("No network was kept at two steps and has a loss to be estimated.")
    groups = groups[:MOST_GROUPS]

    figure = Figure(figsize=(3.6 + max(2.6 * len(groups), 4.6), 9.6))
    heights = {"height_ratios": (3, 3, 1.5, 1.5)}
    grid = figure.subplots(4, len(groups), squeeze=False, gridspec_kw=heights)
    for panels, group in zip(grid.T, groups, strict=True):
        about, networks = group[keys].head(1), group[NETWORK].drop_duplicates()
        first = group.merge(networks.sort_values(NETWORK).head(1), on=NETWORK)
        errors = loss_estimate_errors.merge(about, on=keys)
        for course, bars, quantity in zip(panels[:2], panels[2:], QUANTITIES, strict=True):
            _draw_course(course, first[first["quantity"] == quantity])
            _draw_errors(bars, errors[errors["quantity"] == quantity])
        heading = f"{_heading(about.iloc[0])}\nNetwork 1 of {len(networks):,}"
        panels[0].set_title(heading, fontsize=11.5)
    _name_axes(grid)
    networks = pd.concat(groups).drop_duplicates(NETWORK)
    figure.suptitle(
        f"Estimates of test loss and accuracy; errors are means over {len(networks):,} networks",
        x=0.01,
        ha="left",
        weight="bold",
    )
    drawn = [Line2D([], [], label=name, **MARK | look) for name, look in LINES.values()]
    truth = Line2D([], [], label="Test", **MARK | TRUTH)
    legend(grid[0, -1], {"Measured": [truth, drawn[0]], "Estimated": drawn[1:]})
    return figure


def _heading(about: pd.Series) -> str:
    """The dataset, and what is told apart, each in words; what is not done is not named."""
    words = {"normalization": "{} normalization", "dropout": "dropout {}"}
    variants = [
        words.get(key, "{}").format(value_name(value))
        for key, value in about.items()
        if key != "dataset" and value not in ("none", 0)
    ]
    return "\n".join([about["dataset"], *([", ".join(variants)] if len(about) > 1 else [])])


def _drawable(rows: pd.DataFrame) -> pd.DataFrame:
    """Lines at steps at which there are an estimate and the truth."""
    lines = rows["estimator"].isin(LINES)
    return rows[lines & rows["estimate"].notna() & rows["truth"].notna()]


def _draw_course(axes: Axes, network: pd.DataFrame) -> None:
    """Truth and estimates of one network."""
    for place, (estimator, (_, look)) in enumerate(LINES.items()):
        course = network[network["estimator"] == estimator].sort_values("step")
        every = -(-len(course) // MOST_MARKERS)
        # Markers of lines that lie on each other are beside each other.
        marked = {"markevery": (place * every // len(LINES), every)} if every else {}
        axes.plot(course["step"], course["estimate"], label=estimator, **MARK | look | marked)
    truth = network[network["estimator"] == "train"].sort_values("step")
    axes.plot(truth["step"], truth["truth"], label="test", **MARK | TRUTH)
    # Eq. 5 divides by ln w, which may be near 0: its peaks are cut off.
    measured = network.loc[network["estimator"] == "train", ["estimate", "truth"]]
    usual = network["estimate"].quantile([0.05, 0.95])
    low, high = min(measured.min().min(), usual.min()), max(measured.max().max(), usual.max())
    margin = 0.08 * (high - low) or 0.01
    axes.set_ylim(low - margin, high + margin)
    if truth["step"].diff().max() > truth["step"].max() / 4:  # Kept ever more rarely.
        axes.set_xscale("log")


def _draw_errors(axes: Axes, errors: pd.DataFrame) -> None:
    """Errors of all networks with their intervals, one line per estimator."""
    errors = errors.set_index("estimator").reindex([*LINES, *LAST])
    for place, (estimator, (_, look)) in enumerate((LINES | LAST).items()):
        row = errors.loc[estimator]
        look = {"marker": "o", "markersize": 6} | look | {"linewidth": 2}
        axes.plot(row[["low", "high"]].to_list(), [place, place], color=look["color"])
        axes.plot([row["estimate"]], [place], label=estimator, **look)
    axes.axvline(errors.loc["train", "estimate"], color="#A8A8A8", linestyle="--", zorder=0)
    axes.set_ylim(len(errors) - 0.5, -0.5)
    axes.set_yticks(range(len(errors)), [])
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlim(left=0)


def _name_axes(grid: np.ndarray) -> None:
    """Labels, and names of estimators beside the first panels of errors."""
    for line, unit in zip(grid[:2], QUANTITIES.values(), strict=True):
        line[0].set_ylabel(unit)
    for line, unit in zip(grid[2:], ("nats", "accuracy"), strict=True):
        line[0].set_yticklabels([name for name, _ in (LINES | LAST).values()])
        for axes in line:
            axes.set_xlabel(f"Mean absolute error ({unit})")
    percent = FuncFormatter(lambda share, _: f"{100 * share:.4g} %")
    for course, bars in zip(grid[1], grid[3], strict=True):
        course.set_xlabel("Training step")
        course.yaxis.set_major_formatter(percent)
        bars.xaxis.set_major_formatter(percent)
