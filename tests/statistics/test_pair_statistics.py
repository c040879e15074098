import numpy as np
import pandas as pd
import pytest
from oracles.studies import made_measures_of_two
from scipy.stats import beta, binom, norm, sem, t, ttest_1samp

from generalization.statistics.pair_statistics import COLUMNS, pair_statistics
from generalization.statistics.pairs import NO_NETWORK, NO_PAIR, pairs
from generalization.tables import read_table, write_table

COMPARISONS = [
    {"setting": "label_corruption", "better": 0, "worse": 1},
    {"setting": "depth", "better": 3, "worse": 5, "fitted": False},
    {"setting": "activation", "better": "relu", "worse": "hardsigmoid"},
]


def made(better, worse, quantity="norm", **columns):
    """Pairs of given values."""
    table = pd.DataFrame({"value_better": better, "value_worse": worse}, dtype=float)
    about = {"setting": "depth", "better": "3", "worse": "5", "dataset": "digits", "note": ""}
    return table.assign(
        ensemble_better=[f"b{place}" for place in table.index],
        ensemble_worse=[f"w{place}" for place in table.index],
        draw=table.index,
        networks=8,
        unfitted=0,
        quantity=quantity,
        **about | columns,
    )


def of(table, **settings):
    (row,) = pair_statistics(table, **settings).to_dict("records")
    return row


def test_all_pairs_one_way_have_closed_forms():
    row = of(made([1, 2, 3, 4, 5], [2, 4, 6, 8, 10]))
    assert row["pairs"] == 5
    assert row["networks"] == 40
    assert row["estimate"] == 1
    assert row["low"] == pytest.approx(0.025 ** (1 / 5))
    assert row["high"] == 1
    assert row["p_value"] == pytest.approx(2 * 0.5**5)
    assert row["ratio"] == pytest.approx(2)
    assert row["larger_in"] == "5"


@pytest.mark.parametrize("larger", [1, 4, 9])
def test_interval_is_of_the_fractions_that_no_tail_rejects(larger):
    worse = np.where(np.arange(12) < larger, 2, 0.5)
    row = of(made(np.ones(12), worse), level=0.9)
    # Clopper and Pearson's definition: either tail has 5 % at the ends.
    assert binom.sf(larger - 1, 12, row["low"]) == pytest.approx(0.05)
    assert binom.cdf(larger, 12, row["high"]) == pytest.approx(0.05)
    assert row["low"] == pytest.approx(beta.ppf(0.05, larger, 13 - larger))


def test_ties_count_half_and_are_not_tested():
    row = of(made([1, 1, 1, 1], [2, 2, 0, 1]))
    assert row["ties"] == 1
    assert row["estimate"] == 2.5 / 4
    assert row["p_value"] == pytest.approx(1)
    even = of(made([1, 1, 1], [2, 0, 1]))
    assert even["low"] == pytest.approx(1 - even["high"])
    all_tied = of(made([1, 1], [1, 1]))
    assert all_tied["estimate"] == 0.5
    assert np.isnan(all_tied["p_value"])


def test_exchanged_settings_have_the_other_fraction_and_ratio():
    generator = np.random.default_rng(0)
    one, other = generator.random((2, 15))
    plain, reverse = of(made(one, other)), of(made(other, one))
    assert reverse["estimate"] == pytest.approx(1 - plain["estimate"])
    assert [reverse["low"], reverse["high"]] == pytest.approx([1 - plain["high"], 1 - plain["low"]])
    assert reverse["p_value"] == pytest.approx(plain["p_value"])
    assert reverse["ratio"] == pytest.approx(1 / plain["ratio"])


def test_ratio_is_the_geometric_mean_of_positive_values():
    assert of(made([1, 1], [2, 8]))["ratio"] == pytest.approx(4)
    assert of(made([2], [6]))["ratio"] == pytest.approx(3)
    assert np.isnan(of(made([1, 1], [2, -1]))["ratio"])


