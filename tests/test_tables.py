import numpy as np
import pandas as pd
import pytest
from oracles.studies import hyperparameters, made_measures, made_training

from generalization.errors import InputError
from generalization.tables import (
    collect_measures,
    collect_training,
    read_table,
    swept_hyperparameters,
    with_networks,
    write_table,
)


@pytest.fixture
def training():
    """Two networks of one ensemble; the second ends earlier."""
    return pd.DataFrame({
        "ensemble": "digits-00000000",
        "seed": [1, 1, 1, 2, 2],
        "step": [0, 5, 9, 0, 5],
        "train_loss": [2.3, 0.5, 0.1, 2.3, 0.4],
        "train_accuracy": [0.1, 0.8, 1.0, 0.2, 1.0],
        "test_loss": [2.3, 0.6, 0.5, 2.3, 0.5],
        "test_accuracy": [0.1, 0.7, 0.75, 0.1, 0.9],
        "status": ["fitted", "fitted", "fitted", "stopped", "stopped"],
    })


@pytest.fixture
def table(training):
    """A measure of both networks, in another order, with a value that does not exist."""
    rows = training[["ensemble", "seed", "step"]].iloc[::-1]
    return rows.assign(measure="weight_norm", value=[5.0, 4.0, np.nan, 2.0, 1.0], status="there")


ABOUT = {"digits-00000000": {"dataset": "digits", "crop": None, "width": 50, "kept_steps": (0, 5)}}


def test_devices_stand_in_the_training_history_alone(training, table):
    made_on = {"device": "cpu", "driver": "", "torch": "2.13", "stack_size": 2}
    known = collect_training(training.assign(**made_on), ABOUT)
    assert list(known)[-4:] == list(made_on) and "device" not in swept_hyperparameters(known)
    for join in (
        lambda rows: collect_measures([table], rows, ABOUT),
        lambda rows: with_networks(table[["ensemble", "seed", "step"]], rows),
    ):
        pd.testing.assert_frame_equal(join(training.assign(**made_on)), join(training))


def test_floats_read_back_as_they_were(tmp_path):
    values = np.random.default_rng(0).lognormal(sigma=200, size=1000)
    table = pd.DataFrame({"double": values, "single": np.float32(np.sqrt(values) % 1)})
    write_table(tmp_path / "table.csv", table)
    read = read_table(tmp_path / "table.csv")
    assert (read["double"] == table["double"]).all()
    assert (read["single"] == table["single"].astype(float)).all()


def test_only_empty_cells_are_missing(tmp_path):
    table = pd.DataFrame({"word": ["none", "None", "nan", "NA"], "value": [1.5, np.nan, np.inf, 0]})
    write_table(tmp_path / "table.csv", table)
    assert (tmp_path / "table.csv").read_text().splitlines()[2] == "None,"
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), table)


def test_table_is_written_whole_or_not_at_all(tmp_path):
    class Unwritable:
        def __str__(self):
            raise RuntimeError

    write_table(tmp_path / "table.csv", pd.DataFrame({"value": [1]}))
    with pytest.raises(RuntimeError):
        write_table(tmp_path / "table.csv", pd.DataFrame({"value": [2, Unwritable()]}))
    assert read_table(tmp_path / "table.csv")["value"].to_list() == [1]
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", ".table.csv.sha256"}


def test_measures_are_next_to_their_networks(training, table):
    joined = collect_measures([table], training, ABOUT)
    assert list(joined) == [
        "ensemble",
        "seed",
        "step",
        "final",
        "measure",
        "value",
        "standard_error",
        "method",
        "status",
        "reason",
        "dataset",
        "crop",
        "width",
        "kept_steps",
        "train_loss",
        "train_accuracy",
        "test_loss",
        "test_accuracy",
        "generalization_gap",
    ]
    assert joined[["standard_error", "method"]].isna().all(axis=None)
    shown = joined.sort_values(["seed", "step"])
    assert shown["value"].to_list()[:2] == [1.0, 2.0]
    assert shown["value"].isna().to_list() == [False, False, True, False, False]
    assert shown["final"].to_list() == [False, False, True, False, True]
    assert shown["status"].to_list() == ["fitted"] * 3 + ["stopped"] * 2
    assert shown["generalization_gap"].to_list() == pytest.approx([0, 0.1, 0.25, 0.1, 0.1])
    assert (joined["kept_steps"] == "[0, 5]").all()


def test_how_values_were_found_is_kept(training, table):
    told = table.assign(standard_error=0.1, method="sampled", reason="2 draws", seconds=3.0)
    joined = collect_measures([told], training, ABOUT)
    assert joined[["standard_error", "method", "reason"]].drop_duplicates().values.tolist() == [
        [0.1, "sampled", "2 draws"]
    ]
    assert "seconds" not in joined


def test_final_is_the_last_step_of_training_even_if_it_was_not_measured(training, table):
    joined = collect_measures([table[table["step"] < 9]], training, ABOUT)
    assert joined.loc[joined["final"], ["seed", "step"]].to_numpy().tolist() == [[2, 5]]


