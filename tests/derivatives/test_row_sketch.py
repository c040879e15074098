import re

import pytest
import torch
from scipy.stats import binom
from torch import Generator, nn
from torch.testing import assert_close

import generalization
from generalization.derivatives.fisher_sketch import fisher_directions, fisher_traces
from generalization.derivatives.input_jacobian import input_jacobian_norm
from generalization.derivatives.row_counts import MOST_EXACT_CLASSES, ROWS, computed_rows
from generalization.derivatives.row_sketch import (
    Rows,
    logit_directions,
    sketched_jacobian_norm,
    softmax_directions,
)
from generalization.devices import at_most
from generalization.errors import InputError
from generalization.measures.curvature import curvature
from generalization.measures.gauss_newton_trace import gauss_newton_trace
from generalization.measures.jacobian_norm import (
    gaussian_jacobian_norm,
    jacobian_norm,
    logit_jacobian_norm,
    train_jacobian_norm,
    translation_jacobian_norm,
)
from generalization.measures.takeuchi import tic_of_diagonals, tic_of_traces
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.standard_errors import collecting_standard_errors

CLASSES = 200
LABELS = torch.arange(60) % CLASSES
SUMS = ["tic_of_traces", "tic_of_diagonals"]  # Over parameters or samples: one value each.
DRAWS = 500
DIRECTIONS = {"logits": logit_directions, "softmax": softmax_directions}
EXACT = {"logits": logit_jacobian_norm, "softmax": jacobian_norm}


def seeded(seed=0):
    return Generator().manual_seed(seed)


def images(count=6):
    return torch.randn(count, 3, 4, 4, generator=seeded(1), dtype=torch.float64)


def linear(scale=1.0, classes=CLASSES, features=48):
    module = nn.Sequential(nn.Flatten(), nn.Linear(features, classes, bias=False)).double()
    weight = torch.randn(classes, features, generator=seeded(2), dtype=torch.float64)
    module[1].weight.data = scale * weight / features**0.5
    return module


def perceptron(scale=1.0, classes=CLASSES):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = [nn.Flatten(), nn.Linear(48, 40), nn.Tanh(), nn.Linear(40, 40), nn.ReLU()]
        module = nn.Sequential(*layers, nn.Linear(40, classes)).double()
    module[-1].weight.data *= scale
    return module


def means(module, kind, rows=ROWS):
    """Mean norms of many draws, and their standard errors."""
    inputs = images().repeat(DRAWS, 1, 1, 1)
    found = sketched_jacobian_norm(module, inputs, DIRECTIONS[kind], rows, seeded())
    norms, variances = (one.unflatten(0, (DRAWS, -1)) for one in found)
    return norms.mean(1), variances.sum(1).sqrt() / norms.shape[1]


def covers_at_its_rate(values, errors, truth):
    inside = int(((values - truth).abs() < 1.96 * errors).sum())
    low, high = binom.interval(0.999, len(values), 0.95)
    return low <= inside <= high


@pytest.mark.parametrize("build", [linear, perceptron])
@pytest.mark.parametrize(("kind", "scale"), [("logits", 1.0), ("softmax", 1.0), ("softmax", 4.0)])
def test_the_standard_error_covers_the_exact_mean_at_its_rate(build, kind, scale):
    module = build(scale)
    exact = EXACT[kind](module, images()).mean()
    values, errors = means(module, kind)
    assert covers_at_its_rate(values, errors, exact)
    assert errors.mean() < 0.06 * exact
    # The mean over draws has an error of its own.
    assert (values.mean() - exact).abs() < (0.1 + 3 / DRAWS**0.5) * errors.mean()
    assert errors.square().mean().sqrt().item() == pytest.approx(values.std().item(), rel=0.15)


def test_the_norm_of_a_linear_network_is_that_of_its_weights():
    module = linear()
    values, errors = means(module, "logits")
    truth = module[1].weight.norm()
    assert covers_at_its_rate(values, errors, truth)
    assert (values.mean() - truth).abs() < (0.1 + 3 / DRAWS**0.5) * errors.mean()