def test_test_accuracy_should_be_larger_in_the_better_setting():
    row = of(made([0.9, 0.8, 0.7], [0.5, 0.5, 0.75], quantity="test_accuracy"))
    assert row["estimate"] == pytest.approx(2 / 3)
    assert row["larger_in"] == "3"


def test_pairs_without_both_values_are_left_out():
    row = of(made([1, 2, np.nan], [2, np.nan, np.nan], note=["", NO_NETWORK, NO_NETWORK]))
    assert (row["pairs"], row["left_out"], row["networks"]) == (1, 2, 8)
    assert row["note"] == f"{NO_NETWORK}; 1 of the 5 pairs that a verdict needs"


def test_few_draws_of_many_pairs_are_told():
    row = over_all(shared(np.full((3, 4), 2)))
    assert (row["pairs"], row["draws"]) == (12, 4)
    assert row["note"] == "4 of the 5 draws of hyper-parameters that a verdict needs"
    assert over_all(shared(np.full((3, 5), 2)))["note"] == ""


def shared(values, **columns):
    """Pairs of several datasets with the same draws: dataset × draw, better is 1."""
    tables = [
        made(np.ones(len(of_dataset)), of_dataset, dataset=f"d{place}", **columns)
        for place, of_dataset in enumerate(values)
    ]
    table = pd.concat(tables, ignore_index=True)
    names = table["dataset"] + "-" + table["draw"].astype(str)
    return table.assign(ensemble_better="b" + names, ensemble_worse="w" + names)


def over_all(table, **settings):
    (row,) = pair_statistics(table, **settings).query("dataset == 'all'").to_dict("records")
    return row


def test_datasets_with_the_same_draws_are_judged_by_draws():
    larger = np.random.default_rng(0).random((3, 12)) < 0.7
    row = over_all(shared(np.where(larger, 2, 0.5)))
    means = larger.mean(0)
    assert (row["pairs"], row["draws"]) == (36, 12)
    assert row["estimate"] == pytest.approx(means.mean())
    half = t.ppf(0.975, 11) * sem(means)
    assert [row["low"], row["high"]] == pytest.approx([means.mean() - half, means.mean() + half])
    assert row["p_value"] == pytest.approx(ttest_1samp(means, 0.5).pvalue)


def test_draws_that_all_agree_have_an_exact_interval():
    row = over_all(shared(np.full((4, 6), 2.0)))
    assert (row["pairs"], row["draws"], row["estimate"], row["high"]) == (24, 6, 1, 1)
    assert row["low"] == pytest.approx(0.025 ** (1 / 6))
    assert row["p_value"] == pytest.approx(2 * 0.5**6)
    even = over_all(shared([[2.0] * 6, [0.5] * 6]))
    assert even["estimate"] == 0.5
    assert even["low"] == pytest.approx(1 - even["high"])


def test_interval_of_draws_is_one_of_a_fraction():
    """One draw of six is a tie: the interval of t ends beyond 1."""
    larger = np.full((2, 6), 2.0)
    larger[0, 0] = 0.5
    row = over_all(shared(larger))
    means = np.array([0.5, 1, 1, 1, 1, 1])
    half = t.ppf(0.975, 5) * sem(means)
    assert means.mean() + half > 1
    assert [row["low"], row["high"]] == [pytest.approx(means.mean() - half), 1]


def test_draws_without_a_pair_in_every_dataset_count_as_much_as_others():
    row = over_all(shared([[2, 2, 0.5, 0.5], [2, 2, np.nan, np.nan]], note=""))
    assert (row["pairs"], row["draws"], row["estimate"]) == (6, 4, 0.5)


def test_interval_of_draws_covers_what_pairs_do_not():
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(100):
        # Half of the variance is that of a draw, common to four datasets.
        latent = generator.normal(size=16) + generator.normal(size=(4, 16))
        row = over_all(shared(np.where(latent > norm.ppf(0.4), 2, 0.5)))
        truth = norm.sf(norm.ppf(0.4) / np.sqrt(2))
        covered += row["low"] <= truth <= row["high"]
    assert covered >= binom.ppf(0.001, 100, 0.94)


