import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from oracles.studies import made_measures

from generalization.errors import InputError
from generalization.statistics import foreign_league
from generalization.statistics.foreign_table import read_foreign_table
from generalization.tables import hyperparameters_of, swept_hyperparameters

ROWS = pd.DataFrame({
    "group": ["a", "a", "b", "b"],
    "seed": [1, 2, 1, 2],
    "width": [10, 10, 20, 20],
    "activation": ["relu", "relu", "tanh", "tanh"],
    "train_accuracy": [1.0, 1.0, 1.0, 0.9],
    "test_accuracy": [0.8, 0.7, 0.6, 0.5],
    "sharpness": [0.1, 0.2, 0.3, np.nan],
    "norm": [1, 2, 3, 4],
})
SETTINGS = ["width", "activation"]


def read(tmp_path, table, hyperparameters=SETTINGS):
    path = tmp_path / "theirs.csv"
    table.to_csv(path, index=False)
    return read_foreign_table(path, hyperparameters)


def test_table_is_as_one_of_a_study(tmp_path):
    table = read(tmp_path, ROWS)
    own = made_measures()
    assert [one for one in table if one not in SETTINGS] == [
        one for one in own if one not in hyperparameters_of(own) or one == "dataset"
    ]
    assert hyperparameters_of(table) == ["dataset", *SETTINGS]
    assert swept_hyperparameters(table) == SETTINGS
    assert table["dataset"].unique() == ["theirs"]
    assert table.groupby("measure").size().to_dict() == {"sharpness": 4, "norm": 4}
    row = table.query("measure == 'norm' and ensemble == 'b' and seed == 2").iloc[0]
    assert row["value"] == 4
    assert row["generalization_gap"] == pytest.approx(0.4)
    assert row["train_accuracy"] == 0.9
    assert table["final"].all()


def test_gap_alone_is_enough_and_all_networks_count_as_fitted(tmp_path):
    gap = ROWS["train_accuracy"] - ROWS["test_accuracy"]
    plain = ROWS.drop(columns=["train_accuracy", "test_accuracy"])
    table = read(tmp_path, plain.assign(generalization_gap=gap))
    assert table["generalization_gap"].tolist()[:4] == pytest.approx(gap.tolist())
    assert (table["train_accuracy"] == 1).all()
    assert table["test_accuracy"].isna().all()


def test_gap_may_be_negative(tmp_path):
    table = read(tmp_path, ROWS.assign(train_accuracy=[1.0, 1.0, 1.0, 0.0], test_accuracy=1.0))
    assert table["generalization_gap"].tolist()[:4] == [0, 0, 0, -1]
    gap = [0.5, 0.5, 0.5, -0.5]
    plain = ROWS.drop(columns=["train_accuracy", "test_accuracy"]).assign(generalization_gap=gap)
    assert read(tmp_path, plain)["generalization_gap"].tolist()[:4] == gap


def test_datasets_may_differ(tmp_path):
    table = read(tmp_path, ROWS.assign(dataset=["one", "one", "two", "two"]))
    assert table["dataset"].unique().tolist() == ["one", "two"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda rows: rows.drop(columns="seed"),
            "{path} must have the column seed; its columns are group, width, activation, "
            "train_accuracy, test_accuracy, sharpness, norm.",
        ),
        (
            lambda rows: rows.drop(columns="width"),
            "{path} must have the column width; its columns are group, seed, activation, "
            "train_accuracy, test_accuracy, sharpness, norm.",
        ),
        (lambda rows: rows[:0], "{path} must have at least 1 row, not 0."),
        (
            lambda rows: rows.assign(group=["a", None, "b", "b"]),
            "group of {path} must be given in line 3.",
        ),
        (
            lambda rows: rows.assign(seed=[1, 2, 1, 1]),
            "{path} must have one row per network, but group b, seed 1 occurs twice.",
        ),
        (
            lambda rows: rows.assign(seed=1),
            "{path} must have one row per network, but group a, seed 1 occurs twice.",
        ),
        (
            lambda rows: rows.assign(width=[10, 10, 20, 30]),
            "width of {path} must be the same for all networks of a group, but has 2 values in "
            "group b.",
        ),
        (
            lambda rows: rows.drop(columns="test_accuracy"),
            "{path} must have the column generalization_gap, or train_accuracy and test_accuracy; "
            "its columns are group, seed, width, activation, train_accuracy, sharpness, norm, "
            "dataset.",
        ),
        (
            lambda rows: rows.assign(test_accuracy=[0.8, 0.7, 60, 0.5]),
            "test_accuracy of {path} must be from 0 to 1, not 60 in line 4.",
        ),
        (
            lambda rows: rows.assign(test_accuracy=[0.8, 7, 60, 0.5]),
            "test_accuracy of {path} must be from 0 to 1, not 7 in line 3.",
        ),
        (
            lambda rows: rows.assign(test_loss=[0.8, 7, -1, -2]),
            "test_loss of {path} must be from 0 to inf, not -1 in line 4.",
        ),
        (
            lambda rows: rows.assign(generalization_gap=[0.2, 0.3, 0.5, 0.6]),
            "generalization_gap of {path} must be train_accuracy − test_accuracy, 0.4, not 0.5 in "
            "line 4.",
        ),
        (
            lambda rows: rows.assign(generalization_gap=[0.2, 0.3, 0.4, 0.5]),
            "generalization_gap of {path} must be train_accuracy − test_accuracy, 0.4, not 0.5 in "
            "line 5.",
        ),
        (
            lambda rows: rows.assign(norm=["1", "2", "high", "4"]),
            "norm of {path} must be a number, not 'high' in line 4; if it is a hyper-parameter, "
            "name it as one.",
        ),
        (
            lambda rows: rows.assign(norm=[True, False, True, True]),
            "norm of {path} must be a number, not 'True' in line 2; if it is a hyper-parameter, "
            "name it as one.",
        ),
        (
            lambda rows: rows.drop(columns=["sharpness", "norm"]),
            "{path} must have at least 1 column that is a measure, not 0.",
        ),
        (
            lambda rows: rows.assign(value=1.0),
            "measures of {path} must have names of their own, not value.",
        ),
    ],
)
def test_faults_are_reported_in_one_sentence(tmp_path, change, sentence):
    with pytest.raises(InputError) as caught:
        read(tmp_path, change(ROWS))
    assert str(caught.value) == sentence.format(path=tmp_path / "theirs.csv")


