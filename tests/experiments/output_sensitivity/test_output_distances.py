import pandas as pd
import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks

from generalization.experiments.output_sensitivity.output_distances import COLUMNS, output_distances


def data(count=20, features=9, classes=4):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, features, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(classes, (count,), generator=generator)


def members(*rows):
    return pd.DataFrame(rows, columns=["seed", "step", "final"])


UNTRAINED = members((1, 0, True), (2, 0, True), (3, 0, True))


def mean_square(one, other):
    return (one - other).square().sum(1).mean().item()


@pytest.mark.parametrize("output", ["logits", "probabilities"])
def test_distances_by_their_definition(output):
    networks, (inputs, labels) = random_networks((9, 7, 4), count=3), data()
    table = output_distances(networks, inputs, labels, UNTRAINED)
    assert list(table) == COLUMNS
    assert (table["classes"] == 4).all()
    outputs = [PlainNetwork(networks, member)(inputs).detach() for member in range(3)]
    if output == "probabilities":
        outputs = [logits.softmax(-1) for logits in outputs]
    targets = torch.eye(4, dtype=torch.float64)[labels]
    rows = table[table["output"] == output]
    alone = rows[rows["other_seed"].isna()]
    assert alone["network"].tolist() == [0, 1, 2]
    expected = [mean_square(one, targets) for one in outputs]
    assert alone["squared_distance"].tolist() == pytest.approx(expected)
    pairs = rows.dropna(subset="other_seed")
    found = pairs[["network", "other_seed", "other_step"]].itertuples(index=False, name=None)
    assert list(found) == [(1, 1, 0), (2, 1, 0), (2, 2, 0)]
    expected = [mean_square(outputs[r], outputs[s]) for r, s in ((1, 0), (2, 0), (2, 1))]
    assert pairs["squared_distance"].tolist() == pytest.approx(expected)


def test_pairs_are_of_one_step_or_both_at_their_last():
    networks, (inputs, labels) = random_networks((9, 7, 4), count=5), data()
    kept = members((1, 0, False), (2, 0, False), (1, 8, False), (2, 8, True), (1, 30, True))
    table = output_distances(networks, inputs, labels, kept).query("output == 'logits'")
    pairs = table.dropna(subset="other_seed")
    found = pairs[["network", "other_seed", "other_step"]].itertuples(index=False, name=None)
    assert list(found) == [(1, 1, 0), (3, 1, 8), (4, 2, 8)]


def test_distances_give_bias_and_variance_of_linear_networks():
    """With weights ~ N(0, s²), over many networks: variance K s² ‖x‖², bias ‖y‖² = 1 at x."""
    networks = random_networks((9, 4), count=60)  # s² = 2 / 9
    inputs, labels = data(count=3)
    kept = members(*((seed, 0, True) for seed in range(60)))
    table = output_distances(networks, inputs, labels, kept).query("output == 'logits'")
    pairs, alone = (table[table["other_seed"].notna() == pair] for pair in (True, False))
    variance = pairs["squared_distance"].mean() / 2
    expected = 4 * 2 / 9 * inputs.square().sum(1).mean().item()
    assert len(pairs) == 60 * 59 / 2
    # χ² with 60 · 4 · 3 degrees of freedom, not all equal: 6 % and some.
    assert variance == pytest.approx(expected, rel=0.25)
    error = alone["squared_distance"]
    assert abs(error.mean() - variance - 1) < 4 * error.sem()


def test_a_network_without_others_has_the_distance_to_its_labels():
    networks, (inputs, labels) = random_networks((9, 7, 4)), data()
    table = output_distances(networks, inputs, labels, members((5, 0, True)))
    assert table["output"].tolist() == ["logits", "probabilities"]
    assert table["other_seed"].isna().all()
    of_module = output_distances(PlainNetwork(networks), inputs, labels, members((5, 0, True)))
    assert of_module["squared_distance"].tolist() == pytest.approx(
        table["squared_distance"].tolist()
    )
