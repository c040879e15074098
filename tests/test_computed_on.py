"""Tables tell on which devices they were computed."""

import numpy as np
import pandas as pd
import pytest

from generalization.computed_on import ORIGIN, counted_origins, told_origins, without_origins
from generalization.tables import read_table, write_table

A = ("cpu (AVX2)", np.nan, "2.13.0")
B = ("NVIDIA H200", "580.10", "2.13.0")


def table(*origins, measure="norm", **columns):
    """Rows of ensembles a, b, …, each computed on one or several devices."""
    rows = [
        (ensemble, *origin)
        for ensemble, some in zip("abc", origins, strict=False)
        for origin in some
    ]
    found = pd.DataFrame(rows, columns=["ensemble", *ORIGIN])
    return found.assign(measure=measure, value=1.0, **columns)


def test_ensembles_are_counted_by_measure_and_device():
    measures = pd.concat([table([A], [A, A], [A]), table([A], [A, B], [B], measure="margin")])
    assert counted_origins(measures).values.tolist() == [
        ["margin", *B, 2, 1, "b"],
        ["margin", A[0], "", A[2], 2, 1, "b"],
        ["norm", A[0], "", A[2], 3, 0, "a"],
    ]


def test_a_profile_and_pairs_are_counted_by_their_name():
    pairs = table([A], [B]).rename(columns={"ensemble": "ensemble_a"}).drop(columns="measure")
    found = counted_origins(pairs, "pairs")
    assert found["table"].tolist() == ["pairs"] * 2
    assert found["ensemble"].tolist() == ["b", "a"]


def test_tables_without_devices_are_not_counted():
    assert counted_origins(table([A]).drop(columns=ORIGIN)).empty
    assert list(without_origins(table([A]))) == ["ensemble", "measure", "value"]
    assert list(told_origins(counted_origins(table([A])[:0]))) == []


@pytest.mark.parametrize(
    ("origins", "sentences"),
    [
        (
            ([A], [A]),
            [
                "All values were computed on the same device, with the same driver and torch: "
                "cpu (AVX2) 2.13.0."
            ],
        ),
        (
            ([A], [B], [B]),
            [
                "Values were not all computed on the same device, with the same driver and torch: "
                "NVIDIA H200 580.10 2.13.0 (norm); cpu (AVX2) 2.13.0 (2 tables)."
            ],
        ),
        (
            ([A], [A, B]),
            [
                "Values were not all computed on the same device, with the same driver and torch: "
                "NVIDIA H200 580.10 2.13.0 (norm); cpu (AVX2) 2.13.0 (2 tables).",
                "Networks of one ensemble have values of several of these, in 1 table (norm of b, "
                "for one): the same seeds give the same bits on one of them only.",
            ],
        ),
    ],
    ids=["same", "different", "shared"],
)
def test_front_page_tells_devices_as_it_tells_those_of_training(tmp_path, origins, sentences):
    measures = pd.concat([table(*origins), table([A], measure="margin")])
    write_table(tmp_path / "computed_on.csv", counted_origins(measures))
    assert list(told_origins(read_table(tmp_path / "computed_on.csv"))) == sentences
