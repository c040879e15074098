import dataclasses

import numpy as np
import pytest
import torch
from oracles.convolutions import IMAGE, hyperparameters_of, kept_convolutions
from oracles.made_up import kept

from generalization.activations import Activations, write_activations
from generalization.errors import InputError
from generalization.representations.comparing import COLUMNS, compare_networks
from generalization.similarities.mean_cca import mean_cca
from generalization.similarities.pwcca import pwcca

INPUTS = torch.randn(40, 1, 2, 3, generator=torch.Generator().manual_seed(0))
SETTINGS = {"layers": "same", "convolution": "channels"}
PLACES = [column for column in COLUMNS if column.endswith(("_a", "_b"))][:8]


@pytest.fixture
def recorded(tmp_path):
    """Opens what networks of these seeds said; with another width, it is another ensemble."""
    opened = []

    def record(seeds=(1, 2), inputs=INPUTS, **changes):
        networks = kept(seeds=seeds)
        changed = dataclasses.replace(networks.hyperparameters, **changes)
        steps = tuple(row[: len(seeds)] for row in ((0, 0, 0), (8, 8, 8), (30, 8, 30)))
        path = tmp_path / f"{len(opened)}.h5"
        write_activations(
            path, dataclasses.replace(networks, hyperparameters=changed, steps=steps), inputs
        )
        opened.append(Activations(path))
        return opened[-1]

    yield record
    for activations in opened:
        activations.__exit__(None, None, None)


def compared(a, b, pairs, similarity=mean_cca, **settings):
    table = compare_networks(
        a, b, similarity, pairs, SETTINGS | settings, asymmetric=similarity is pwcca
    )
    assert list(table) == COLUMNS
    assert not table.duplicated(PLACES).any()
    assert (table["similarity"] == similarity.__name__).all()
    assert (table["pairs"] == pairs).all()
    return table


def places(table):
    columns = ["seed_a", "step_a", "layer_a", "seed_b", "step_b", "layer_b"]
    return set(table[columns].itertuples(index=False, name=None))


def test_over_training_every_step_is_compared_with_the_last(recorded):
    a = recorded()
    # Seed 1 was kept at steps 0, 8, 30, seed 2 at 0 and 8.
    expected = {(1, step, i, 1, 30, i) for step in (0, 8) for i in range(3)}
    expected |= {(2, 0, i, 2, 8, i) for i in range(3)}
    expected |= {(1, 30, i, 1, 30, j) for i in range(3) for j in range(3)}
    expected |= {(2, 8, i, 2, 8, j) for i in range(3) for j in range(3)}
    table = compared(a, a, "over_training")
    assert places(table) == expected
    itself = (table["step_a"] == table["step_b"]) & (table["layer_a"] == table["layer_b"])
    assert table["value"][itself].to_numpy() == pytest.approx(1)
    exchanged = {(*place[3:], *place[:3]) for place in expected}
    assert places(compared(a, a, "over_training", pwcca)) == expected | exchanged


def test_over_training_all_layers_are_compared_if_wanted(recorded):
    a = recorded()
    steps = ((1, 0, 30), (1, 8, 30), (1, 30, 30), (2, 0, 8), (2, 8, 8))
    table = compared(a, a, "over_training", layers="all")
    assert places(table) == {
        (seed, step, i, seed, last, j)
        for seed, step, last in steps
        for i in range(3)
        for j in range(3)
    }
    same = compared(a, a, "over_training").set_index(PLACES)["value"]
    assert table.set_index(PLACES)["value"][same.index].to_numpy() == pytest.approx(same.to_numpy())


def test_between_seeds_all_layers_are_compared(recorded):
    a = recorded()
    expected = {(1, 30, i, 2, 8, j) for i in range(3) for j in range(3)}
    # Untrained, each layer with its counterpart.
    expected |= {(1, 0, i, 2, 0, i) for i in range(3)}
    assert places(compared(a, a, "between_seeds")) == expected
    exchanged = {(*place[3:], *place[:3]) for place in expected}
    assert places(compared(a, a, "between_seeds", pwcca)) == expected | exchanged


def test_pairs_of_seeds_across_blocks_are_compared_once(recorded):
    whole = recorded(seeds=(1, 2, 3))
    blocks = recorded(seeds=(1, 2)), recorded(seeds=(3,))
    assert compared(blocks[1], blocks[1], "between_seeds").empty
    pieces = [places(compared(a, b, "between_seeds")) for a, b in (blocks[:1] * 2, blocks)]
    seeds = [{(place[0], place[3]) for place in piece} for piece in pieces]
    assert seeds == [{(1, 2)}, {(1, 3), (2, 3)}]
    assert len(compared(whole, whole, "between_seeds")) == sum(map(len, pieces))


def test_values_are_those_of_the_recorded_layers(recorded):
    a, b = recorded(), recorded(label_corruption=0.5)
    table = compared(a, b, "between_ensembles", pwcca, layers="all")
    assert len(table) == 2 * 4 * (9 + 3)
    for row in table[table["step_a"] > 0].sample(8, random_state=0).itertuples():
        of = {a.ensemble: a, b.ensemble: b}
        x = of[row.ensemble_a].read(layer=row.layer_a, seed=row.seed_a)
        y = of[row.ensemble_b].read(layer=row.layer_b, seed=row.seed_b)
        expected = pwcca(x, y)
        assert row.value == pytest.approx(expected.value, abs=1e-9)
        assert row.held_out == pytest.approx(expected.held_out, abs=1e-9)
        found = (row.null, row.samples, row.units_a, row.units_b, row.status)
        assert found[1:] == (40, expected.units_a, expected.units_b, "ok")
        assert row.null == pytest.approx(expected.null)


