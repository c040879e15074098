import numpy as np
import pandas as pd
import pytest
from oracles.similarity_tables import made_study, of_two_architectures

from generalization.experiments.similarity.convergence_orders import (
    ORDERS,
    OWN_WAYS,
    convergence_orders,
)
from generalization.experiments.similarity.similarity_trends import COLUMNS, similarity_trends
from generalization.statistics.intervals import perfect_order_bound
from generalization.statistics.resampling import Resampling

NAMES = [*ORDERS, "order_at_start", *OWN_WAYS]


def table_of(study):
    return similarity_trends(*study, resampling=Resampling(np.random.default_rng(1), 300))


def test_layers_that_converge_one_after_the_other_have_the_correlation_1():
    rows = table_of(made_study(np.random.default_rng(0))).set_index("statistic")
    assert list(rows.index) == NAMES
    # All layers start half similar to their end.
    assert np.isnan(rows.loc["order_at_start", "estimate"])
    assert (rows["estimate"].drop("order_at_start") == 1.0).all()
    # Memorizing networks are left out.
    assert (rows["networks"].drop("order_at_start") == 3).all()


def started(similarities, start, way):
    """Similarities to the end that begin at ``start`` of a layer and go ``way`` of the rest."""
    course = similarities["pairs"] == "over_training"
    of = similarities["ensemble_a"] + similarities["seed_a"].astype(str)
    values = [
        start(layer) + (1 - start(layer)) * way(layer, step, network)
        for layer, step, network in zip(
            similarities["layer_a"], similarities["step_a"], of, strict=True
        )
    ]
    return similarities.assign(value=np.where(course, values, similarities["value"]))


def test_order_that_was_decided_before_training_is_none_from_layers_own_start():
    """Lower layers are more similar to their end at step 0; all go their way at random speeds."""
    generator = np.random.default_rng(0)
    study = made_study(generator, corruptions=(0.0,), layers=6, seeds=40)
    speeds = {}

    def way(layer, step, network):
        speed = speeds.setdefault((layer, network), 2 ** generator.uniform(-2, 2))
        return 1.0 if step == 64 else 1 - np.exp(-step * speed / 8)

    similarities = started(study[0], lambda layer: 0.89 - 0.12 * layer, way)
    found = convergence_orders(similarities, study[1])
    assert found["order_at_start"].to_numpy() == pytest.approx(-1)
    assert found["convergence_order"].mean() > 0.5
    for name in OWN_WAYS:
        assert abs(found[name].mean()) < 0.3


def test_layers_that_learn_bottom_up_do_so_whatever_their_start():
    study = made_study(np.random.default_rng(0), corruptions=(0.0,), layers=4)

    def way(layer, step, network):
        return 1.0 if step == 64 else 1 - np.exp(-step / 4.0**layer)

    upside_down = started(study[0], lambda layer: 0.3 + 0.2 * layer, way)
    found = convergence_orders(upside_down, study[1])
    assert found["order_at_start"].to_numpy() == pytest.approx(1)
    for name in OWN_WAYS:
        assert (found[name] == 1).all()


def test_kept_steps_that_do_not_tell_layers_apart_leave_no_interval():
    study = made_study(np.random.default_rng(0), corruptions=(0.0,), layers=4)

    def way(layer, step, network):
        return 1.0 if step == 64 else min(step, 4) * (0.15 - 0.01 * layer)

    rows = table_of((started(study[0], lambda layer: 0.3, way), study[1])).set_index("statistic")
    row = rows.loc["convergence_order_own_start_90"]
    assert row["estimate"] == 1
    assert row["resolved"] == 0
    assert np.isnan(row["low"])
    assert "kept steps too coarse: they tell apart 0 % of neighboring layers" in row["note"]


def test_layer_that_hardly_moves_has_no_place_in_the_order():
    study = made_study(np.random.default_rng(0), corruptions=(0.0,), layers=4)

    def way(layer, step, network):
        return 1.0 if step == 64 else 1 - np.exp(-step / 4.0**layer)

    still = started(study[0], lambda layer: 0.96 if layer == 1 else 0.3, way)
    assert (convergence_orders(still, study[1])["convergence_order_own_start_50"] == 1).all()
    all_still = started(study[0], lambda layer: 0.96, way)
    found = convergence_orders(all_still, study[1])
    assert found[[*OWN_WAYS]].isna().all(axis=None)


def test_old_orders_say_that_they_were_decided_before_training():
    study = made_study(np.random.default_rng(0), corruptions=(0.0,), layers=4)

    def way(layer, step, network):
        return 1.0 if step == 64 else 1 - np.exp(-step / 4.0**layer)

    table = table_of((started(study[0], lambda layer: 0.9 - 0.2 * layer, way), study[1]))
    rows = table.set_index("statistic")
    assert rows.loc["convergence_order", "note"].endswith(
        "decided before training: order at step 0 is -1.00"
    )
    assert rows.loc["convergence_order_own_start_50", "order_at_start"] == pytest.approx(-1)


