import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from generalization.figures.marks import bars, mean_line, mean_over_seeds


def test_band_is_one_standard_error_to_both_sides():
    axes = Figure().add_subplot()
    means = pd.DataFrame({"mean": [1.0, 2.0, 4.0], "sem": [0.1, np.nan, 0.3]}, index=[1, 2, 3])
    mean_line(axes, means, color="black", marker="o")
    assert axes.lines[0].get_xydata() == pytest.approx(np.array([[1, 1], [2, 2], [3, 4]]))
    vertices = axes.collections[0].get_paths()[0].vertices
    widths = [np.ptp(vertices[vertices[:, 0] == place, 1]) for place in (1, 2, 3)]
    assert widths == pytest.approx([0.2, 0, 0.6])


@pytest.mark.parametrize(("sem", "band"), [(np.nan, True), (0.1, False)])
def test_one_network_has_no_band(sem, band):
    axes = Figure().add_subplot()
    mean_line(axes, pd.DataFrame({"mean": [1.0], "sem": [sem]}), band=band, color="black")
    assert len(axes.lines) == 1
    assert not axes.collections


def test_bars_reach_to_the_ends_of_intervals():
    reach = bars(pd.Series([0.5, 0.9, 0.3]), pd.Series([0.4, 0.95, np.nan]), [0.8, 1.0, np.nan])
    assert reach == pytest.approx(np.array([[0.1, 0, 0], [0.3, 0.1, 0]]))
    assert bars(2.0, 1.5, 4.0) == pytest.approx(np.array([[0.5], [2.0]]))


def test_mean_is_of_the_same_networks_at_every_step():
    ensemble = pd.DataFrame(
        [
            (1, 0, 2.0),
            (1, 3, 1.0),
            (1, 15, 0.5),
            # Ended at step 3, and goes on as it was.
            (2, 0, 4.0),
            (2, 3, 3.0),
            # Not kept at step 3, half way between 0 and 15 on a logarithmic axis.
            (3, 0, 6.0),
            (3, 15, 5.0),
            # Diverged: has no value after step 3.
            (4, 0, 8.0),
            (4, 3, 9.0),
            (4, 15, np.nan),
        ],
        columns=["seed", "step", "train_loss"],
    )
    assert mean_over_seeds(ensemble, "train_loss").to_dict() == pytest.approx({
        0: 20 / 4,
        3: (1 + 3 + 5.5 + 9) / 4,
        15: (0.5 + 3 + 5) / 3,
    })
