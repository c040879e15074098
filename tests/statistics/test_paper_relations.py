import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata, spearmanr, t

from generalization.statistics.claim import Claim, Control
from generalization.statistics.claims import claims
from generalization.statistics.paper_relations import (
    COLUMNS,
    CONTROL,
    SPAN,
    UNTRAINED,
    paper_relations,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.verdicts import (
    CONTROL_SHOWS_IT,
    MAYBE_CONTROL,
    NO_POWER,
    OPPOSITE,
    REPLICATES,
)
from generalization.tables import read_table, write_table

ROWS = "x == '{}' and y == '{}' and statistic == '{}' and selection == 'fitted'"
GAP = "generalization_gap"


def study(gap, *, before=(), seeds=1, **values):
    """Measures of ensembles: gap and values of each, and what it has at step 0."""
    size = len(gap)
    about = {
        "dataset": "digits",
        "label_corruption": 0.0,
        "randomization": "none",
        "depth": 3,
        "train_accuracy": 1.0,
        "status": "fitted",
    }
    about |= {key: values.pop(key) for key in list(about) if key in values}
    frames = []
    for seed in range(seeds):
        base = pd.DataFrame({"ensemble": [f"e{place:03d}" for place in range(size)], "seed": seed})
        base = base.assign(**about, **{GAP: gap}, test_accuracy=1 - np.asarray(gap))
        for measure, value in values.items():
            frames.append(base.assign(measure=measure, value=value, step=9, final=True))
        for measure, value in dict(before).items():
            frames.append(base.assign(measure=measure, value=value, step=0, final=False))
    return pd.concat(frames, ignore_index=True)


def relations(measures, **settings):
    resampling = Resampling(np.random.default_rng(0), 400)
    return paper_relations(measures, resampling=resampling, permutations=500, **settings)


def one(table, x, y=GAP, statistic="spearman", labels="true", given="none"):
    rows = table.query(ROWS.format(x, y, statistic))
    (row,) = rows[(rows["labels"] == labels) & (rows["given"] == given)].to_dict("records")
    return row


def test_correlation_is_spearmans_of_ensemble_means():
    generator = np.random.default_rng(0)
    gap = generator.random(20)
    table = relations(study(gap, jacobian_norm=gap + 0.3 * generator.random(20), seeds=2))
    assert list(table) == COLUMNS
    row = one(table, "jacobian_norm")
    found = study(gap, jacobian_norm=0.0)
    values = gap + 0.3 * np.random.default_rng(0).random(40)[20:]
    assert row["estimate"] == pytest.approx(spearmanr(values, gap)[0])
    assert (row["networks"], row["ensembles"], len(found)) == (40, 20, 20)
    left_out = [
        np.arctanh(spearmanr(np.delete(values, place), np.delete(gap, place))[0])
        for place in range(20)
    ]
    error = np.sqrt(19 / 20 * np.square(left_out - np.mean(left_out)).sum())
    half = t.ppf(0.975, 18) * error
    centre = np.arctanh(row["estimate"])
    assert [row["low"], row["high"]] == pytest.approx(np.tanh([centre - half, centre + half]))
    # The accuracy is one less the gap.
    assert one(table, "jacobian_norm", "test_accuracy")["estimate"] == pytest.approx(
        -row["estimate"]
    )


def test_p_value_is_that_of_permutations_within_strata():
    generator = np.random.default_rng(3)
    gap = generator.random(12)
    values = gap + generator.random(12)
    row = one(relations(study(gap, jacobian_norm=values)), "jacobian_norm")
    assert row["p_value"] == pytest.approx(spearmanr(values, gap)[1], abs=0.02)
    # Of two strata of three, no order is rarer than one in eighteen.
    depth = np.repeat([2, 3], 3)
    ordered = np.arange(6.0)
    few = relations(
        study(ordered, number_of_parameters=ordered, jacobian_norm=ordered, depth=depth)
    )
    row = one(few, "number_of_parameters", "jacobian_norm", given="depth")
    assert row["p_value"] == pytest.approx(2 / 36, abs=0.01)
    assert np.isnan(
        one(
            relations(study(gap, jacobian_norm=values, logit_jacobian_norm=gap)),
            "jacobian_norm",
            statistic="spearman_minus_logit_jacobian_norm",
        )["p_value"]
    )


def test_labels_are_strata_where_all_count():
    generator = np.random.default_rng(1)
    corruption = np.repeat([0.0, 0.5], 12)
    within = np.tile(np.arange(12), 2)
    # Within a level the measure falls with the gap, between levels it rises.
    gap = 0.02 * within + corruption
    table = relations(
        study(
            gap, jacobian_norm=np.exp(2 * corruption - 0.01 * within), label_corruption=corruption
        )
    )
    assert set(table["labels"]) == {"true", "all"}
    row = one(table, "jacobian_norm", labels="all", given="label_corruption")
    assert row["estimate"] == pytest.approx(-1)
    assert row["ensembles"] == 24
    assert one(table, "jacobian_norm")["ensembles"] == 12
    shuffled = generator.permutation(24)
    table = relations(study(gap, jacobian_norm=shuffled * 1.0, label_corruption=corruption))
    levels = corruption == 0
    deviations = [
        np.concatenate([rankdata(of[some]) - (12 + 1) / 2 for some in (levels, ~levels)])
        for of in (shuffled, gap)
    ]
    naive = np.dot(*deviations) / np.sqrt(np.prod([one @ one for one in deviations]))
    row = one(table, "jacobian_norm", labels="all", given="label_corruption")
    assert row["estimate"] == pytest.approx(naive)


def test_size_within_depth_is_width():
    depth = np.repeat([2, 3, 4], 6)
    width = np.tile(np.arange(6.0), 3)
    norm = -width + 10 * depth
    measures = study(
        0.1 * width, number_of_parameters=depth * 100 + width, jacobian_norm=norm, depth=depth
    )
    table = relations(measures)
    assert one(table, "number_of_parameters", "jacobian_norm")["estimate"] > 0.5
    row = one(table, "number_of_parameters", "jacobian_norm", given="depth")
    assert row["estimate"] == pytest.approx(-1)
    # An ensemble that is alone in its stratum says nothing.
    lonely = measures.assign(depth=np.where(measures["ensemble"] == "e000", 9, measures["depth"]))
    row = one(relations(lonely), "number_of_parameters", "jacobian_norm", given="depth")
    assert row["ensembles"] == 17


def test_difference_is_of_strengths():
    generator = np.random.default_rng(2)
    gap = np.arange(30.0) / 30
    close, far = -gap + 0.1 * generator.random(30), gap + 2 * generator.random(30)
    table = relations(study(gap, jacobian_norm=close, logit_jacobian_norm=far))
    row = one(table, "jacobian_norm", statistic="spearman_minus_logit_jacobian_norm")
    expected = abs(spearmanr(close, gap)[0]) - abs(spearmanr(far, gap)[0])
    assert row["estimate"] == pytest.approx(expected)
    assert row["low"] < row["estimate"] < row["high"]
    assert row["low"] > 0
    both = relations(study(gap, jacobian_norm=close, logit_jacobian_norm=close))
    row = one(both, "jacobian_norm", statistic="spearman_minus_logit_jacobian_norm")
    assert (row["estimate"], row["low"], row["high"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("planted", "control", "verdict"),
    [(-1, 1, REPLICATES), (-1, -1, CONTROL_SHOWS_IT), (1, -1, OPPOSITE), (-1, None, MAYBE_CONTROL)],
)
def test_what_holds_before_training_is_no_effect_of_it(planted, control, verdict):
    generator = np.random.default_rng(3)
    size = np.arange(24.0)
    noise = generator.normal(size=24)
    before = {"number_of_parameters": size}
    if control:
        before["jacobian_norm"] = control * size + 4 * noise
    measures = study(
        size / 24,
        number_of_parameters=size,
        jacobian_norm=planted * size + 4 * noise,
        before=before,
    )
    claim = Claim(
        "Larger networks are less sensitive",
        "§A.2",
        "paper_relations",
        ROWS.format("number_of_parameters", "jacobian_norm", "spearman") + " and given == 'none'",
        "below",
        scale="fisher",
        control=Control(UNTRAINED, tuple(CONTROL)),
    )
    table = relations(measures)
    assert claims([claim], {"paper_relations": table})["verdict"].to_list() == [verdict]
    row = one(table, "number_of_parameters", "jacobian_norm")
    assert row["control"] == UNTRAINED
    if control == planted:
        assert row["control_estimate"] == 0


def test_bounds_are_next_to_the_number_of_parameters():
    gap = np.arange(12.0) / 12
    flat = np.tile([0.0, 1.0], 6)
    measures = study(gap, tangent_sensitivity=gap, number_of_parameters=flat)
    row = one(relations(measures), "tangent_sensitivity")
    expected = 1 - abs(spearmanr(flat, gap)[0])
    assert row["control"] == "number_of_parameters"
    assert row["control_estimate"] == pytest.approx(expected)


def test_loss_of_the_best_is_compared_with_the_smallest_of_the_worse():
    gap = np.arange(21.0) / 21
    loss = np.full(21, 1e-6)
    loss[0] = 1e-2
    row = one(
        relations(study(gap, training_loss=loss)), "training_loss", GAP, "best_over_least_loss"
    )
    assert row["estimate"] == pytest.approx(4)
    # One of 21 losses is high: percentiles ignore it.
    assert (row["control"], row["control_estimate"]) == (SPAN, 0)
    assert row["underpowered"] == "losses span 0 orders of magnitude"


def test_losses_that_differ_by_orders_can_be_judged():
    generator = np.random.default_rng(4)
    gap = np.arange(40.0) / 40
    falling = 10 ** (-2 - 6 * gap)
    rows = ROWS.format("training_loss", GAP, "best_over_least_loss")
    claim = Claim("Words", "Fig. 1", "paper_relations", rows, "above", 2.0)

    def verdict(loss):
        table = relations(study(gap, training_loss=loss))
        return claims([claim], {"paper_relations": table})["verdict"].item()

    assert verdict(falling) == REPLICATES
    assert verdict(falling[::-1]) == OPPOSITE
    alike = 10 ** (-4 + 0.1 * generator.normal(size=40))
    assert verdict(alike) == NO_POWER
    table = relations(study(gap, training_loss=falling))
    spread = one(table, "training_loss", GAP, "loss_range")
    assert spread["estimate"] == pytest.approx(6 * 0.8 * 39 / 40)
    assert spread["low"] < spread["estimate"] < spread["high"]


def test_networks_that_did_not_fit_count_among_all_alone():
    gap = np.arange(12.0) / 12
    accuracy = np.where(np.arange(12) < 6, 1.0, 0.5)
    table = relations(study(gap, jacobian_norm=gap, train_accuracy=accuracy))
    rows = table.query("x == 'jacobian_norm' and y == @GAP").set_index("selection")
    assert rows["ensembles"].to_dict() == {"fitted": 6, "all": 12}


def test_few_ensembles_and_constants_have_reasons():
    gap = np.arange(4.0)
    row = one(relations(study(gap, jacobian_norm=gap)), "jacobian_norm")
    assert np.isnan([row["estimate"], row["low"], row["high"]]).all()
    assert row["note"] == "4 of the 5 ensembles that are needed"
    row = one(relations(study(np.arange(8.0), jacobian_norm=1.0)), "jacobian_norm")
    assert row["note"] == "the same for all ensembles of every stratum"
    assert np.isnan(row["estimate"])


def test_relations_of_measures_that_a_study_lacks_have_no_row():
    table = relations(study(np.arange(8.0), weight_norm=np.arange(8.0)))
    assert table.empty
    assert list(table) == COLUMNS


def test_table_survives_writing_and_reading(tmp_path):
    gap = np.arange(12.0) / 12
    measures = study(gap, number_of_parameters=gap, jacobian_norm=-gap, training_loss=gap + 1)
    table = relations(measures)
    write_table(tmp_path / "paper_relations.csv", table)
    again = read_table(tmp_path / "paper_relations.csv")
    keys = ["selection", "x", "y", "statistic"]
    every = [
        Claim(
            " ".join(row),
            "§1",
            "paper_relations",
            " and ".join(f"{key} == '{word}'" for key, word in zip(keys, row, strict=True))
            + " and given == 'none'",
            "above",
        )
        for row in table.query("given == 'none'")[keys].itertuples(index=False)
    ]
    columns = ["about", "estimate", "of", "verdict"]
    found = [claims(every, {"paper_relations": one})[columns] for one in (table, again)]
    assert len(found[0]) == 2 * len(table.query("selection == 'fitted' and given == 'none'"))
    pd.testing.assert_frame_equal(*found)


def test_losses_that_span_two_orders_are_enough():
    gap = np.arange(20.0) / 20
    row = one(
        relations(study(gap, training_loss=np.repeat([1e-4, 1e-2], 10))),
        *("training_loss", GAP, "best_over_least_loss"),
    )
    assert (row["control_estimate"], row["underpowered"]) == (2, "")


def test_interval_of_a_difference_is_that_of_a_jackknife():
    generator = np.random.default_rng(6)
    gap = generator.normal(size=9)
    measures = {
        "jacobian_norm": -gap + generator.normal(size=9),
        "logit_jacobian_norm": gap + 2 * generator.normal(size=9),
    }

    def difference(kept):
        strengths = [abs(spearmanr(values[kept], gap[kept])[0]) for values in measures.values()]
        return strengths[0] - strengths[1]

    row = one(
        relations(study(gap, **measures)),
        "jacobian_norm",
        statistic="spearman_minus_logit_jacobian_norm",
    )
    every = np.arange(9)
    left_out = np.array([difference(np.delete(every, place)) for place in every])
    half = t.ppf(0.975, 7) * np.sqrt(8 / 9 * np.square(left_out - left_out.mean()).sum())
    assert row["estimate"] == pytest.approx(difference(every))
    assert (row["low"], row["high"]) == pytest.approx((
        row["estimate"] - half,
        row["estimate"] + half,
    ))


@pytest.mark.parametrize(("ensembles", "told"), [(5, True), (4, False)])
def test_difference_has_an_interval_from_five_ensembles_on(ensembles, told):
    gap = np.arange(float(ensembles))
    other = np.array([1.0, 0, 2, 4, 3])[:ensembles]
    table = relations(study(gap, jacobian_norm=other, logit_jacobian_norm=-(other**2)))
    row = one(table, "jacobian_norm", statistic="spearman_minus_logit_jacobian_norm")
    assert np.isfinite(row["low"]) == told


def test_ensembles_of_which_a_seed_has_not_fitted_are_left_out_if_asked_for():
    generator = np.random.default_rng(0)
    measures = study(generator.random(8), seeds=2, jacobian_norm=generator.random(8))
    measures.loc[(measures["ensemble"] == "e000") & (measures["seed"] == 1), "train_accuracy"] = 0.5
    assert one(relations(measures), "jacobian_norm")["ensembles"] == 8
    assert one(relations(measures, whole_ensembles=True), "jacobian_norm")["ensembles"] == 7


def test_five_ensembles_of_positive_training_loss_are_compared():
    gap = np.arange(6.0) / 6
    row = one(
        relations(study(gap, training_loss=np.array([0, 1e-2, 1e-4, 1e-4, 1e-4, 1e-4]))),
        *("training_loss", GAP, "best_over_least_loss"),
    )
    assert row["ensembles"] == 5
    assert row["estimate"] == pytest.approx(2)
