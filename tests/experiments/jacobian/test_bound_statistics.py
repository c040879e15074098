import numpy as np
import pandas as pd
import pytest
from oracles.point_tables import made_points, training_of
from scipy.special import log_softmax

from generalization.experiments.jacobian.bound_statistics import bound_statistics
from generalization.statistics.resampling import Resampling

FRACTIONS = [
    "true_row_within_eq_5",
    "norm_above_eq_6",
    "norm_above_eq_6_tightened",
    "norm_below_eq_7",
    "norm_between_eq_7_and_one_rival",
    "norm_above_true_row",
]
OF_CURVES = (
    "ratio_{}",
    "spread_{}",
    "correlation_{}",
    "slope_{}",
    "correlation_{}_exchanged",
    "correlation_{}_beyond_exchanged",
)
RELATIONS = [
    name.format(equation)
    for equation in ("eq_5", "eq_6", "eq_7")
    for name in (OF_CURVES[:1] if equation == "eq_6" else OF_CURVES)
]


def orthogonal(classes, *, m=5.0, networks=3, points=200):
    """Networks whose logit gradients are orthogonal and of one length everywhere."""
    generator = np.random.default_rng(0)
    tables = []
    for network in range(networks):
        log_sigma = log_softmax(6 * generator.normal(size=(points, classes)), axis=1)
        sigma = np.exp(log_sigma)
        jacobian = sigma[:, :, None] * (np.eye(classes) - sigma[:, None, :]) * np.sqrt(m)
        tables.append(
            pd.DataFrame({
                "ensemble": f"mnist-{network}",
                "seed": 1,
                "step": 9,
                "point": np.arange(points),
                "classes": classes,
                "cross_entropy": -log_sigma[:, 0],
                "jacobian_norm": np.linalg.norm(jacobian, axis=(1, 2)),
                "true_row_norm": np.linalg.norm(jacobian[:, 0], axis=1),
                "logit_gram_m": m,
            })
        )
    training = [
        {"ensemble": f"mnist-{network}", "seed": 1, "step": 9}
        | training_of("mnist", "cross_entropy")
        for network in range(networks)
    ]
    return pd.concat(tables), pd.DataFrame(training)


def statistics_of(study, resamples=100):
    table = bound_statistics(*study, resampling=Resampling(np.random.default_rng(1), resamples))
    return table.set_index("statistic")


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_bounds_hold_everywhere_where_their_assumption_does(classes):
    table = statistics_of(orthogonal(classes))
    assert table.index.tolist() == [*RELATIONS, *FRACTIONS]
    # Three ensembles of which all do bound the share of those that do.
    expected = pytest.approx([1, 0.025 ** (1 / 3), 1])
    for statistic in set(FRACTIONS) - {"norm_below_eq_7"}:
        assert table.loc[statistic, ["estimate", "low", "high"]].tolist() == expected


def test_eq_7_is_exceeded_by_most_points_where_its_assumption_holds():
    """It is the least there is for p ≥ 1/2, and far from the most below."""
    row = statistics_of(orthogonal(10)).loc["norm_below_eq_7"]
    assert row["high"] < 0.9


def test_fractions_are_those_of_the_definition():
    points, training = made_points(np.random.default_rng(0))
    expected = []
    for _, network in points.groupby(["ensemble", "seed"]):
        p, m = np.exp(-network["cross_entropy"]), network["logit_gram_m"].mean()
        row, norm = network["true_row_norm"], network["jacobian_norm"]
        eq_6 = np.sqrt(m * 10 / 9) * p * (1 - p)
        eq_7 = np.sqrt(m) / 9 * (1 - p) * np.sqrt(100 * p**2 + 8)
        sure = p >= 0.5
        expected.append([
            ((row >= eq_6) & (row <= np.sqrt(2 * m) * p * (1 - p))).mean(),
            (norm >= eq_6).mean(),
            (norm >= np.sqrt(m) * 10 / 9 * p * (1 - p)).mean(),
            (norm <= eq_7).mean(),
            ((norm >= eq_7) & (norm <= 2 * np.sqrt(m) * p * (1 - p)))[sure].mean(),
            (norm >= np.sqrt(10 / 9) * row).mean(),
        ])
    table = statistics_of((points, training))
    table = table.loc[FRACTIONS]
    assert table["estimate"].tolist() == pytest.approx(np.mean(expected, axis=0).tolist())
    assert table["estimate"].between(0, 1).all()
    assert (table["low"] < table["high"])[:5].all()


def test_networks_that_are_never_sure_have_no_share_of_sure_points():
    points, training = orthogonal(10)
    table = statistics_of((points.assign(cross_entropy=1 + points["cross_entropy"]), training))
    assert table.loc["norm_between_eq_7_and_one_rival", "networks"] == 0
    assert table.loc["norm_above_eq_6", "networks"] == 3


