import re

import pytest
import torch
from torch import nn

import generalization
from generalization import bearable_costs
from generalization.bearable_costs import REDUCED
from generalization.catalog import MEASURES
from generalization.measures.noise_to_signal_slope import noise_to_signal_slope


@pytest.fixture
def module():
    """Tanh after the first layer, so that tangent sensitivities are estimated."""
    torch.manual_seed(0)
    layers = nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)
    return nn.Sequential(nn.Flatten(), *layers)


@pytest.fixture
def inputs():
    return torch.randn(20, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def test_what_is_reduced_are_settings_of_measures():
    assert set(REDUCED) <= set(MEASURES)
    families = {"pac_bayes", "worst_case_flatness"}
    assert {name for name in MEASURES if (MEASURES[name].file or name) in families} <= set(REDUCED)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("gaussian_jacobian_norm", r"(\d+) of 1000 random samples, ±(\S+)% over repeats"),
        ("tangent_sensitivity", r"(\d+) of 32 probes, ±(\S+)% over repeats"),
        ("mean_tangent_sensitivity", r"(\d+) of 32 probes, ±(\S+)% over repeats"),
    ],
)
def test_fewer_draws_agree_with_all_within_what_the_note_tells(
    module, inputs, monkeypatch, name, note
):
    labels = torch.arange(20) % 3
    whole = generalization.measure(module, inputs, labels, name)
    assert whole["note"].item() == ""
    size = bearable_costs._size(module, inputs)
    monkeypatch.setattr(bearable_costs, "MOST_WORK", 8 * REDUCED[name].work(size) / len(inputs))
    monkeypatch.setitem(REDUCED, name, REDUCED[name]._replace(fewest=1))
    reduced = generalization.measure(module, inputs, labels, name, repeats=8)
    found = re.fullmatch(note, reduced["note"].item())
    assert int(found[1]) == 8
    value = whole["value"].item()
    # Eight repeats know their spread to a quarter.
    assert abs(reduced["value"].item() / value - 1) < 4 * float(found[2]) / 100 < 0.4


def test_costly_means_are_over_the_first_inputs(module, inputs, monkeypatch):
    name = "noise_to_signal_slope"
    size = bearable_costs._size(module, inputs)
    monkeypatch.setattr(bearable_costs, "MOST_WORK", 5 * REDUCED[name].work(size) / len(inputs))
    row = generalization.measure(module, inputs, measures=name).iloc[0]
    assert row["value"] == pytest.approx(noise_to_signal_slope(module, inputs[:5]).mean().item())
    assert (row["note"], row["inputs"]) == ("at the first 5 of 20 inputs", 5)


def test_a_single_input_that_is_costly_is_refused(module, inputs, monkeypatch):
    name = "noise_to_signal_slope"
    size = bearable_costs._size(module, inputs)
    monkeypatch.setattr(bearable_costs, "MOST_WORK", 0)
    monkeypatch.setattr(bearable_costs, "MOST_WORK_ALONE", REDUCED[name].work(size))
    assert generalization.measure(module, inputs, measures=name)["inputs"].item() == 1
    monkeypatch.setattr(bearable_costs, "MOST_WORK_ALONE", 0.9 * REDUCED[name].work(size))
    status = generalization.measure(module, inputs, measures=name)["status"].item()
    sentence = (
        rf"{name}: inputs must take at most \S+ s each, not about \S+ s, as those of so many "
        r"features do\."
    )
    assert re.fullmatch(sentence, status)


def test_costly_means_over_loops_are_over_fewer_points_or_refused(module, inputs, monkeypatch):
    name = "translation_jacobian_norm"
    of_point = REDUCED[name].work(bearable_costs._size(module, inputs))
    monkeypatch.setattr(bearable_costs, "MOST_WORK", 9.5 * of_point / len(inputs) / 10)
    row = generalization.measure(module, inputs, measures=name).iloc[0]
    given = generalization.measure(module, inputs, measures={name: {"grid_points": 9}}).iloc[0]
    assert row["value"] == given["value"]
    assert row["note"] == "9 of 56 grid points; sampled at 9 points"
    assert given["note"] == "sampled at 9 points"
    monkeypatch.setattr(bearable_costs, "MOST_WORK", 7.5 * of_point / len(inputs) / 10)
    status = generalization.measure(module, inputs, measures=name)["status"].item()
    assert re.fullmatch(
        rf"{name}: grid_points must be given where they are costly, about \S+ s each, and 56 by "
        r"default, not left out\.",
        status,
    )


