import numpy as np
import pandas as pd
import pytest
from oracles.studies import made_measures_of_two
from scipy.stats import beta, binom

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
        networks=8,
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
    assert np.isnan(of(made([1, 1], [2, -1]))["ratio"])


def test_test_accuracy_should_be_larger_in_the_better_setting():
    row = of(made([0.9, 0.8, 0.7], [0.5, 0.5, 0.75], quantity="test_accuracy"))
    assert row["estimate"] == pytest.approx(2 / 3)
    assert row["larger_in"] == "3"


def test_pairs_without_both_values_are_left_out():
    row = of(made([1, 2, np.nan], [2, np.nan, np.nan], note=["", NO_NETWORK, NO_NETWORK]))
    assert (row["pairs"], row["left_out"], row["networks"]) == (1, 2, 8)
    assert row["note"] == NO_NETWORK


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
    sizes = table[table["setting"] == "depth"].groupby("dataset")["pairs"].unique()
    assert sizes.to_dict() == {"all": [24], "digits": [12], "mnist_subset": [12]}


def test_tables_that_were_written_and_read_say_the_same(compared, tmp_path):
    write_table(tmp_path / "pairs.csv", compared)
    again = pair_statistics(read_table(tmp_path / "pairs.csv"))
    pd.testing.assert_frame_equal(again, pair_statistics(compared))


def test_impossible_level():
    with pytest.raises(ValueError, match=r"^level must be between 0 and 1, not 95\.$"):
        pair_statistics(made([1], [2]), level=95)