def planted(*, factor=1.0, spread=0.5, networks=6, points=400):
    """Networks whose norms are a factor from the curves, with residuals that losses know or not."""
    generator = np.random.default_rng(0)
    tables, training = [], []
    for network in range(networks):
        loss = np.exp(generator.normal(-3, 1.5, points))
        p, m = np.exp(-loss), 4.0
        residual = np.exp(spread * generator.normal(size=points)) * factor
        middle = np.sqrt(m) * p * (1 - p) * (20 / 9) ** 0.25
        eq_7 = np.sqrt(m) / 9 * (1 - p) * np.sqrt(100 * p**2 + 8)
        about = {"ensemble": f"mnist-{network}", "seed": 1, "step": 9}
        columns = {
            "point": np.arange(points),
            "classes": 10,
            "cross_entropy": loss,
            "jacobian_norm": eq_7 * residual,
            "true_row_norm": middle * residual,
            "logit_gram_m": m,
        }
        tables.append(pd.DataFrame(columns).assign(**about))
        training.append(about | training_of("mnist", "cross_entropy"))
    return pd.concat(tables), pd.DataFrame(training)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_ratio_and_spread_are_those_that_were_planted(factor):
    table = statistics_of(planted(factor=factor))
    for equation in ("eq_5", "eq_7"):
        ratio, spread = (table.loc[f"{name}_{equation}"] for name in ("ratio", "spread"))
        assert ratio["estimate"] == pytest.approx(factor, rel=0.05)
        assert ratio["low"] < factor < ratio["high"]
        assert spread["estimate"] == pytest.approx(0.5, abs=0.02)


def test_statistics_of_a_relation_are_those_of_the_definition():
    points, training = made_points(np.random.default_rng(0))
    expected = []
    for _, network in points.groupby(["ensemble", "seed"]):
        p, m = np.exp(-network["cross_entropy"]), network["logit_gram_m"].mean()
        curve = np.log(np.sqrt(m) / 9 * (1 - p) * np.sqrt(100 * p**2 + 8))
        norm = np.log(network["jacobian_norm"])
        slope, _ = np.polyfit(curve, norm, 1)
        correlation = np.corrcoef(norm, curve)[0, 1]
        expected.append([(norm - curve).mean(), (norm - curve).std(ddof=0), correlation, slope])
    ratio, *others = np.mean(expected, axis=0)
    names = [f"{name}_eq_7" for name in ("ratio", "spread", "correlation", "slope")]
    found = statistics_of((points, training)).loc[names, "estimate"].tolist()
    assert found == pytest.approx([np.exp(ratio), *others])


def test_exchanged_correlation_is_the_mean_over_permutations_of_residuals():
    points, training = planted(networks=1, points=2000)
    p = np.exp(-points["cross_entropy"])
    curve = np.log(2 / 9 * (1 - p) * np.sqrt(100 * p**2 + 8)).to_numpy()
    residual = np.log(points["jacobian_norm"]).to_numpy() - curve
    generator = np.random.default_rng(2)
    permuted = [
        np.corrcoef(curve + generator.permutation(residual), curve)[0, 1] for _ in range(200)
    ]
    row = statistics_of((points, training)).loc["correlation_eq_7_exchanged"]
    assert row["estimate"] == pytest.approx(np.mean(permuted), abs=1e-3)


def test_residuals_that_know_nothing_of_the_loss_have_nothing_over_exchanged_ones():
    """Correlation above .9, which says nothing: the control has the same."""
    table = statistics_of(planted(), resamples=400)
    for equation in ("eq_5", "eq_7"):
        row = table.loc[f"correlation_{equation}"]
        exchanged = table.loc[f"correlation_{equation}_exchanged", "estimate"]
        assert row["low"] > 0.9
        assert row["over_control_low"] < 0 < row["over_control_high"]
        assert row["over_control"] == pytest.approx(row["estimate"] - exchanged)
        assert row["note"].endswith(f"with residuals exchanged between points: {exchanged:.3g}")


def test_points_without_a_logarithm_are_left_out():
    points, training = planted(networks=5)
    gone = points.assign(jacobian_norm=points["jacobian_norm"].where(points["point"] > 0, 0.0))
    rest = points[points["point"] > 0]
    one, other = (statistics_of((rows, training)).loc["ratio_eq_7"] for rows in (gone, rest))
    assert one["estimate"] == pytest.approx(other["estimate"])


def test_exceptions_to_the_theorem_are_counted():
    points, training = made_points(np.random.default_rng(0))
    broken = points.assign(jacobian_norm=points["true_row_norm"])
    assert statistics_of(orthogonal(10)).loc["norm_above_true_row", "exceptions"] == 0
    row = statistics_of((broken, training)).loc["norm_above_true_row"]
    assert row["exceptions"] == len(points)