def test_the_root_of_few_rows_of_rank_one_is_hardly_biased():
    # The root of the mean of 4 squares of normal numbers, 6 % too small on average.
    module = linear()
    module[1].weight.data = module[1].weight.data[:, :1] @ module[1].weight.data[:1]
    values, _ = means(module, "logits", rows=4)
    ratios = values / module[1].weight.norm()
    assert (ratios.mean() - 1).abs() < 0.01 + 3 * ratios.std() / DRAWS**0.5


@pytest.mark.parametrize("kind", DIRECTIONS)
def test_all_rows_are_exact(kind):
    module, classes = perceptron(classes=12), 12
    norms, variances = sketched_jacobian_norm(module, images(), DIRECTIONS[kind], classes, seeded())
    assert_close(norms, EXACT[kind](module, images())[0])
    assert variances.max() < 1e-20


@pytest.mark.parametrize("scale", [300.0, 3000.0])
def test_rows_of_a_saturated_softmax_keep_their_digits(scale):
    module = perceptron(scale)
    exact = jacobian_norm(module, images())[0]
    assert exact.min() < 1e-3 * exact.max()
    norms, variances = sketched_jacobian_norm(
        module, images(), softmax_directions, CLASSES // 2, seeded()
    )
    assert_close(norms, exact, rtol=1e-3, atol=0)
    single, _ = sketched_jacobian_norm(
        perceptron(scale).float(), images().float(), softmax_directions, CLASSES // 2, seeded()
    )
    assert_close(single, norms, rtol=1e-6 * (10 + 10 * scale), atol=0)
    assert (variances.sqrt() < 1e-3 * exact).all()


def test_constant_networks_are_zero_without_an_error():
    module = linear(0.0)
    for kind in DIRECTIONS:
        norms, variances = sketched_jacobian_norm(module, images(), DIRECTIONS[kind], 8, seeded())
        assert norms.abs().max() == variances.max() == 0


@pytest.mark.parametrize("scale", [1.0, 8.0])
@pytest.mark.parametrize("build", [linear, perceptron])
def test_traces_are_unbiased_and_their_error_covers_the_exact_mean(build, scale):
    module = build(scale)
    exact = gauss_newton_trace(module, images())[0]
    norms = fisher_traces(module, images().repeat(DRAWS, 1, 1, 1), Rows(ROWS, seeded()))
    values = norms.values.view(DRAWS, -1).mean(1)
    errors = norms.variances.view(DRAWS, -1).sum(1).sqrt() / len(exact)
    assert covers_at_its_rate(values, errors, exact.mean())
    assert (values.mean() - exact.mean()).abs() < 3.5 * errors.mean() / DRAWS**0.5
    assert errors.square().mean().sqrt().item() == pytest.approx(values.std().item(), rel=0.15)
    assert errors.mean() < 0.1 * exact.mean()


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 3, 11, 5, 7])], ids=["no", "labels"])
@pytest.mark.parametrize("scale", [0.1, 10.0, 3000.0])
def test_rows_of_the_fisher_information_are_those_of_its_root(scale, labels):
    logits = scale * torch.randn(5, 12, generator=seeded(), dtype=torch.float64)
    sigma = logits.softmax(1)
    fisher = torch.diag_embed(sigma) - sigma[:, :, None] * sigma[:, None, :]
    rows, size, exact, dimensions = fisher_directions(logits, 12, seeded(), labels)
    assert (exact, dimensions) == (6, 6)
    found = size[:, None, None].square() * rows.mT @ rows
    assert_close(found, fisher, rtol=1e-9, atol=1e-14)


def test_rows_of_labels_are_exact_however_unlikely_they_are():
    logits = 10 * torch.randn(5, 40, generator=seeded(), dtype=torch.float64)
    labels = logits.argmin(1)
    rows, size, exact, _ = fisher_directions(logits, 8, seeded(), labels)
    sigma = logits.softmax(1)
    of_labels = torch.nn.functional.one_hot(labels, 40) - sigma
    expected = sigma.gather(1, labels.unsqueeze(1)).sqrt() * of_labels
    found = (size[:, None, None] * rows)[:, :exact]
    assert torch.isclose(found, expected.unsqueeze(1), rtol=1e-12, atol=0).all(2).any(1).all()


