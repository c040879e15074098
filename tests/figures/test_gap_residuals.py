import numpy as np
import pytest
import statsmodels.api as sm
from oracles.studies import made_measures

from generalization.figures.gap_residuals import gap_residuals
from generalization.names import readable
from generalization.statistics.fit_statistics import fit_statistics
from generalization.statistics.population import population
from generalization.statistics.resampling import Resampling

MEASURES = made_measures()


def names_of(figure):
    return [axes.get_title(loc="left").split("\n")[0] for axes in figure.axes]


@pytest.fixture(scope="module")
def statistics():
    resampling = Resampling(np.random.default_rng(0), 20)
    return fit_statistics(
        MEASURES, resampling=resampling, permutations=19, baselines=["training_loss"]
    )[0]


def test_leading_measures_have_a_panel_in_order(statistics):
    given = statistics.query(
        "statistic == 'spearman_given_design' and selection == 'fitted' and kind == 'candidate'"
    ).dropna(subset="estimate")
    order = given.assign(size=given["estimate"].abs()).sort_values("size", ascending=False)
    figure = gap_residuals(MEASURES, statistics)
    assert names_of(figure) == [readable(name) for name in order["measure"][:6]]


def test_line_has_the_slope_of_a_regression_on_design_and_measure(statistics):
    some = population(MEASURES, "fitted", generator=np.random.default_rng(0), fitted_accuracy=0.999)
    figure = gap_residuals(MEASURES, statistics)
    for axes in figure.axes:
        points = np.asarray(axes.collections[0].get_offsets())
        assert len(points) == 34
        # Residuals are orthogonal to the design, and hold what it leaves of the gap.
        assert some.design.T @ points == pytest.approx(
            np.zeros((some.design.shape[1], 2)), abs=1e-8
        )
        direct = sm.OLS(points[:, 1], points[:, 0]).fit()
        (x0, x1), (y0, y1) = axes.lines[-1].get_data()
        assert (y1 - y0) / (x1 - x0) == pytest.approx(direct.params[0])
    left = sm.OLS(100 * some.mean_gap, some.design).fit().resid
    for axes, name in zip(figure.axes, names_of(figure), strict=True):
        # One network lacks its transitions, so that its gap does not count.
        if name != "Transitions":
            points = np.asarray(axes.collections[0].get_offsets())
            assert points[:, 1] == pytest.approx(left, abs=1e-8)


def test_the_heading_of_one_panel_fits(statistics):
    one = statistics[statistics["measure"] == "jacobian_norm"]
    figure = gap_residuals(MEASURES, one)
    figure.draw_without_rendering()
    assert figure.get_suptitle().startswith("What the design leaves of the gap")
    assert figure._suptitle.get_window_extent().x1 <= figure.bbox.x1


@pytest.mark.parametrize("rows", ["spearman_given_design", "spearman"])
def test_words_where_no_measure_has_a_residual(statistics, rows):
    nothing = statistics.query(f"statistic == '{rows}'")
    nothing = nothing.assign(estimate=np.nan, note="no network is left")
    figure = gap_residuals(MEASURES, nothing)
    assert [text.get_text().replace("\n", " ") for text in figure.texts] == [
        "No partial correlation could be estimated: no network is left."
    ]
