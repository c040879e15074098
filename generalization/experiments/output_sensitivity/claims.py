"""Forouzesh, Salehi & Thiran 2020, *Generalization comparison via output sensitivity*.

The paper measures the sensitivity of the mean logit, on which no loss of the softmax depends. Each
claim is judged for it, and again for the logits minus their mean, on which the loss does depend.
"""

from collections.abc import Iterator

import numpy as np

from generalization.experiments.output_sensitivity.variance_chain import CONTROL
from generalization.statistics.claim import Claim, Control

# Titles of the authors' slides.
LOSS = "Slides, “Loss vs. Sensitivity”"
PROXY = "Slides, “Sensitivity as a Proxy for Loss”; abstract (not among our sources)"
UNTRAINED = "Slides, “Sensitivity of Untrained Networks”"
# ASSUME: "≈" is to a factor of 1.5 of the whole; a check of the method, to one of 1.1.
FACTOR, CHECK = float(np.log(1.5)), float(np.log(1.1))
KINDS = {
    "output_sensitivity": "sensitivity",
    "centered_output_sensitivity": "sensitivity of the centered logits",
}
QUANTITIES = KINDS | {"test_loss": "test loss"}
# Comparison in which the first has the smaller sensitivity → rows of its pairs.
FACTORS = {
    "with convolutional than with fully connected layers": (
        "setting == 'architecture' and better == 'convolutional' and worse == 'fully_connected'"
    ),
    "with than without batch normalization": "setting == 'normalization'",
    "with than without dropout": "setting == 'dropout'",
    "with than without max-pooling": "setting == 'pooling' and better == 'max'",
    "with He than with N(0, 1) initialization": (
        "setting == 'initialization' and better == 'normal' and worse == 'standard_normal'"
    ),
    "with PyTorch's default than with N(0, 1) initialization": (
        "setting == 'initialization' and better == 'uniform' and worse == 'standard_normal'"
    ),
}


def _chain() -> Iterator[Claim]:
    """Both approximations behind the relation of loss and sensitivity."""
    outputs = {"softmax": "softmax, ours", "logits": "logits, as in the authors' code"}
    for output, words in outputs.items():
        rows = f"labels == 'true' and output == '{output}' and statistic == "
        about = ("loss_chain", f"{rows}'log_ratio_mse'")
        yield Claim(
            f"The cross-entropy is √(L_MSE/2) ({words})",
            LOSS,
            *about,
            "near",
            tolerance=FACTOR,
            ours="tolerance",
        )
        yield Claim(
            f"The cross-entropy rises with √(L_MSE/2): correlation of logarithms ({words})",
            LOSS,
            "loss_chain",
            f"{rows}'pearson_log_mse'",
            "above",
            ours="statistic",
            scale="fisher",
        )
        yield Claim(
            f"The cross-entropy rises in proportion to √(L_MSE/2): slope of logarithms ({words})",
            LOSS,
            "loss_chain",
            f"{rows}'slope_log_mse'",
            "near",
            1.0,
            tolerance=0.2,
            ours="statistic, tolerance",
        )


def _variance() -> Iterator[Claim]:
    source = "Slides, “Loss vs. Sensitivity”: ε_variance ≈ S · C + Σ"
    of = "labels == 'true' and {} and statistic == '{}'"
    yield Claim(
        "The variance of logits is K (S C + Σ)",
        source,
        "variance_chain",
        of.format("trained", "variance_over_predicted"),
        "near",
        tolerance=FACTOR,
        ours="tolerance",
        control=Control("sensitivity before training", tuple(CONTROL), decides=False),
    )
    # Nearness names no side: that the prediction is better than its control is a claim of its own.
    yield Claim(
        "K (S C + Σ) predicts the variance of logits better than with S before training",
        source,
        "variance_chain",
        of.format("trained", "variance_over_predicted"),
        "below",
        columns=tuple(CONTROL),
        ours="statistic",
    )
    yield Claim(
        "The variance of logits rises with K (S C + Σ): correlation of logarithms",
        source,
        "variance_chain",
        of.format("trained", "pearson_log_variance"),
        "above",
        ours="statistic",
        scale="fisher",
    )
    yield Claim(
        "The variance of logits of untrained networks is K (S C + Σ), by derivation (a check)",
        source,
        "variance_chain",
        of.format("not trained", "variance_over_predicted"),
        "near",
        tolerance=CHECK,
        ours="tolerance",
    )
    yield Claim(
        "Most of the squared error of logits is variance",
        "Slides, “Future Directions”",
        "variance_chain",
        of.format("trained", "variance_share"),
        "above",
        0.5,
        ours="threshold",
        scale="logit",
    )


def _loss() -> Iterator[Claim]:
    for kind, noun in KINDS.items():
        rows = f"trained and selection == 'fitted' and measure == '{kind}' and statistic == "
        yield Claim(
            f"The {noun} correlates with the test loss: Pearson's correlation of logarithms",
            LOSS,
            "sensitivity_statistics",
            f"{rows}'pearson_log'",
            "above",
            scale="fisher",
        )
        yield Claim(
            f"The {noun} ranks networks by test loss: Spearman's correlation",
            LOSS,
            "sensitivity_statistics",
            f"{rows}'spearman'",
            "above",
            scale="fisher",
        )
        yield Claim(
            f"The {noun} predicts the test loss: mean logarithm of the loss over its prediction",
            LOSS,
            "sensitivity_statistics",
            f"{rows}'log_ratio'",
            "near",
            tolerance=FACTOR,
            ours="tolerance",
        )


def _depth() -> Iterator[Claim]:
    for quantity, noun in QUANTITIES.items():
        yield Claim(
            f"At a fixed number of parameters, deeper networks have a smaller {noun}",
            PROXY,
            "sensitivity_statistics",
            f"trained and selection == 'fitted' and measure == '{quantity}' "
            "and statistic == 'depth_at_fixed_size'",
            "below",
        )


def _factors() -> Iterator[Claim]:
    for words, pairs in FACTORS.items():
        for quantity, noun in QUANTITIES.items():
            yield Claim(
                f"Networks have a smaller {noun} {words}",
                PROXY,
                "pair_statistics",
                f"{pairs} and quantity == '{quantity}'",
                "above",
                0.5,
            )


def _untrained() -> Iterator[Claim]:
    for kind, noun in KINDS.items():
        yield Claim(
            f"The {noun} of untrained networks ranks them by their test loss after training",
            UNTRAINED,
            "sensitivity_statistics",
            f"not trained and selection == 'fitted' and measure == '{kind}' "
            "and statistic == 'spearman'",
            "above",
        )


CLAIMS = {
    "forouzesh_2020": (*_chain(), *_variance(), *_loss(), *_depth(), *_factors(), *_untrained())
}
UNTESTED = {
    "forouzesh_2020": (
        "Sensitivity goes with the loss of AlexNet, VGG and ResNet — studies train smaller "
        "networks",
        "Sensitivity goes with the loss on CIFAR-10 at full size — datasets are smaller",
        "The classification error has bias and variance — measured for squared errors only",
        "Sensitivity goes with calibration — not measured",
        "Relations hold for activations that are not homogeneous — a future direction",
    )
}
