import numpy as np
import pytest
from oracles.similarity_tables import made_study, of_two_architectures

from generalization.experiments.similarity.similarity_trends import (
    COLUMNS,
    convergence_orders,
    similarity_trends,
)
from generalization.statistics.resampling import Resampling


def table_of(study):
    return similarity_trends(*study, resampling=Resampling(np.random.default_rng(1), 300))


def test_layers_that_converge_one_after_the_other_have_the_correlation_1():
    rows = table_of(made_study(np.random.default_rng(0)))
    assert rows["statistic"].tolist() == ["convergence_order", "convergence_order_with_logits"]
    assert rows["estimate"].tolist() == [1.0, 1.0]
    # Memorizing networks are left out.
    assert rows["networks"].tolist() == [3, 3]


def test_architectures_are_told_apart():
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


def test_logits_that_converge_first_are_told_apart():
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


def test_width_that_makes_networks_alike_correlates_with_similarity():
    study = made_study(
        np.random.default_rng(0), corruptions=(0.0, 1.0), widths=(25, 50, 100), noise=1e-3
    )
    table = table_of(study)
    assert list(table) == COLUMNS
    for name in ("width", "width_above_null"):
        rows = table[table["statistic"] == name]
        assert rows["layer"].tolist() == [0, 1, 2]
        assert rows["place"].tolist() == ["first", "last_hidden", "logits"]
        # Nine pairs, in three classes of ties: Spearman's ρ of perfectly ordered classes.
        assert rows["estimate"].to_numpy() == pytest.approx(np.sqrt(0.9), abs=0.01)
        assert (rows["low"] > 0.7).all()
        assert (rows["networks"] == 9).all()


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
    similarities, training = made_study(
        np.random.default_rng(0), corruptions=(0.0,), widths=(25, 50, 100), noise=1e-3
    )
    # All that wider networks are more alike is chance.
    width = similarities["ensemble_a"].map({"e0": 25, "e1": 50, "e2": 100})
    null = similarities["null"] = 0.1 * np.log2(width)
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(similarities))
    similarities["value"] = null + (1 - null) * (0.5 + noise)
    table = table_of((similarities, training))
    assert (table.query("statistic == 'width'")["low"] > 0.7).all()
    assert (table.query("statistic == 'width_above_null'")["low"] < 0.3).all()


def test_one_width_has_no_trend():
    table = table_of(made_study(np.random.default_rng(0)))
    assert set(table["statistic"]) == {"convergence_order", "convergence_order_with_logits"}