def coupled(quantity, gap):
    """Row of a quantity of which the changes are given, beside those of the gap."""
    size = len(gap)
    table = pd.concat(
        [
            made(np.zeros(size), quantity),
            made(np.zeros(size), gap, quantity="generalization_gap"),
        ],
        ignore_index=True,
    )
    rows = pair_statistics(table).set_index("quantity")
    assert np.isnan(rows.loc["generalization_gap", "coupled"])
    assert np.isnan(rows.loc["norm", "coupled_loss"])
    return rows.loc["norm"]


def test_quantity_that_changes_with_the_gap_is_coupled_to_it():
    gap = np.tile([1.0, -1.0], 10)
    row = coupled(3 * gap, gap)
    assert (row["coupled"], row["coupled_high"]) == (1, 1)
    assert row["coupled_low"] == pytest.approx(0.025 ** (1 / 20))
    assert row["coupled_excess"] == 0.5
    assert row["coupled_excess_low"] > 0
    opposite = coupled(-gap, gap)
    assert (opposite["coupled"], opposite["coupled_excess"]) == (0, -0.5)


def test_setting_that_shifts_both_in_all_pairs_says_nothing_of_coupling():
    row = coupled(np.ones(12), np.ones(12))
    excess = [row[f"coupled_excess{end}"] for end in ("", "_low", "_high")]
    assert (row["coupled"], *excess) == (1, 0, 0, 0)


def test_excess_is_over_changes_that_are_exchanged_between_pairs():
    generator = np.random.default_rng(2)
    first, second = generator.choice([-1.0, 0.0, 1.0], (2, 15))
    row = coupled(first, second)
    every = (1 + np.outer(first, second)) / 2
    assert row["coupled"] == pytest.approx(np.diag(every).mean())
    assert row["coupled_excess"] == pytest.approx(np.diag(every).mean() - every.mean())
    left_out = []
    for place in range(15):
        one, other = np.delete(first, place), np.delete(second, place)
        left_out.append((one @ other / 14 - one.mean() * other.mean()) / 2)
    half = t.ppf(0.975, 14) * np.sqrt(14 / 15 * np.square(left_out - np.mean(left_out)).sum())
    assert row["coupled_excess_high"] - row["coupled_excess"] == pytest.approx(half)


def test_changes_are_exchanged_within_datasets():
    # In the first dataset both always rise, in the second both always fall.
    table = pd.concat([
        made(np.zeros(6), side * np.ones(6), dataset=dataset, quantity=quantity)
        for dataset, side in (("d0", 1), ("d1", -1))
        for quantity in ("norm", "generalization_gap")
    ])
    rows = pair_statistics(table).query("dataset == 'all'").set_index("quantity")
    assert (rows.loc["norm", "coupled"], rows.loc["norm", "coupled_excess"]) == (1, 0)


def test_higher_accuracy_is_coupled_to_a_smaller_gap():
    gap = np.tile([1.0, -1.0], 10)
    table = pd.concat([
        made(np.zeros(20), -gap, quantity="test_accuracy"),
        made(np.zeros(20), gap, quantity="generalization_gap"),
        made(np.zeros(20), gap, quantity="test_loss"),
    ])
    rows = pair_statistics(table).set_index("quantity")
    assert rows.loc["test_accuracy", ["coupled", "coupled_loss"]].to_list() == [1, 1]


@pytest.fixture(scope="module")
def compared():
    return pairs(made_measures_of_two(), COMPARISONS, quantities=["jacobian_norm"])


def test_comparison_without_pairs_has_reasons(compared):
    rows = pair_statistics(compared).query("setting == 'activation'")
    assert (rows[["pairs", "left_out", "networks"]] == 0).all(axis=None)
    assert rows[["estimate", "low", "high", "p_value", "ratio"]].isna().all(axis=None)
    assert (rows["note"] == NO_PAIR).all()


