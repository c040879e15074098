"""Forouzesh, Salehi & Thiran 2020, *Generalization comparison via output sensitivity*.

The paper measures the sensitivity of the mean logit, on which no loss of the softmax depends. Each
claim is judged for it, and again for the logits minus their mean, on which the loss does depend.
"""

from collections.abc import Iterator

from generalization.statistics.claim import Claim

# Titles of the authors' slides.
LOSS = "Slides, “Loss vs. Sensitivity”"
PROXY = "Slides, “Sensitivity as a Proxy for Loss”"
UNTRAINED = "Slides, “Sensitivity of Untrained Networks”"
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


def _loss() -> Iterator[Claim]:
    for kind, noun in KINDS.items():
        rows = f"trained and selection == 'fitted' and measure == '{kind}' and statistic == "
        yield Claim(
            f"The {noun} correlates with the test loss: Pearson's correlation of logarithms",
            LOSS,
            "sensitivity_statistics",
            f"{rows}'pearson_log'",
            "above",
        )
        yield Claim(
            f"The {noun} ranks networks by test loss: Spearman's correlation",
            LOSS,
            "sensitivity_statistics",
            f"{rows}'spearman'",
            "above",
        )
        yield Claim(
            f"The {noun} predicts the test loss: mean logarithm of the loss over its prediction",
            LOSS,
            "sensitivity_statistics",
            f"{rows}'log_ratio'",
            "near",
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
                f"{pairs} and quantity == '{quantity}' and dataset == 'all'",
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


CLAIMS = {"forouzesh_2020": (*_loss(), *_depth(), *_factors(), *_untrained())}
