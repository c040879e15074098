import numpy as np
import pandas as pd
import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import Generator

from generalization.experiments.similarity.canonical_spectra import (
    COLUMNS,
    canonical_spectra,
    shown_ranks,
)
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.layer_activations import layer_activations

SIZES = (9, 8, 8, 4)


def points(count=60):
    generator = Generator().manual_seed(1)
    return torch.randn(count, SIZES[0], generator=generator, dtype=torch.float64)


def members_of(steps=(0, 5, 8, 10), seeds=(1, 2)):
    rows = [(seed, step, step == steps[-1]) for step in steps for seed in seeds]
    return pd.DataFrame(rows, columns=["seed", "step", "final"])


@pytest.fixture(scope="module")
def study():
    members = members_of()
    networks = random_networks(SIZES, count=len(members), biases=True)
    return networks, members, canonical_spectra(networks, points(), members, explained_variance=1.0)


def correlations(a, b):
    """Singular values of Q_aᵀ Q_b by QR decompositions, without units that are constant."""
    q = [torch.linalg.qr((layer - layer.mean(0))[:, layer.std(0) > 0]).Q for layer in (a, b)]
    return torch.linalg.svdvals(q[0].mT @ q[1]).numpy()


def of(table, network, layer, compared):
    chosen = (table["network"] == network) & (table["layer"] == layer)
    return table[chosen & (table["compared"] == compared)]


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_correlations_are_those_by_qr(study, layer):
    networks, _, table = study
    layers = layer_activations(networks, points())[layer]
    for compared, one, other in (("end", 2, 6), ("seed", 7, 6), ("end", 1, 7)):
        expected = correlations(layers[one], layers[other])
        rows = of(table, one, layer, compared)
        assert rows["correlation"].to_numpy() == pytest.approx(expected, abs=1e-7)
        assert rows["rank"].tolist() == list(range(1, len(expected) + 1))
        assert (rows["directions"] == len(expected)).all()
        assert rows["mean"].to_numpy() == pytest.approx(expected.mean())


def test_comparisons_are_with_the_end_and_at_the_end_with_the_next_seed(study):
    table = study[2]
    assert list(table) == COLUMNS
    there = table.groupby("compared")["network"].unique().map(sorted)
    assert there["seed"] == [6, 7]
    assert there["end"] == there["stable"] == there["unstable"] == [0, 1, 2, 3, 4, 5]


def test_directions_are_ordered_at_half_of_training(study):
    networks, _, table = study
    layers = layer_activations(networks, points())[0]
    expected = correlations(layers[2], layers[6])
    # Two of eight directions are stable, and two unstable.
    assert of(table, 2, 0, "stable")["correlation"].to_numpy() == pytest.approx(expected[:2])
    assert of(table, 2, 0, "unstable")["correlation"].to_numpy() == pytest.approx(expected[-2:])


def test_planted_signal_is_stable_and_planted_noise_is_not():
    # Linear units (hardtanh of small numbers): four inputs are read at every step, others anew.
    generator, rows = Generator().manual_seed(0), []
    for _ in range(4):
        mixed = torch.randn(8, 8, generator=generator, dtype=torch.float64)
        read = torch.zeros(8, 40, dtype=torch.float64)
        read[:4, :4] = torch.eye(4)
        read[4:, 4:] = torch.randn(4, 36, generator=generator, dtype=torch.float64)
        rows.append(mixed @ read * 1e-3)
    last = torch.randn(4, 3, 8, generator=generator, dtype=torch.float64)
    networks = FullyConnectedNetworks((torch.stack(rows), last), "hardtanh")
    inputs = torch.randn(2000, 40, generator=generator, dtype=torch.float64)
    table = canonical_spectra(
        networks, inputs, members_of(seeds=(1,)), explained_variance=1.0, share=0.5
    )
    for network in (0, 2):
        assert of(table, network, 0, "stable")["mean"].iloc[0] > 0.95
        assert of(table, network, 0, "unstable")["mean"].iloc[0] < 0.6


def test_a_short_course_has_no_stable_directions():
    members = members_of(steps=(0, 10), seeds=(1,))
    table = canonical_spectra(random_networks(SIZES, count=2), points(), members)
    assert set(table["compared"]) == {"end"}


def test_a_network_at_one_step_and_of_one_seed_has_no_rows():
    members = members_of(steps=(10,), seeds=(1,))
    table = canonical_spectra(random_networks(SIZES, count=1), points(), members)
    assert list(table) == COLUMNS
    assert table.empty


@pytest.mark.parametrize(("directions", "expected"), [(1, [1]), (3, [1, 2, 3])])
def test_few_ranks_are_all_shown(directions, expected):
    assert shown_ranks(directions).tolist() == expected


def test_many_ranks_are_evenly_spaced():
    ranks = shown_ranks(201)
    assert ranks.tolist() == list(range(1, 202, 10))
    assert np.ptp(shown_ranks(99)) == 98
