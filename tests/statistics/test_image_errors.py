import numpy as np
import pandas as pd
import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks

from generalization.statistics.image_errors import COLUMNS, image_errors
from generalization.statistics.packed_errors import unpacked_text

CLASSES = 4


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(203, 9, generator=generator, dtype=torch.float64)
    labels = torch.randint(CLASSES, (203,), generator=generator)
    return random_networks((9, 7, CLASSES), count=3), inputs, labels


def test_errors_are_those_of_the_largest_logit(drawn):
    networks, inputs, labels = drawn
    table = image_errors(networks, inputs, labels)
    assert table["network"].to_list() == [0, 1, 2]
    assert table["test_images"].to_list() == [203] * 3
    for member, row in table.iterrows():
        logits = PlainNetwork(networks, member)(inputs)
        expected = [int(np.argmax(f)) != y for f, y in zip(logits.tolist(), labels, strict=True)]
        assert unpacked_text(row["misclassified"], 203).tolist() == expected
        assert row["test_error"] == pytest.approx(np.mean(expected))
        assert 0 < row["test_error"] < 1


def test_only_networks_at_their_last_step_have_rows(drawn):
    networks, inputs, labels = drawn
    members = pd.DataFrame({"seed": [1, 1, 2], "step": [0, 9, 5], "final": [False, True, True]})
    table = image_errors(networks, inputs, labels, members)
    every = image_errors(networks, inputs, labels)
    pd.testing.assert_frame_equal(table, every.iloc[1:].reset_index(drop=True))


def test_module_before_its_last_step_has_no_row(drawn):
    networks, inputs, labels = drawn
    module = PlainNetwork(networks, 0)
    members = pd.DataFrame({"seed": [1], "step": [0], "final": [False]})
    table = image_errors(module, inputs, labels, members)
    assert table.empty
    assert list(table) == COLUMNS
    alone = image_errors(module, inputs, labels)
    pd.testing.assert_frame_equal(alone, image_errors(networks, inputs, labels).iloc[:1])


def test_labels_that_are_the_answers_leave_no_error(drawn):
    networks, inputs, _ = drawn
    module = PlainNetwork(networks, 1)
    with torch.no_grad():
        answers = module(inputs).argmax(-1)
    assert image_errors(module, inputs, answers)["test_error"].item() == 0
    assert image_errors(module, inputs, (answers + 1) % CLASSES)["test_error"].item() == 1
