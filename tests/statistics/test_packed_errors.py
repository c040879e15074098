import base64

import numpy as np
import pandas as pd
import pytest

from generalization.errors import InputError
from generalization.statistics.packed_errors import (
    errors_of_networks,
    packed_errors,
    packed_text,
    unpacked_text,
)
from generalization.tables import read_table, write_table


@pytest.mark.parametrize("images", [1, 7, 8, 9, 64, 65, 797, 10_000])
def test_what_is_packed_is_unpacked(images):
    wrong = np.random.default_rng(images).random(images) < 0.3
    assert (unpacked_text(packed_text(wrong), images) == wrong).all()


def test_first_image_is_the_highest_bit_of_the_first_byte():
    wrong = np.zeros(10, bool)
    wrong[[0, 9]] = True
    assert (
        packed_text(wrong) == "base64:" + base64.b64encode(bytes([0b10000000, 0b01000000])).decode()
    )
    assert len(packed_text(np.ones(10_000, bool))) == 1675


def test_text_of_few_images_is_read_back_as_text(tmp_path):
    # Without its prefix, of three bytes that would be the number 1234.
    wrong = np.unpackbits(np.frombuffer(base64.b64decode("1234"), np.uint8)) == 1
    write_table(tmp_path / "errors.csv", pd.DataFrame({"misclassified": [packed_text(wrong)]}))
    text = read_table(tmp_path / "errors.csv")["misclassified"].item()
    assert (unpacked_text(text, 24) == wrong).all()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gA==", "'gA=='"),
        ("base64:gA", "'base64:gA'"),
        ("base64:gAA=", "'base64:gAA='"),
        ("base64:/w==", "'base64:/w=='"),
        ("base64:g?==", "'base64:g?=='"),
        (1.5, "1.5"),
    ],
)
def test_text_of_other_images_is_refused(text, shown):
    with pytest.raises(InputError) as caught:
        unpacked_text(text, 3)
    assert str(caught.value) == (
        f"Errors of 3 test images must be base64: and 1 bytes, not {shown}."
    )


NETWORKS = pd.DataFrame({
    "ensemble": ["a", "a", "b", "c", "c"],
    "seed": [1, 3, 3, 1, 3],
    "dataset": ["digits", "digits", "mnist", "digits", "digits"],
})
ENSEMBLES = pd.Index(["a", "b", "c"])


@pytest.fixture
def wrong():
    generator = np.random.default_rng(0)
    sizes = {"digits": 70, "mnist": 130}
    return [generator.random(sizes[dataset]) < 0.4 for dataset in NETWORKS["dataset"]]


def table(wrong, networks=NETWORKS):
    return networks.drop(columns="dataset").assign(
        step=9, test_images=list(map(len, wrong)), misclassified=list(map(packed_text, wrong))
    )


def test_errors_are_arranged_by_ensemble_and_seed(wrong):
    # In any order, with networks that do not count, and with those that are not there.
    more = pd.concat([
        table(wrong),
        table(wrong[:1], NETWORKS.iloc[:1].assign(ensemble="z")),
    ])
    found, lacking = errors_of_networks(
        more.sample(frac=1, random_state=0), NETWORKS, ENSEMBLES, [1, 3]
    )
    assert lacking == 0
    assert found.images.tolist() == [70, 130, 70]
    assert found.test_sets[0] == found.test_sets[2] != found.test_sets[1]
    assert found.wrong.tolist() == [
        [wrong[0].sum(), wrong[1].sum()],
        [0, wrong[2].sum()],
        [wrong[3].sum(), wrong[4].sum()],
    ]
    np.testing.assert_array_equal(found.correct(1, np.array([False, True])), ~wrong[2][None])
    np.testing.assert_array_equal(found.correct(2, np.array([True, True])), ~np.stack(wrong[3:]))
    some = found.some(np.array([2]))
    np.testing.assert_array_equal(some.correct(0, np.array([False, True])), ~wrong[4][None])


def test_networks_without_errors_are_counted(wrong):
    found, lacking = errors_of_networks(table(wrong).iloc[2:], NETWORKS, ENSEMBLES, [1, 3])
    assert (found, lacking) == (None, 2)


def test_no_network_has_no_errors(wrong):
    nothing = NETWORKS.iloc[:0], pd.Index([]), []
    assert errors_of_networks(table(wrong), *nothing) == (None, 0)


def test_packed_arrays_are_those_of_the_table():
    wrong = np.random.default_rng(0).random((2, 3, 67)) < 0.5
    found = packed_errors(wrong)
    for ensemble in range(2):
        np.testing.assert_array_equal(found.correct(ensemble, np.ones(3, bool)), ~wrong[ensemble])
    np.testing.assert_array_equal(found.wrong, wrong.sum(2))
