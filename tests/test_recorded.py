import torch
from oracles.made_up import kept

from generalization.activations import Activations, write_activations
from generalization.recorded import opened_record


def test_a_record_is_read_while_it_is_open(tmp_path):
    path = tmp_path / "activations.h5"
    write_activations(path, kept(), torch.randn(9, 6, generator=torch.Generator().manual_seed(0)))
    with Activations(path) as activations:
        inputs, layers = activations.stacked([(2, 0), (1, 2)], slice(3, 8))
    with opened_record(path) as recorded:
        same_inputs, same_layers = recorded([(2, 0), (1, 2)], slice(3, 8))
    assert torch.equal(same_inputs, inputs)
    assert all(map(torch.equal, same_layers, layers))


def test_a_profile_that_reads_no_record_is_given_none():
    with opened_record(None) as recorded:
        assert recorded is None