def test_architectures_are_distinguished():
    table = table_of(of_two_architectures(made_study(np.random.default_rng(0))))
    rows = table[table["statistic"] == "convergence_order"].set_index("architecture")
    assert rows.loc["fully_connected", "estimate"] == 1
    # Half as alike to their end, their layers are never alike enough before it.
    assert np.isnan(rows.loc["convolutional", "estimate"])
    assert rows["networks"].tolist() == [0, 3]


def test_pairs_of_few_samples_are_counted():
    similarities, training = made_study(np.random.default_rng(0), widths=(25, 50))
    table = table_of((similarities.assign(status="few_samples"), training))
    notes = table.loc[table["statistic"] == "width", "note"]
    assert len(notes)
    assert notes.str.contains("6 of 6 pairs of fewer than 5 samples per unit").all()


def test_logits_that_converge_first_are_distinguished():
    similarities, training = made_study(np.random.default_rng(0), layers=4)
    soon = (similarities["pairs"] == "over_training") & (similarities["layer_a"] == 3)
    value = similarities["value"].where(~soon, 0.99)
    found = convergence_orders(similarities.assign(value=value), training)
    assert (found["convergence_order"] == 1).all()
    # Ranks 2, 3, 4, 1 of the layers 1, 2, 3, 4.
    assert found["convergence_order_with_logits"].to_numpy() == pytest.approx(-0.2)


def test_layers_turned_upside_down_have_the_correlation_minus_1():
    similarities, training = made_study(np.random.default_rng(0))
    turned = similarities.assign(
        layer_a=2 - similarities["layer_a"], layer_b=2 - similarities["layer_b"]
    )
    found = convergence_orders(turned, training)
    assert (found["convergence_order_with_logits"] == -1).all()


def test_network_all_of_whose_layers_are_alike_from_the_first_has_no_order():
    similarities, training = made_study(np.random.default_rng(0))
    still = similarities.assign(value=0.95)
    table = table_of((still, training)).query("statistic == 'convergence_order'")
    assert table["estimate"].isna().all()
    assert table["note"].tolist() == [
        "3 of 3 networks have no two different steps; no network is left"
    ]


@pytest.mark.parametrize("widths", [(25, 50, 100, 200, 400), (25, 50, 100, 200, 400, 800)])
def test_width_that_makes_networks_alike_correlates_with_similarity(widths):
    """The interval of five ensembles in perfect order excludes 0, as that of six does."""
    number = len(widths)
    low = perfect_order_bound(number, 0.95)
    assert low > 0
    study = made_study(np.random.default_rng(0), widths=widths, noise=1e-3)
    table = table_of(study)
    assert list(table) == COLUMNS
    for name in ("width", "width_above_null"):
        rows = table[table["statistic"] == name]
        assert rows["layer"].tolist() == [0, 1, 2]
        assert rows["place"].tolist() == ["first", "last_hidden", "logits"]
        assert rows["estimate"].to_numpy() == pytest.approx(1)
        assert rows["low"].to_numpy() == pytest.approx(low)
        assert rows["high"].to_numpy() == pytest.approx(1)
        assert (rows["networks"] == 3 * number).all()
        assert (rows["ensembles"] == number).all()
        assert rows["beyond_untrained"].isna().all()


def test_wide_random_layers_that_are_as_similar_are_the_control():
    widths = (25, 50, 100, 200, 400)
    for gain, beyond in ((0.1, 0), (-0.1, 2)):
        similarities, training = made_study(
            np.random.default_rng(0), corruptions=(0.0,), widths=widths, noise=0.0
        )
        pairs = similarities[similarities["pairs"] != "over_training"]
        width = pairs["ensemble_a"].str[1:].astype(int)
        untrained = pairs.assign(step_a=0, step_b=0, value=0.5 + gain * width)
        table = table_of((pd.concat([similarities, untrained]), training))
        rows = table[table["statistic"] == "width"]
        assert rows["estimate"].to_numpy() == pytest.approx(1)
        assert rows["beyond_untrained"].to_numpy() == pytest.approx(beyond, abs=1e-9)


def test_width_that_does_nothing_has_an_interval_around_0():
    study = made_study(
        np.random.default_rng(2),
        corruptions=(0.0,),
        widths=(25, 50, 100, 200),
        seeds=5,
        width_gain=0.0,
    )
    rows = table_of(study).query("statistic == 'width'")
    assert (rows["low"] < 0).all()
    assert (rows["high"] > 0).all()


def test_chance_is_taken_off():
    widths = (25, 50, 100, 200, 400, 800)
    similarities, training = made_study(
        np.random.default_rng(0), corruptions=(0.0,), widths=widths, noise=1e-3
    )
    # All that wider networks are more alike is chance.
    width = similarities["ensemble_a"].str[1:].astype(int) + 1
    null = similarities["null"] = 0.1 * width
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(similarities))
    similarities["value"] = null + (1 - null) * (0.5 + noise)
    table = table_of((similarities, training))
    assert (table.query("statistic == 'width'")["low"] > 0.5).all()
    assert (table.query("statistic == 'width_above_null'")["low"] < 0.3).all()


def test_one_width_has_no_trend():
    table = table_of(made_study(np.random.default_rng(0)))
    assert set(table["statistic"]) == set(NAMES)