def test_between_ensembles_layers_of_one_place_are_compared(recorded):
    a, b = recorded(), recorded(label_corruption=0.5)
    table = compared(a, b, "between_ensembles")
    assert places(table) == {
        (*one, i, *other, i)
        for one in ((1, 30), (2, 8))
        for other in ((1, 30), (2, 8))
        for i in range(3)
    } | {(one, 0, i, other, 0, i) for one in (1, 2) for other in (1, 2) for i in range(3)}
    assert set(table["ensemble_a"]) == {a.ensemble}
    assert set(table["ensemble_b"]) == {b.ensemble}


def test_logits_are_compared_with_logits(recorded):
    a, b = recorded(), recorded(label_corruption=0.5)
    # As if b had one hidden layer less: its second one is missing.
    b.depth, b.layers = 2, [0, 1]
    table = compared(a, b, "between_ensembles")
    assert set(zip(table["layer_a"], table["layer_b"], strict=True)) == {(0, 0), (2, 1)}


def test_networks_that_diverged_are_rows_without_a_value(recorded):
    inputs = INPUTS.clone()
    inputs[3] = np.inf
    a = recorded(inputs=inputs)
    table = compared(a, a, "between_seeds")
    assert set(table["status"]) == {"not_finite"}
    assert table[["value", "null", "held_out"]].isna().all(axis=None)


def test_networks_that_were_shown_something_else_are_not_compared(recorded):
    a, b = recorded(), recorded(inputs=INPUTS.flip(0), label_corruption=0.5)
    with pytest.raises(InputError) as caught:
        compared(a, b, "between_ensembles")
    assert str(caught.value) == (
        "activations must be of the same kind and of the same inputs in the same order, which "
        f"those of {a.ensemble} and {b.ensemble} are not."
    )


@pytest.mark.parametrize(
    ("convolution", "comparable"),
    [
        ("channels", {(0, 1), (1, 2), (0, 2)}),
        ("interpolate", {(0, 1), (1, 2), (0, 2)}),
        ("mean", {(0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (2, 3)}),
        ("dft", {(0, 1), (1, 2), (0, 2)}),
    ],
)
def test_feature_maps_are_compared_where_they_can_be(tmp_path, convolution, comparable):
    networks = kept_convolutions(hyperparameters_of("vgg"))
    inputs = torch.randn(30, *IMAGE, generator=torch.Generator().manual_seed(0))
    write_activations(tmp_path / "activations.h5", networks, inputs)
    with Activations(tmp_path / "activations.h5") as activations:
        shapes = [shape[2:] for shape in activations.shapes]
        table = compared(activations, activations, "between_seeds", convolution=convolution)
    table = table[table["step_a"] > 0]
    assert len(table) == 16
    found = table[table["value"].notna() & (table["layer_a"] < table["layer_b"])]
    if convolution in {"channels", "dft"}:
        comparable = {pair for pair in comparable if shapes[pair[0]] == shapes[pair[1]]}
    assert set(zip(found["layer_a"], found["layer_b"], strict=True)) == comparable
    assert set(table["status"][table["value"].isna()]) <= {"sizes_differ"}


def test_straight_line_is_compared_with_the_last_step(recorded):
    a, networks = recorded(), kept()
    line = dataclasses.replace(networks, steps=tuple(map(tuple, a.steps)))
    table = compared_on_line(a, line)
    expected = {(1, step, i, 1, 30, i) for step in (0, 8, 30) for i in range(3)}
    expected |= {(2, step, i, 2, 8, i) for step in (0, 8) for i in range(3)}
    assert places(table) == expected
    course = compared(a, a, "over_training").set_index(PLACES)["value"]
    on_line = table.query("seed_a == 1").set_index(PLACES)["value"]
    # Both begin and end at the same networks; in between they leave the line.
    ends = on_line.index[on_line.index.get_level_values("step_a") != 8]
    assert on_line[ends].to_numpy() == pytest.approx(course[ends].to_numpy(), abs=1e-6)
    between = on_line.index.difference(ends)
    assert (on_line[between] - course[between]).abs().min() > 1e-3


def test_line_of_networks_that_move_on_it_is_their_course(tmp_path):
    networks = kept(normalization="batch")
    start, end = (networks.networks[place].tensors for place in (0, -1))
    half = networks.networks[0].with_tensors({name: (start[name] + end[name]) / 2 for name in end})
    moved = dataclasses.replace(
        networks, networks=(networks.networks[0], half, networks.networks[-1])
    )
    write_activations(tmp_path / "activations.h5", moved, INPUTS, layers=[0, 2])
    with Activations(tmp_path / "activations.h5") as a:
        course = compared(a, a, "over_training").set_index(PLACES)["value"]
        line = compared_on_line(a, moved).set_index(PLACES)["value"]
    assert line.to_numpy() == pytest.approx(course[line.index].to_numpy(), abs=1e-6)


def compared_on_line(a, networks):
    table = compare_networks(a, a, mean_cca, "straight_line", SETTINGS, kept=networks)
    assert not table.duplicated(PLACES).any()
    assert (table["pairs"] == "straight_line").all()
    return table
