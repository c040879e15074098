import dataclasses

import pytest
import torch
from oracles.convolutions import hyperparameters_of, kept_convolutions
from oracles.made_up import kept

from generalization.representations.straight_line import straight_line


def flat(networks):
    return torch.cat([tensor.double().flatten(1) for tensor in networks.parameters], 1)


def with_way(made, shares, off_line=0.0):
    """Networks that go these shares of the way, and off the line as much between its ends."""
    start, end = made.networks[0].tensors, made.networks[-1].tensors
    generator = torch.Generator().manual_seed(0)

    def tensors(share):
        return {
            name: start[name]
            + share * (end[name] - start[name])
            + off_line * torch.randn(start[name].shape, generator=generator) * (0 < share < 1)
            for name in start
        }

    stacks = tuple(made.networks[0].with_tensors(tensors(share)) for share in shares)
    steps = tuple((step,) * len(made.seeds) for step in range(len(shares)))
    return dataclasses.replace(made, networks=stacks, steps=steps)


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_networks_that_move_on_the_line_stay_where_they_were(normalization):
    made = with_way(kept(biases=True, normalization=normalization), (0, 0.2, 0.7, 1))
    line = straight_line(made)
    for one, other in zip(made.networks, line.networks, strict=True):
        for name, tensor in one.tensors.items():
            torch.testing.assert_close(other.tensors[name], tensor)
    assert line.steps == made.steps


def test_points_are_on_the_line_and_as_far_from_the_start():
    made = with_way(kept(), (0, 0.1, 0.5, 1), off_line=0.05)
    line = straight_line(made)
    start, end = flat(made.networks[0]), flat(made.networks[-1])
    for one, other in zip(made.networks, line.networks, strict=True):
        gone, expected = flat(other) - start, (flat(one) - start).norm(dim=1)
        torch.testing.assert_close(gone.norm(dim=1), expected)
        cosine = torch.cosine_similarity(gone, end - start)
        assert all(cosine[expected > 0] > 1 - 1e-6)


def test_ends_are_those_of_training_bit_for_bit():
    made = kept_convolutions(hyperparameters_of("vgg"))
    line = straight_line(made)
    for end in (0, -1):
        for name, tensor in made.networks[end].tensors.items():
            assert torch.equal(line.networks[end].tensors[name], tensor)


def test_network_that_was_beyond_its_end_is_at_its_end():
    made = with_way(kept(), (0, 1.5, 1))
    line = straight_line(made)
    torch.testing.assert_close(flat(line.networks[1]), flat(made.networks[-1]))


def test_networks_that_never_move_and_that_were_kept_once_stay():
    made = with_way(kept(), (0, 0, 0))
    torch.testing.assert_close(flat(straight_line(made).networks[1]), flat(made.networks[0]))
    once = dataclasses.replace(made, networks=made.networks[:1], steps=made.steps[:1])
    assert straight_line(once) == once
