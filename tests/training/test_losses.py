import pytest
import torch
from oracles import slow_trainer

from generalization.training.losses import LOSSES


def logits_and_labels(scale=3.0):
    generator = torch.Generator().manual_seed(0)
    logits = scale * torch.randn(2, 5, 7, generator=generator, dtype=torch.float64)
    return logits, torch.randint(5, (2, 7), generator=generator)


@pytest.mark.parametrize("name", LOSSES)
def test_mean_of_values_is_the_loss_of_torch(name):
    logits, labels = logits_and_labels()
    values = LOSSES[name].values(logits, labels)
    for network in range(2):
        expected = slow_trainer.LOSSES[name](logits[network].mT, labels[network])
        torch.testing.assert_close(values[network].mean(), expected)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_that_of_autograd(name):
    logits, labels = logits_and_labels()
    logits.requires_grad_()
    samples = labels.shape[1]
    total = sum(map(slow_trainer.LOSSES[name], logits.mT, labels)) * samples
    (expected,) = torch.autograd.grad(total, logits)
    out = torch.empty_like(logits)
    assert LOSSES[name].gradient(logits.detach(), labels, out=out) is out
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_of_saturated_logits_is_finite(name):
    logits, labels = logits_and_labels(scale=1e4)
    logits = logits.float()
    gradient = LOSSES[name].gradient(logits, labels, out=torch.empty_like(logits))
    assert gradient.isfinite().all()
    assert LOSSES[name].values(logits, labels).isfinite().all()


def test_squared_loss_of_a_certain_mistake_is_two():
    logits = torch.tensor([[[100.0], [0.0]]])
    assert LOSSES["squared"].values(logits, torch.tensor([[1]])).item() == 2
