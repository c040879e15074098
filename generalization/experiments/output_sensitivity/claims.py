"""Forouzesh, Salehi & Thiran 2020, *Generalization comparison via output sensitivity*.

The paper's sensitivity is that of the mean logit, in which every loss of the softmax is blind. Each
claim is judged of it, and then of what is left of logits without their mean, which the loss sees.
"""

from collections.abc import Iterator

from generalization.statistics.claim import Claim

# Headings of the authors' slides.
LOSS = "Slides, “Loss vs. Sensitivity”"
PROXY = "Slides, “Sensitivity as a Proxy for Loss”"
UNTRAINED = "Slides, “Sensitivity of Untrained Networks”"
KINDS = {
    "output_sensitivity": "sensitivity",
    "centered_output_sensitivity": "sensitivity without the mean logit",
}
QUANTITIES = KINDS | {"test_loss": "test loss"}
# Which has the smaller sensitivity → where the pairs stand.
FACTORS = {
    "with convolutions than with full connection": (
        "setting == 'architecture' and better == 'convolutional' and worse == 'fully_connected'"
    ),
    "with batch normalization than with none": "setting == 'normalization'",
    "with dropout than with none": "setting == 'dropout'",
    "with max-pooling than with none": "setting == 'pooling' and better == 'max'",
    "with weights that began as He's than as N(0, 1)": (
        "setting == 'initialization' and better == 'normal' and worse == 'standard_normal'"
    ),
    "with weights that began as PyTorch's than as N(0, 1)": (
        "setting == 'initialization' and better == 'uniform' and worse == 'standard_normal'"
    ),
}


def _loss() -> Iterator[Claim]:
    for kind, noun in KINDS.items():
        rows = f"trained and selection == 'fitted' and measure == '{kind}' and statistic == "
        yield Claim(
            f"The {noun} goes with the test loss: Pearson's correlation of logarithms",
            LOSS,
            "sensitivity_statistics",
            f"{rows}'pearson_log'",
            "above",
        )
        yield Claim(
            f"The {noun} ranks the test loss: Spearman's correlation",
            LOSS,
            "sensitivity_statistics",
            f"{rows}'spearman'",
            "above",
        )
        yield Claim(
            f"The {noun} predicts the test loss: mean logarithm of loss over line",
            LOSS,
            "sensitivity_statistics",
            f"{rows}'log_ratio'",
            "near",
        )


def _depth() -> Iterator[Claim]:
    for quantity, noun in QUANTITIES.items():
        yield Claim(
            f"Deeper networks of as many parameters have a smaller {noun}",
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
                f"{pairs} and quantity == '{quantity}' and dataset == 'all'",
                "above",
                0.5,
            )


def _untrained() -> Iterator[Claim]:
    for kind, noun in KINDS.items():
        yield Claim(
            f"The {noun} of untrained networks ranks their test loss after training",
            UNTRAINED,
            "sensitivity_statistics",
            f"not trained and selection == 'fitted' and measure == '{kind}' "
            "and statistic == 'spearman'",
            "above",
        )


CLAIMS = {"forouzesh_2020": (*_loss(), *_depth(), *_factors(), *_untrained())}
