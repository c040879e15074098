"""Forouzesh, Salehi & Thiran 2020, *Generalization comparison via output sensitivity*.

The paper measures the sensitivity of the mean logit, on which no loss of the softmax depends. Each
claim is judged for it, and again for the logits minus their mean, on which the loss does depend.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from generalization.experiments.output_sensitivity.sensitivity_statistics import CONTROL as BESIDE
from generalization.experiments.output_sensitivity.variance_chain import CONTROL
from generalization.statistics.claim import MEMORY, Claim, Control
from generalization.statistics.pair_statistics import OVER_UNTRAINED

# Titles of the authors' slides.
LOSS = "Slides, “Loss vs. Sensitivity”"
PROXY = f"Slides, “Sensitivity as a Proxy for Loss”; abstract ({MEMORY})"
UNTRAINED = "Slides, “Sensitivity of Untrained Networks”"
ROOT, VARIANCE = "L ≈ √(L_MSE/2)", "ε_variance ≈ S · C + Σ"
LINE = "L ≈ √(½ (S · C + Σ))"
BEFORE = Control("untrained networks", tuple(BESIDE))
COUPLED = ("coupled_loss", "coupled_loss_low", "coupled_loss_high")
EXCESS = ("coupled_loss_excess", "coupled_loss_excess_low", "coupled_loss_excess_high")
EXCHANGED = Control("changes exchanged between pairs", EXCESS)
# ASSUME: "≈" is to a factor of 1.5 of the whole; a check of the method, to one of 1.1; a slope
# of 1, to 0.2.
FACTOR, CHECK, PROPORTIONAL = float(np.log(1.5)), float(np.log(1.1)), 0.2
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
    """The approximation of the cross-entropy by the root of the squared error."""
    outputs = {
        "softmax": ("softmax, ours", "; of single points, one side holds by algebra"),
        "logits": ("logits, as in the authors' code", ""),
    }
    claims = {
        "log_ratio_mse": ("is √(L_MSE/2)", "near", 0.0, "tolerance"),
        "pearson_log_mse": (
            "rises with √(L_MSE/2): correlation of logarithms",
            "above",
            0.0,
            "statistic",
        ),
        "slope_log_mse": (
            "rises in proportion to √(L_MSE/2): slope of logarithms",
            "near",
            1.0,
            "statistic, tolerance",
        ),
        "r_squared": (
            "is closer to √(L_MSE/2) than to a constant: explained variance of its logarithm",
            "above",
            0.0,
            "statistic",
        ),
    }
    tolerances = {"log_ratio_mse": FACTOR, "slope_log_mse": PROPORTIONAL}
    for output, (which, algebra) in outputs.items():
        for statistic, (words, expected, number, ours) in claims.items():
            yield Claim(
                f"The cross-entropy {words} ({which})",
                LOSS,
                "loss_chain",
                f"labels == 'true' and output == '{output}' and statistic == '{statistic}'",
                expected,
                number,
                tolerance=tolerances.get(statistic),
                quote=ROOT,
                ours=ours + (algebra if statistic == "log_ratio_mse" else ""),
                scale="fisher" if statistic == "pearson_log_mse" else "identity",
            )


def _variance() -> Iterator[Claim]:
    """The approximation of the variance by the sensitivity."""

    def claim(words: str, networks: str, statistic: str, expected: str, ours: str, **more) -> Claim:
        rows = f"labels == 'true' and {networks} and statistic == '{statistic}'"
        settings = {"quote": VARIANCE, "ours": ours} | more
        return Claim(words, LOSS, "variance_chain", rows, expected, **settings)

    ratio = "variance_over_predicted"
    yield claim(
        "The variance of logits is K (S C + Σ)",
        *("trained", ratio, "near", "tolerance"),
        tolerance=FACTOR,
        control=Control(
            "sensitivity before training",
            tuple(CONTROL),
            beside="whether it predicts worse is the next claim",
        ),
    )
    # Nearness names no side: that the prediction is better than its control is a claim of its own.
    yield claim(
        "K (S C + Σ) predicts the variance of logits better than with S before training",
        *("trained", ratio, "below", "statistic"),
        columns=tuple(CONTROL),
    )
    yield claim(
        "The variance of logits rises with K (S C + Σ): correlation of logarithms",
        *("trained", "pearson_log_variance", "above", "statistic"),
        scale="fisher",
    )
    yield claim(
        "The variance of logits of untrained networks is K (S C + Σ), by derivation (a check)",
        *("not trained", ratio, "near", "tolerance"),
        tolerance=CHECK,
    )
    yield Claim(
        "Most of the squared error of logits is variance",
        "Slides, “Future Directions”",
        "variance_chain",
        "labels == 'true' and trained and statistic == 'variance_share'",
        "above",
        0.5,
        quote="When is the variance not the dominant term in the loss decomposition?",
        ours="threshold",
        scale="logit",
    )


def _statistic(
    words: str, kind: str, statistic: str, expected: str, *, when: str = "trained", **more: object
) -> Claim:
    """Claim on a row of ``sensitivity_statistics`` of networks that fit."""
    return Claim(
        words,
        more.pop("source", LOSS),
        "sensitivity_statistics",
        f"{when} and selection == 'fitted' and measure == '{kind}' and statistic == '{statistic}'",
        expected,
        **more,
    )


def _loss() -> Iterator[Claim]:
    correlations = {
        "pearson_log": "correlates with the test loss: Pearson's correlation of logarithms",
        "spearman": "ranks networks by test loss: Spearman's correlation",
    }
    for kind, noun in KINDS.items():
        for name, words in correlations.items():
            about = {"quote": "Sensitivity as a Proxy for Loss", "scale": "fisher"}
            about["control"] = BEFORE
            # Initial scales set losses orders of magnitude apart: the verdict is within each.
            yield _statistic(
                f"At equal initialization, the {noun} {words}",
                kind,
                f"{name}_within_initialization",
                "above",
                ours="statistic, which networks",
                **about,
            )
            yield _statistic(
                f"The {noun} {words} (over all initial scales, which lie beside)",
                kind,
                name,
                "above",
                ours="statistic",
                **about,
            )
        yield _statistic(
            f"The {noun} predicts the test loss by √(½ · (K−1)/K · S C): mean logarithm of the "
            "loss over its prediction",
            kind,
            "log_ratio",
            "near",
            source=f"{LOSS}; the authors' code stores ratios of 0.91, 1.09 and 1.24",
            tolerance=FACTOR,
            quote=LINE,
            ours="tolerance; without Σ, times (K−1)/K, as in the authors' code",
        )
    yield _statistic(
        "The sensitivity of single outputs predicts the test loss by √(½ · (K−1)/K · (S C + Σ)): "
        "mean logarithm of the loss over its prediction",
        "output_sensitivity_per_output",
        "log_ratio_with_constant",
        "near",
        tolerance=FACTOR,
        quote=LINE,
        ours="tolerance; S of single outputs, times (K−1)/K, by the derivation",
    )


def _depth() -> Iterator[Claim]:
    for quantity, noun in QUANTITIES.items():
        claim = _statistic(
            f"At a fixed number of parameters, deeper networks have a smaller {noun}",
            quantity,
            "depth_at_fixed_size",
            "below",
            source=PROXY,
            ours="statistic",
            # The loss of untrained networks is chance level.
            control=BEFORE if quantity in KINDS else None,
        )
        # Of a study without such networks, there is no estimate.
        yield replace(claim, rows=f"{claim.rows} and estimate == estimate")


def _factors() -> Iterator[Claim]:
    before = Control("the same pairs before training", tuple(OVER_UNTRAINED))
    for words, pairs in FACTORS.items():
        for quantity, noun in QUANTITIES.items():
            factor = Claim(
                f"Networks have a smaller {noun} {words}",
                PROXY,
                "pair_statistics",
                f"{pairs} and quantity == '{quantity}'",
                "above",
                0.5,
                ours="threshold",
                scale="logit",
                control=before if quantity in KINDS else None,
            )
            yield factor
            if quantity in KINDS:
                yield replace(
                    factor,
                    claim=f"Pair by pair, the test loss changes in the direction of the {noun}: "
                    f"{words}",
                    columns=COUPLED,
                    ours="threshold, statistic",
                    control=EXCHANGED,
                )


def _untrained() -> Iterator[Claim]:
    parameters = Control("the number of parameters", tuple(BESIDE))
    about = {"when": "not trained", "source": UNTRAINED, "scale": "fisher"}
    about["quote"] = "Output sensitivity computed before training: S_before"
    for kind, noun in KINDS.items():
        words = f"the {noun} of untrained networks ranks them by their test loss after training"
        yield _statistic(
            f"{words[0].upper()}{words[1:]}",
            kind,
            "spearman",
            "above",
            ours="statistic",
            control=parameters,
            **about,
        )
        yield _statistic(
            f"At equal initialization, {words}",
            kind,
            "spearman_within_initialization",
            "above",
            ours="statistic, which networks",
            control=parameters,
            **about,
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