def test_hyperparameters_have_names_of_their_own(tmp_path):
    with pytest.raises(InputError) as caught:
        read(tmp_path, ROWS, ["seed"])
    assert str(caught.value) == (
        f"hyper-parameters of {tmp_path / 'theirs.csv'} must have names of their own, not seed."
    )


def test_one_command_makes_a_league_of_a_table(tmp_path):
    """Of 12 groups; every table is there, and the front page speaks of the planted measure."""
    generator = np.random.default_rng(0)
    groups = pd.DataFrame([(w, d, r) for w in (10, 20) for d in (2, 3) for r in range(6)])
    groups.columns = ["width", "depth", "draw"]
    known = generator.normal(size=len(groups))
    rows = pd.concat([
        groups.assign(
            group=[f"g{one}" for one in groups.index],
            seed=seed,
            generalization_gap=0.1 + 0.01 * known + 0.001 * generator.normal(size=len(groups)),
            planted=known,
            nothing=generator.normal(size=len(groups)),
        ).drop(columns="draw")
        for seed in (1, 2)
    ])
    rows.to_csv(tmp_path / "theirs.csv", index=False)
    folder = tmp_path / "theirs"
    command = [sys.executable, "scripts/league_of_table.py", str(tmp_path / "theirs.csv")]
    command += ["--hyperparameters", "width", "depth", "--resamples", "50"]
    done = subprocess.run(
        [*command, "--output", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in folder.glob("*.csv")} == {
        *("measures", "statistics", "design", "excluded"),
        *("selection_on_fit", "model_statistics"),
    }
    assert (folder / "measure_league.svg").is_file()
    statistics = pd.read_csv(folder / "statistics.csv")
    of_sizes = statistics["statistic"].str.startswith("sign_error")
    taken = statistics["note"].fillna("").str.contains("test points are taken for 10,000")
    assert of_sizes.any()
    assert (taken == of_sizes).all()
    assert len(list((folder / "parquet").glob("*.parquet"))) == 6
    page = (folder / "summary.txt").read_text(encoding="utf-8")
    assert page.startswith("Planted ranks the gap of fitted networks best")
    assert "explains" in page


def test_number_of_test_points_decides_which_changes_are_certain(monkeypatch):
    """It reaches the weights of sign errors, for all datasets of the table."""
    sizes = []

    def fit(measures, *, test_sizes, **_):
        sizes.append(test_sizes)
        return pd.DataFrame({"statistic": ["sign_error_mean"], "note": [""]}), pd.DataFrame()

    measures = pd.DataFrame({"dataset": ["one", "two"]})
    for name in ("excluded", "selection_on_fit", "model_statistics"):
        monkeypatch.setattr(foreign_league, name, lambda *_, **__: pd.DataFrame())
        getattr(foreign_league, name).__name__ = name
    monkeypatch.setattr(foreign_league, "fit_statistics", fit)
    settings = {"baselines": [], "fitted_accuracy": 0.99, "resamples": 9}
    given = foreign_league.foreign_league(measures, **settings, test_size=4000)
    taken = foreign_league.foreign_league(measures, **settings)
    with pytest.raises(InputError, match=r"^test_size must be at least 1, not 0\.$"):
        foreign_league.foreign_league(measures, **settings, test_size=0)
    foreign_league.foreign_league(measures, **settings, test_size=1)
    assert sizes == [{"one": size, "two": size} for size in (4000, 10_000, 1)]
    assert given["statistics"]["note"].tolist() == [""]
    assert taken["statistics"]["note"].tolist() == ["test points are taken for 10,000"]