def test_each_dataset_of_several_has_its_own_rows(compared):
    table = pair_statistics(compared)
    assert list(table) == COLUMNS
    assert len(table) == 3 * 3 * 4
    for dataset in ("mnist_subset", "digits"):
        alone = compared[compared["dataset"] == dataset]
        expected = pair_statistics(alone).drop(columns="dataset")
        found = table[(table["dataset"] == dataset) & (table["setting"] != "activation")]
        pd.testing.assert_frame_equal(
            found.drop(columns="dataset").reset_index(drop=True), expected
        )
    sizes = table[table["setting"] == "depth"].groupby("dataset")[["pairs", "draws"]]
    assert sizes.agg(["min", "max"]).T["all"].to_list() == [24, 24, 12, 12]
    assert (sizes.max().drop(index="all") == 12).all(axis=None)


def test_tables_that_were_written_and_read_say_the_same(compared, tmp_path):
    write_table(tmp_path / "pairs.csv", compared)
    again = pair_statistics(read_table(tmp_path / "pairs.csv"))
    pd.testing.assert_frame_equal(again, pair_statistics(compared))


def test_impossible_level():
    with pytest.raises(ValueError, match=r"^level must be between 0 and 1, not 95\.$"):
        pair_statistics(made([1], [2]), level=95)


def test_fraction_stands_beside_that_before_training():
    trained = [1.0, 1, 1, 1, -1]
    before = [1.0, -1, 1, -1, -1]
    table = made([0] * 5, trained).assign(untrained_better=0.0, untrained_worse=before)
    row = of(table)
    differences = np.array([0, 1, 0, 1, 0.0])
    half = t.ppf(0.975, 4) * sem(differences)
    assert row["over_untrained"] == pytest.approx(0.4)
    assert row["over_untrained_low"] == pytest.approx(0.4 - half)
    assert row["over_untrained_high"] == pytest.approx(0.4 + half)
    assert np.isnan(of(made([0] * 5, trained))["over_untrained"])


def test_dataset_of_one_draw_may_be_left_out_by_the_jackknife():
    generator = np.random.default_rng(5)
    first, second = generator.choice([-1.0, 1.0], (2, 8))
    datasets = ["d0"] * 7 + ["d1"]
    table = pd.concat([
        made(np.zeros(8), signs, quantity=quantity, dataset=datasets)
        for quantity, signs in (("norm", first), ("generalization_gap", second))
    ])
    row = pair_statistics(table).query("dataset == 'all'").set_index("quantity").loc["norm"]

    def excess(kept):
        exchanged = 0.0
        for dataset in set(np.array(datasets)[kept]):
            here = kept[np.array(datasets)[kept] == dataset]
            exchanged += len(here) * first[here].mean() * second[here].mean()
        return (first[kept] @ second[kept] - exchanged) / len(kept) / 2

    every = np.arange(8)
    left_out = np.array([excess(np.delete(every, place)) for place in every])
    half = t.ppf(0.975, 7) * np.sqrt(7 / 8 * np.square(left_out - left_out.mean()).sum())
    assert row["coupled_excess"] == pytest.approx(excess(every))
    assert row["coupled_excess_high"] - row["coupled_excess"] == pytest.approx(half)


@pytest.mark.parametrize(
    ("unfitted", "accuracies", "says"),
    [(0, [1, 2], False), (1, [1, 2], True), (1, [2, 1], False), (1, [1, 1], True)],
    ids=["all fit", "less accurate", "more accurate", "as accurate"],
)
def test_where_networks_need_not_fit_the_better_setting_must_be_more_accurate(
    unfitted, accuracies, says
):
    better, worse = (np.full(8, value) for value in accuracies)
    table = pd.concat([
        made(np.ones(8), np.full(8, 2), "generalization_gap"),
        made(better, worse, "test_accuracy"),
    ]).assign(unfitted=unfitted)
    gap, accuracy = pair_statistics(table).to_dict("records")
    assert gap["estimate"] == 1
    assert gap["unfitted"] == 8 * unfitted
    assert accuracy["premise"] == ""
    assert gap["premise"].startswith("not all networks fit, and with 3 the") is says
    if says:
        share = f"{50 * (1 + np.sign(accuracies[0] - accuracies[1])):.0f} % ["
        assert share in gap["premise"]