@pytest.mark.filterwarnings("ignore:.* rows drawn of")
def test_ratios_at_unlikely_labels_are_close():
    module, images_of = perceptron(300.0), images(30)
    labels = module(images_of).argmin(1)
    exact = tic_of_diagonals(module, images_of, labels, rows="all")
    for seed in range(5):
        found = tic_of_diagonals(module, images_of, labels, generator=seeded(seed))
        assert_close(found, exact, rtol=0.01, atol=0)


def test_traces_of_a_saturated_softmax_keep_their_digits():
    module = perceptron(300.0)
    exact = gauss_newton_trace(module, images())[0]
    assert exact.min() < 1e-9 * exact.max()
    norms = fisher_traces(module, images(), Rows(CLASSES // 2, seeded()))
    assert_close(norms.values[0], exact, rtol=1e-2, atol=0)


MEASURES = {
    "gauss_newton_trace": lambda module, **how: gauss_newton_trace(module, images(), **how),
    "tic_of_traces": lambda module, **how: tic_of_traces(module, images(60), LABELS, **how),
    "tic_of_diagonals": lambda module, **how: tic_of_diagonals(module, images(60), LABELS, **how),
    "curvature": lambda module, **how: curvature(module, images(), grid_points=16, **how),
    "jacobian_norm": lambda module, **how: jacobian_norm(module, images(), **how),
    "logit_jacobian_norm": lambda module, **how: logit_jacobian_norm(module, images(), **how),
    "train_jacobian_norm": lambda module, **how: train_jacobian_norm(module, images(), **how),
    "translation_jacobian_norm": lambda module, **how: translation_jacobian_norm(
        module, images(), grid_points=6, **how
    ),
}


@pytest.mark.filterwarnings("ignore:.* rows drawn of")
@pytest.mark.parametrize("name", MEASURES)
def test_measures_tell_their_error_and_follow_their_seed(name):
    module, measure = perceptron(), MEASURES[name]
    exact = measure(module, generator=seeded(), rows="all")
    assert torch.equal(measure(module), exact)
    with collecting_standard_errors() as told:
        found = measure(module, generator=seeded(5))
    assert torch.equal(found, measure(module, generator=seeded(5)))
    assert not torch.equal(found, measure(module, generator=seeded(6)))
    assert (found.mean() - exact.mean()).abs() < 4 * told[-1]
    assert 0 < told[-1] < 0.05 * exact.mean()
    with collecting_standard_errors() as fewer:
        measure(module, generator=seeded(5), rows=8)
    assert fewer[-1] > 1.3 * told[-1]


@pytest.mark.filterwarnings("ignore:.* rows drawn of")
@pytest.mark.parametrize(
    "name",
    ["jacobian_norm", "translation_jacobian_norm", "gauss_newton_trace", "curvature", *SUMS],
)
def test_the_error_that_is_told_is_the_spread_over_seeds(name):
    module, values, errors = perceptron(), [], []
    for seed in range(60):
        with collecting_standard_errors() as told:
            values.append(MEASURES[name](module, generator=seeded(seed), rows=8).mean())
        errors.append(told[-1].item())
    assert torch.stack(values).std().item() == pytest.approx(sum(errors) / 60, rel=0.3)


@pytest.mark.filterwarnings("ignore:.* rows drawn of")
def test_curvature_over_all_regions_is_unbiased_and_its_error_covers_it():
    layers = [nn.Flatten(), nn.Linear(48, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = nn.Sequential(*layers, nn.Linear(12, CLASSES)).double()
    exact, ratios, errors = curvature(module, images(), rows="all").mean(), [], []
    for seed in range(100):
        with collecting_standard_errors() as told:
            found = curvature(module, images(), generator=seeded(seed)).mean()
        ratios.append(found / exact)
        errors.append(told[-1] / exact)
    ratios, errors = torch.stack(ratios), torch.cat(errors)
    assert (ratios.mean() - 1).abs() < 3 * ratios.std() / 100**0.5
    assert errors.mean().item() == pytest.approx(ratios.std().item(), rel=0.2)
    assert errors.mean() < 0.05
    assert covers_at_its_rate(ratios, errors, 1.0)


@pytest.mark.filterwarnings("ignore:.* rows drawn of")
def test_random_inputs_have_independent_rows():
    module = perceptron()
    exact = gaussian_jacobian_norm(module, images(), seeded(), random_samples=40, rows="all")
    found = gaussian_jacobian_norm(module, images(), seeded(), random_samples=40)
    ratios = found / exact
    assert ratios.mean() == pytest.approx(1, abs=0.03)
    assert ratios.std() > 0.01


@pytest.mark.filterwarnings("ignore:.* rows drawn of")
def test_values_do_not_depend_on_the_size_of_chunks():
    module = perceptron()
    one = jacobian_norm(module, images(), generator=seeded())
    with at_most(2):
        assert_close(jacobian_norm(module, images(), generator=seeded()), one, rtol=1e-12, atol=0)


def test_few_classes_and_stacks_are_exact():
    assert computed_rows(MOST_EXACT_CLASSES) == MOST_EXACT_CLASSES
    assert computed_rows(MOST_EXACT_CLASSES + 1) == ROWS
    assert computed_rows(1000, 1000) == 1000
    few = perceptron(classes=MOST_EXACT_CLASSES)
    state = (generator := seeded()).get_state()
    assert torch.equal(
        jacobian_norm(few, images(), generator=generator), jacobian_norm(few, images())
    )
    stack = FullyConnectedNetworks((torch.randn(2, CLASSES, 48, dtype=torch.float64),), "relu")
    jacobian_norm(stack, images(), generator=generator)
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("rows", [3, 0, -1, True, 8.0, "8", "every", None])
def test_a_number_of_rows_that_cannot_be_meant_is_refused(rows):
    sentence = f"jacobian_norm: rows must be 'all' or an integer of at least 4, not {rows!r}."
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        jacobian_norm(perceptron(), images(), rows=rows)


@pytest.mark.parametrize("rows", [3, "every", None])
def test_rows_that_cannot_be_meant_cost_no_other_row(rows):
    names = [*MEASURES, "gaussian_jacobian_norm"]
    settings = {name: {"rows": rows} for name in names} | {"output_entropy": {}}
    table = generalization.measure(perceptron(), images(), torch.arange(6), settings)
    status = table.set_index("measure")["status"]
    assert status.pop("output_entropy") == "ok"
    refused = f"rows must be 'all' or an integer of at least 4, not {rows!r}."
    assert list(status) == [f"{name}: {refused}" for name in names]


def test_a_row_says_that_it_is_sampled_and_how():
    names = [*MEASURES, "gaussian_jacobian_norm"]
    chosen = {name: {} for name in names} | {
        "gaussian_jacobian_norm": {"random_samples": 20},
        "curvature": {"grid_points": 16},
    }
    table = generalization.measure(perceptron(), images(), torch.arange(6), chosen)
    table = table.set_index("measure")
    assert (table["status"] == "ok").all()
    assert (table["method"] == "sampled").all()
    how = r"32 rows drawn of 200, ±[\d.]+% a draw"
    grid = r"sampled at 16 points, \d+\.\d% more than at half as many, "
    for name in MEASURES:
        before = {"curvature": grid, "translation_jacobian_norm": "sampled at 56 points; "}
        before = before.get(name, "")
        after = "" if name in SUMS else r"; ±\d+\.\d% over inputs"
        assert re.fullmatch(before + how + after, table.loc[name, "note"])
    every = {name: {**settings, "rows": "all"} for name, settings in chosen.items()}
    exact = generalization.measure(perceptron(), images(), torch.arange(6), every)
    exact = exact.set_index("measure")
    sampled = {"curvature", "gaussian_jacobian_norm", "translation_jacobian_norm"}
    assert all((exact["method"] == "sampled") == exact.index.isin(sampled))
    apart = (table["value"] - exact["value"]).abs() / table["standard_error"]
    assert (apart < 4).all()
    means = [name for name in MEASURES if name not in SUMS]
    assert (table["standard_error"] < exact["standard_error"])[means].all()


def test_few_classes_are_measured_once(monkeypatch):
    calls = []

    def counted(*arguments):
        calls.append(1)
        return input_jacobian_norm(*arguments)

    monkeypatch.setattr("generalization.derivatives.row_sketch.input_jacobian_norm", counted)
    generalization.measure(perceptron(classes=5), images(), measures="jacobian_norm")
    assert len(calls) == 1
