"""Networks with one logit: what goes through the softmax, which is constant, is refused."""

import pytest
import torch
from own_modules.cases import Case, ending_in
from own_modules.matrix import OF_MODULES, outcome
from torch import nn

from generalization.catalog import MEASURES
from generalization.errors import InputError
from generalization.networks.softmax import softmax

SENTENCE = "The softmax needs at least two logits, not 1."
THROUGH_THE_SOFTMAX = {
    *("jacobian_norm", "train_jacobian_norm", "translation_jacobian_norm"),
    *("gaussian_jacobian_norm", "softmax_output_sensitivity", "output_entropy"),
    *("gauss_newton_trace", "fisher_rao_norm", "gauss_newton_eigenvalue"),
    *("confidence_error", "prediction_nuclear_norm", "output_sensitivities"),
}
# Of these a constant value is right: the architecture, the course of training, a random number, and
# the deviations of logits from their mean.
CONSTANT = {
    *("number_of_parameters", "steps_to_loss", "steps_between_losses", "random_number"),
    "centered_output_sensitivity",
}


def one_logit(seed):
    def build():
        torch.manual_seed(seed)
        return ending_in(classes=1)

    return Case("one logit", build)


@pytest.mark.parametrize("name", OF_MODULES)
def test_one_logit_has_a_value_that_tells_something_or_a_sentence(name):
    said = outcome(name, one_logit(1))
    assert not said.error
    assert (said.refusal == f"{name}: {SENTENCE}") == (name in THROUGH_THE_SOFTMAX)
    if name in MEASURES and said.values is not None and name not in CONSTANT:
        assert not torch.equal(said.values, outcome(name, one_logit(2)).values)


@pytest.mark.parametrize("classes", [0, 1])
def test_the_softmax_refuses_what_is_constant(classes):
    with pytest.raises(
        InputError, match=rf"^The softmax needs at least two logits, not {classes}\.$"
    ):
        softmax(torch.zeros(4, classes))


def test_the_softmax_is_that_of_torch_in_double_precision():
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(softmax(logits), nn.Softmax(-1)(logits.double()))
