import dataclasses
import json

import pytest

from generalization.hyperparameters import Hyperparameters, expand_grid, short_hash


def test_default_does_not_change_the_name():
    plain = Hyperparameters(dataset="digits")
    assert plain.name == Hyperparameters(dataset="digits", width=100, label_corruption=0).name


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ({}, "digits-77381e22"),
        ({"width": 200, "label_corruption": 0.5}, "digits-0dea6dc6"),
        ({"kept_steps": [0, 10], "biases": True, "stop_at_accuracy": None}, "digits-c6f47bc4"),
    ],
)
def test_names_and_with_them_results_are_kept_for_ever(chosen, name):
    assert Hyperparameters(dataset="digits", **chosen).name == name


def test_defaults_are_kept_for_ever():
    assert Hyperparameters(dataset="digits").as_dict() == {
        "dataset": "digits",
        "train_size": None,
        "crop": None,
        "input_normalization": "each_image",
        "randomization": "none",
        "label_corruption": 0.0,
        "label_noise": "uniform",
        "label_matrix": None,
        "architecture": "fully_connected",
        "architecture_arguments": None,
        "pooling": "none",
        "depth": 3,
        "width": 100,
        "activation": "relu",
        "biases": False,
        "normalization": "none",
        "dropout": 0.0,
        "dropout_from": 1,
        "initialization": "normal",
        "init_scale": 1.0,
        "loss": "cross_entropy",
        "optimizer": "momentum",
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "batch_size": 128,
        "augmentation": "none",
        "schedule": "step",
        "decay_epochs": 500,
        "decay_factor": 0.1,
        "warmup_steps": 0,
        "max_steps": 20_000,
        "stop_at_accuracy": 1.0,
        "stop_at_loss": None,
        "stop_epochs": 1,
        "kept_steps": (0,),
    }


def test_grid_is_a_product_and_kept_steps_are_one_value():
    grid = {"dataset": "digits", "width": [50, 100], "kept_steps": [0, 5], "depth": [2, 3, 4]}
    ensembles = list(expand_grid(grid))
    assert [(one.width, one.depth) for one in ensembles] == [
        (width, depth) for width in (50, 100) for depth in (2, 3, 4)
    ]
    assert {one.kept_steps for one in ensembles} == {(0, 5)}


def test_kept_steps_are_swept_over_by_a_list_of_lists():
    grid = {"dataset": "digits", "kept_steps": [[0], [0, 8]]}
    assert [one.kept_steps for one in expand_grid(grid)] == [(0,), (0, 8)]


def test_matrices_are_swept_over_by_a_list_of_matrices():
    identity, flip = [[1, 0], [0, 1]], [[0, 1], [1, 0]]
    grid = {"dataset": "digits", "label_noise": "class_matrix", "label_matrix": identity}
    assert [one.label_matrix for one in expand_grid(grid)] == [((1, 0), (0, 1))]
    both = list(expand_grid(grid | {"label_matrix": [identity, flip]}))
    assert [one.label_matrix for one in both] == [((1, 0), (0, 1)), ((0, 1), (1, 0))]
    again = Hyperparameters(**json.loads(json.dumps(both[1].chosen)))
    assert again == both[1] and again.name == both[1].name and len({*both, again}) == 2


SPACE = {
    "dataset": "digits",
    "width": [8, 16, 32],
    "depth": [2, 3, 4, 5],
    "init_scale": [1, 2],
    "label_corruption": [0, 1],
}


def sampled(size, seed=0, **changes):
    sample = {"size": size, "seed": seed, "paired": ["label_corruption"]}
    return list(expand_grid({**SPACE, "sample": sample, **changes}))


def test_sample_takes_all_values_of_paired_keys_with_every_draw():
    ensembles = sampled(7)
    assert len(set(ensembles)) == 14
    for one, other in zip(ensembles[::2], ensembles[1::2], strict=True):
        assert (one.label_corruption, other.label_corruption) == (0, 1)
        assert dataclasses.replace(other, label_corruption=0.0) == one
    assert set(ensembles) <= set(expand_grid(SPACE))


def test_larger_sample_begins_with_the_smaller_one():
    assert sampled(9)[:14] == sampled(7)
    assert sampled(7, seed=1) != sampled(7)


def test_sample_does_not_depend_on_the_order_of_keys():
    turned = {key: SPACE[key] for key in reversed(SPACE)}
    sample = {"size": 7, "seed": 0, "paired": ["label_corruption"]}
    assert list(expand_grid({"sample": sample, **turned})) == sampled(7)


def test_sample_of_more_than_there_are_is_all():
    assert set(sampled(1000)) == set(expand_grid(SPACE))


def test_hash_does_not_depend_on_the_order_of_keys():
    assert short_hash({"a": 1, "b": 2}) == short_hash({"b": 2, "a": 1}) != short_hash({"a": 1})
