import numpy as np
import pytest

from generalization.experiments.output_sensitivity.predicted_loss import predicted_loss

# Stored by the authors: CIFAR-10, 1,000 training images, 4 hidden layers of so many units, initial
# weights N(0, 1), Adam. Sensitivity after training, test loss.
STORED = {200: (1.2706e8, 35_511), 300: (6.0827e8, 92_611), 500: (5.4838e9, 317_055)}
RATIO = 0.2648 / 0.1**2
SENSITIVITIES, LOSSES = np.array(list(STORED.values())).T


def test_line_of_the_authors_results():
    line = predicted_loss(SENSITIVITIES, RATIO, 10)
    assert line == pytest.approx([38_911, 85_136, 255_626], rel=2e-5)
    assert (LOSSES / line).round(2).tolist() == [0.91, 1.09, 1.24]


def test_their_losses_grow_faster_than_the_root_of_the_line():
    x, y = np.log(SENSITIVITIES), np.log(LOSSES)
    assert np.polyfit(x, y, 1)[0] == pytest.approx(0.580, abs=5e-4)
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(0.9997, abs=5e-5)
    line = np.log(predicted_loss(SENSITIVITIES, RATIO, 10))
    assert np.polyfit(x, line, 1)[0] == pytest.approx(0.5)


def test_constant_is_a_variance_beside_that_of_noise():
    assert predicted_loss(0.0, 5.0, 2, constant=4.0) == pytest.approx(1)
    both = predicted_loss(2.0, 5.0, 4, constant=6.0)
    assert both == pytest.approx(predicted_loss(1.0, 16.0, 4)) == pytest.approx(6**0.5)