def test_whole_numbers_stay_whole_beside_missing_ones(training):
    other = training.assign(ensemble="digits-00000001")
    about = ABOUT | {"digits-00000001": ABOUT["digits-00000000"] | {"crop": 24}}
    joined = collect_training(pd.concat([training, other]), about)
    assert joined.drop_duplicates("ensemble").to_csv(columns=["crop"], index=False) == (
        'crop\n""\n24\n'
    )
    assert swept_hyperparameters(joined) == ["crop"]


def test_what_foreign_architectures_lack_is_no_value(training):
    about = ABOUT["digits-00000000"]
    foreign = about | {"architecture": "package:net", "depth": None, "width": None}
    other = training.assign(ensemble="digits-00000001")
    joined = collect_training(pd.concat([training, other]), ABOUT | {"digits-00000001": foreign})
    assert joined["depth"].isna().any() and "architecture" in swept_hyperparameters(joined)
    assert not {"depth", "width"} & set(swept_hyperparameters(joined))


def test_study_reads_back_as_it_was(tmp_path):
    measures = made_measures()
    write_table(tmp_path / "measures.csv", measures)
    read = read_table(tmp_path / "measures.csv")
    assert swept_hyperparameters(read) == ["label_corruption", "depth", "init_scale", "width"]
    assert read["final"].dtype == bool
    columns = [key for key in measures if key not in ("train_size", "final")]
    pd.testing.assert_frame_equal(read[columns], measures[columns], check_dtype=False)


def test_course_of_training_has_all_rows():
    course = made_training()
    joined = collect_training(course, hyperparameters())
    assert len(joined) == len(course)
    assert (joined.groupby(["ensemble", "seed"])["final"].sum() == 1).all()


def test_measure_of_an_unknown_network_is_refused(training, table):
    with pytest.raises(
        InputError,
        match=r"^Training must contain all measured networks, but lacks ensemble digits-00000000, "
        r"seed 2, step 5\.$",
    ):
        collect_measures([table], training[:-1], ABOUT)


def test_measure_that_is_there_twice_is_refused(training, table):
    with pytest.raises(
        InputError,
        match=r"^Measures must have unique rows, but ensemble digits-00000000, seed 2, "
        r"step 5, measure weight_norm occurs twice\.$",
    ):
        collect_measures([table, table], training, ABOUT)


def test_network_that_is_there_twice_is_refused(training, table):
    with pytest.raises(
        InputError,
        match=r"^Training must have unique rows, but ensemble digits-00000000, seed 1, "
        r"step 0 occurs twice\.$",
    ):
        collect_measures([table], pd.concat([training, training]), ABOUT)


def test_unknown_ensemble_is_refused(training):
    with pytest.raises(
        InputError,
        match=r"^Hyper-parameters must be given for every ensemble, but are missing for "
        r"digits-00000000\.$",
    ):
        collect_training(training, {})


def test_missing_column_is_named(training, table, tmp_path):
    sentence = r"must have the column seed; its columns are ensemble, value\.$"
    broken = pd.DataFrame({"ensemble": ["a"], "value": [1.0]})
    with pytest.raises(InputError, match=r"^A table of measures " + sentence):
        collect_measures([table, broken], training, ABOUT)
    write_table(tmp_path / "table.csv", broken)
    with pytest.raises(InputError, match=r"^.*/table\.csv " + sentence):
        read_table(tmp_path / "table.csv", ["seed"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "No columns to parse from file"),
        (b"a,b\n1,2\n1,2,3\n", "Error tokenizing data. .* Expected 2 fields in line 3, saw 3"),
        (b"\xff\xfe\x00a,b", ".*can't decode.*"),
    ],
)
def test_file_that_is_no_table_is_refused(tmp_path, content, reason):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(InputError, match=rf"^.*/table\.csv must be a CSV table, but: {reason}\.$"):
        read_table(tmp_path / "table.csv")


def test_profile_is_next_to_its_networks(training):
    networks = collect_training(training, ABOUT)
    profile = training[["ensemble", "seed", "step"]].head(3).assign(angle=[0.1, 0.2, 0.3])
    joined = with_networks(profile.iloc[::-1], networks)
    assert joined["angle"].to_list() == [0.3, 0.2, 0.1]
    assert set(networks) < set(joined)
    assert joined["final"].to_list() == networks["final"].to_list()[2::-1]


def test_profile_of_an_unknown_network_is_refused(training):
    profile = pd.DataFrame({"ensemble": ["digits-00000000"], "seed": 1, "step": 7, "angle": 0.1})
    with pytest.raises(InputError) as caught:
        with_networks(profile, collect_training(training, ABOUT))
    assert str(caught.value) == (
        "Training must contain all networks of a profile, but lacks ensemble digits-00000000, "
        "seed 1, step 7."
    )