@pytest.mark.parametrize("name", ["transitions", "sampled_transitions", "curvature"])
def test_costly_loops_are_of_the_first_images_or_refused(module, inputs, monkeypatch, name):
    alone, per_row = bearable_costs.ON_LOOPS[name]
    of_image = 4 * (alone + 3 * per_row) * bearable_costs._size(module, inputs).evaluation
    monkeypatch.setattr(bearable_costs, "MOST_SAMPLED_WORK", 5.5 * of_image / len(inputs))
    row = generalization.measure(module, inputs, measures=name).iloc[0]
    assert row["inputs"] == 5
    assert row["note"].startswith("at the first 5 of 20 inputs; sampled at 4 points")
    given = {name: {"grid_points": 4}}
    whole = generalization.measure(module, inputs[:5], measures=given).iloc[0]
    assert row["value"] == whole["value"]
    assert generalization.measure(module, inputs, measures=given)["inputs"].item() == 20
    monkeypatch.setattr(bearable_costs, "MOST_SAMPLED_WORK", 0.9 * of_image / len(inputs))
    status = generalization.measure(module, inputs, measures=name)["status"].item()
    sentence = (
        rf"{name}: grid_points must be given where they are costly, about \S+ s an image at 4, not "
        r"left out\."
    )
    assert re.fullmatch(sentence, status)


def test_a_gram_matrix_of_many_classes_is_refused_unless_it_is_asked_for():
    classes, count = 200, 16
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, classes))
    inputs = torch.randn(count, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(count)
    name = "takeuchi_criterion"
    status = generalization.measure(module, inputs, labels, name)["status"].item()
    sentence = (
        rf"{name}: train_samples must be given where they are costly, about \S+ s each, and 50 by "
        r"default, not left out\."
    )
    assert re.fullmatch(sentence, status)
    given = generalization.measure(module, inputs, labels, {name: {"train_samples": 2}})
    assert given["status"].item() == "ok"


def test_too_few_steps_are_refused_unless_they_are_given(module, inputs, monkeypatch):
    monkeypatch.setattr(bearable_costs, "MOST_WORK", 0)
    labels, name = torch.arange(20) % 3, "adaptive_sharpness"
    status = generalization.measure(module, inputs, labels, name)["status"].item()
    sentence = (
        r"adaptive_sharpness: ascent_steps must be given where they are costly, about \S+ s each, "
        r"and 10 by default, not left out\."
    )
    assert re.fullmatch(sentence, status)
    given = generalization.measure(module, inputs, labels, {name: {"ascent_steps": 2}})
    note = "the worst of 2 perturbations on the ascent, a lower bound"
    assert given[["status", "note"]].iloc[0].tolist() == ["ok", note]


@pytest.mark.parametrize("convolutional", [False, True])
def test_sequences_that_are_costly_to_follow_are_sampled_and_close(monkeypatch, convolutional):
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3)]
    module = nn.Sequential(
        *(layers if convolutional else (nn.Flatten(), nn.Linear(64, 9), nn.ReLU(), nn.Linear(9, 3)))
    )
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    names = ["transitions", "curvature"]
    exact = generalization.measure(module, images, measures=names).set_index("measure")
    assert (exact["method"] == "exact").all()
    monkeypatch.setattr(bearable_costs, "MOST_FOLLOWED_WORK", 0)
    sampled = generalization.measure(module, images, measures=names).set_index("measure")
    assert (sampled["method"] == "sampled").all()
    note = sampled.loc["transitions", "note"]
    told = re.fullmatch(r"sampled at 4096 points, about (\S+)% below the exact count", note)
    missed = 1 - sampled["value"] / exact["value"]
    assert missed["transitions"] == pytest.approx(float(told[1]) / 100, abs=0.001)
    note = sampled.loc["curvature", "note"]
    assert re.fullmatch(r"sampled at 4096 points, \S+% more than at half as many", note)
    assert 0 <= missed["curvature"] < 0.03


def test_a_function_of_the_user_with_the_name_of_a_measure_is_left_alone(module, inputs):
    def theirs(inputs):
        return torch.full((1,), float(len(inputs)))

    found = generalization.measure(module, inputs, measures={"curvature": theirs})
    assert found["value"].item() == 20
