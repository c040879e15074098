"""The test loss and accuracy in the course of training, beside estimates of them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from generalization.experiments.tangent_sensitivity.loss_estimate_errors import group_keys
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import figure_of_words, styled
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
LAST = {"last": ("Test, one kept step ago", {"color": "#000000", "marker": "D"})}
MARK = {"markersize": 4, "linewidth": 1.2}
STEP = "Training step"
# Kind of panel and quantity → labels of the axes.
ROWS = {
    ("course", "loss"): ("", "Cross-entropy (nats)"),
    ("course", "accuracy"): (STEP, "Accuracy"),
    ("errors", "loss"): ("Mean absolute error (nats)", ""),
    ("errors", "accuracy"): ("Mean absolute error (accuracy)", ""),
}
MOST_GROUPS, MOST_MARKERS = 3, 12


@styled
def loss_estimate_curves(
    loss_estimates: pd.DataFrame, loss_estimate_errors: pd.DataFrame, training: pd.DataFrame
) -> Figure:
    """Estimates of the test loss and accuracy over steps, as Daróczy 2020, Fig. 3 and Table 2.

    A column of panels per dataset and variant, at most three, those of SGD first as in the paper,
    and of these the one without normalization or dropout: the course of the first network that has
    estimates, over epochs if it was kept after each, and below it the mean absolute errors of all
    networks, with their intervals.

    Returns:
        The figure; words, if no network has an estimate and the truth.
    """
    keys = group_keys(training)
    rows = _with_epochs(with_networks(loss_estimates, training))
    # The variants of one optimizer come before those of the next.
    order = [keys[0], *keys[:0:-1]]
    drawable = _drawable(rows)
    if drawable.empty:
        return figure_of_words("No network was kept at two steps and has a loss to be estimated.")
    there = drawable[order].drop_duplicates().sort_values(order, key=_plainest_first)[keys]
    groups = Facet.of(
        drawable,
        *keys,
        order=[*there.itertuples(index=False, name=None)],
        most=MOST_GROUPS,
        name=lambda *values: _heading(dict(zip(keys, values, strict=True))),
        noun="kinds of networks",
    )

    def draw(panel: Panel) -> None:
        kind, quantity = panel.row
        if kind == "course":
            first = panel.table[NETWORK].drop_duplicates().sort_values(NETWORK).head(1)
            network = panel.table.merge(first, on=NETWORK)
            _draw_course(panel.axes, network[network["quantity"] == quantity])
        else:
            errors = groups.select(loss_estimate_errors, panel.column)
            _draw_errors(panel, errors[errors["quantity"] == quantity])
        if quantity == "accuracy":
            axis = panel.axes.yaxis if kind == "course" else panel.axes.xaxis
            axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))

    def heading(panel: Panel) -> str:
        networks = len(panel.table.drop_duplicates(NETWORK))
        return f"{panel.column_name}\nNetwork 1 of {networks:,}" * panel.top

    def along(panel: Panel) -> str:
        by_epoch = ROWS[panel.row][0] == STEP and drawable["by_epoch"].all()
        return "Epoch" if by_epoch else ROWS[panel.row][0]

    lines = labelled({name: MARK | look for name, look in LINES.values()})
    return SmallMultiples(
        rows=Facet.each(dict.fromkeys(ROWS, "")),
        columns=groups,
        size=(2.6, 2.4),
        margin=(3.6, 0),
        fewest=4.6 / 2.6,
        grid={"gridspec_kw": {"height_ratios": (3, 3, 1.5, 1.5)}},
        heading=heading,
        x=along,
        y=lambda panel: ROWS[panel.row][1] * panel.left,
        headline="Estimates of test loss and accuracy; errors are means over {networks}",
        legend={
            "Measured": [*labelled({"Test": MARK | TRUTH}), lines[0]],
            "Estimated": lines[1:],
        },
    ).draw(drawable, draw)


def _plainest_first(column: pd.Series) -> pd.Series:
    """Sort key of a column of names: SGD, and what is not done, before all others."""
    return column.mask(column.isin(["sgd", "none"]), "")


def _heading(about: Mapping[str, object]) -> str:
    """The dataset, and what is told apart, each in words; what is not done is not named."""
    words = {"normalization": "{} normalization", "dropout": "dropout {}"}
    variants = [
        words.get(key, "{}").format(value_name(value))
        for key, value in about.items()
        if key != "dataset" and value not in ("none", 0)
    ]
    return "\n".join([about["dataset"], *([", ".join(variants)] if len(about) > 1 else [])])


def _with_epochs(rows: pd.DataFrame) -> pd.DataFrame:
    """Count epochs instead of steps, ``by_epoch``, if all networks were kept after every epoch."""
    by_epoch = rows["kept_steps"].eq("every_epoch").all()
    # The untrained network has no estimate, so that the first step is the end of the first epoch.
    epoch = rows.groupby(NETWORK)["step"].transform("min") if by_epoch else 1
    return rows.assign(step=rows["step"] / epoch, by_epoch=by_epoch)


def _drawable(rows: pd.DataFrame) -> pd.DataFrame:
    """Lines at steps at which there are an estimate and the truth."""
    lines = rows["estimator"].isin(LINES)
    return rows[lines & rows["estimate"].notna() & rows["truth"].notna()]


def _draw_course(axes: Axes, network: pd.DataFrame) -> None:
    """Truth and estimates of one network."""
    for place, (estimator, (_, look)) in enumerate(LINES.items()):
        course = network[network["estimator"] == estimator].sort_values("step", kind="stable")
        every = -(-len(course) // MOST_MARKERS)
        # Markers of lines that lie on each other are beside each other.
        marked = {"markevery": (place * every // len(LINES), every)} if every else {}
        axes.plot(course["step"], course["estimate"], label=estimator, **MARK | look | marked)
    truth = network[network["estimator"] == "train"].sort_values("step", kind="stable")
    axes.plot(truth["step"], truth["truth"], label="test", **MARK | TRUTH)
    # Eq. 5 divides by ln w, which may be near 0: its peaks are cut off.
    measured = network.loc[network["estimator"] == "train", ["estimate", "truth"]]
    usual = network["estimate"].quantile([0.05, 0.95])
    low, high = min(measured.min().min(), usual.min()), max(measured.max().max(), usual.max())
    margin = 0.08 * (high - low) or 0.01
    axes.set_ylim(low - margin, high + margin)
    if truth["step"].diff().max() > truth["step"].max() / 4:  # Kept ever more rarely.
        axes.set_xscale("log")


def _draw_errors(panel: Panel, errors: pd.DataFrame) -> None:
    """Draw errors of all networks with their intervals, one line per estimator."""
    axes = panel.axes
    errors = errors.set_index("estimator").reindex([*LINES, *LAST])
    for place, (estimator, (_, look)) in enumerate((LINES | LAST).items()):
        row = errors.loc[estimator]
        look = {"marker": "o", "markersize": 6} | look | {"linewidth": 2}
        axes.plot(row[["low", "high"]].to_list(), [place, place], color=look["color"])
        axes.plot([row["estimate"]], [place], label=estimator, **look)
    axes.axvline(errors.loc["train", "estimate"], color="#A8A8A8", linestyle="--", zorder=0)
    axes.set_ylim(len(errors) - 0.5, -0.5)
    names = [name for name, _ in (LINES | LAST).values()]
    axes.set_yticks(range(len(errors)), names if panel.left else [])
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlim(left=0)
