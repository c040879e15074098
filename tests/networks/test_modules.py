import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch import nn
from torch.testing import assert_close

from generalization.networks import modules
from generalization.networks.modules import evaluation_mode, logits_of, number_of_networks


def test_logits_are_those_of_one_batch(monkeypatch):
    networks = random_networks((9, 7, 4), count=3, biases=True)
    inputs = torch.randn(11, 1, 3, 3, generator=torch.Generator().manual_seed(1)).double()
    monkeypatch.setattr(modules, "SAMPLES_PER_CHUNK", 4)
    assert_close(logits_of(networks, inputs), networks.logits(inputs))
    assert_close(logits_of(PlainNetwork(networks, 2), inputs), networks.logits(inputs)[2:])


def test_every_part_of_a_module_returns_to_its_mode():
    module = nn.Sequential(nn.Linear(3, 3), nn.Dropout())
    module.train()
    module[1].eval()
    with pytest.raises(KeyError), evaluation_mode(module):
        assert not any(part.training for part in module.modules())
        raise KeyError
    assert [part.training for part in module.modules()] == [True, True, False]


def test_number_of_networks():
    networks = random_networks((9, 7, 4), count=3)
    assert number_of_networks(networks) == 3
    assert number_of_networks(PlainNetwork(networks)) == 1


def test_module_that_gives_no_logits_is_refused():
    message = (
        r"^networks must map inputs to logits of shape \(samples, classes\), "
        r"not \(2, 1, 3, 3\) to \(2, 1, 3, 4\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        logits_of(nn.Linear(3, 4), torch.zeros(2, 1, 3, 3))
