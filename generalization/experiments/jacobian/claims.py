"""Novak et al. 2018, *Sensitivity and generalization in neural networks: an empirical study*."""

from collections.abc import Iterator

from generalization.statistics.claim import Claim

CORRELATION = "statistic == 'spearman' and selection == 'fitted' and measure == '{}'"
# Setting → the value expected to generalize better, and the other one.
FACTORS = {
    "label_corruption": ("true labels", "random labels"),
    "augmentation": ("augmentation", "no augmentation"),
    "activation": ("ReLU", "HardSigmoid"),
    "optimizer": ("mini-batches", "full batches"),
}


def _capacity() -> Iterator[Claim]:
    rows = CORRELATION.format("number_of_parameters")
    yield Claim(
        "Among networks that fit their training set, larger ones have a smaller gap",
        "§1, Fig. 1 left",
        "statistics",
        rows,
        "below",
    )
    rows = CORRELATION.format("training_loss")
    yield Claim(
        "The training loss does not correlate with the gap",
        "Fig. 1 right",
        "statistics",
        rows,
        "near",
    )


def _factors() -> Iterator[Claim]:
    quantities = {
        "generalization_gap": "a smaller gap",
        "jacobian_norm": "a smaller Jacobian norm",
        "transitions": "fewer transitions",
    }
    for setting, (better, worse) in FACTORS.items():
        for quantity, less in quantities.items():
            # The paper's own exception: transitions do not separate mini-batches from full batches.
            exception = (setting, quantity) == ("optimizer", "transitions")
            have = "do not have" if exception else "have"
            yield Claim(
                f"Networks trained with {better} {have} {less} than networks trained with {worse}",
                "§4.2, Fig. 4",
                "pair_statistics",
                f"setting == '{setting}' and quantity == '{quantity}' and dataset == 'all'",
                "near" if exception else "above",
                0.5,
            )
    yield Claim(
        "Networks trained with augmentation have a higher test accuracy than without",
        "§A.5.4",
        "pair_statistics",
        "setting == 'augmentation' and quantity == 'test_accuracy' and dataset == 'all'",
        "above",
        0.5,
    )


def _gap() -> Iterator[Claim]:
    expected = {"jacobian_norm": "above", "transitions": "near"}
    words = {
        "jacobian_norm": "The Jacobian norm correlates with the gap",
        "transitions": "The number of transitions alone does not correlate with the gap",
    }
    source = {"jacobian_norm": "§4.3, Fig. 5", "transitions": "§4.3, Fig. App. 7"}
    for measure, claim in words.items():
        rows = CORRELATION.format(measure)
        yield Claim(claim, source[measure], "statistics", rows, expected[measure])


def _points() -> Iterator[Claim]:
    yield Claim(
        "The Jacobian norm at a test point correlates with the loss at that point",
        "§4.4, Figs 6, App. 8",
        "point_statistics",
        "(loss == 'cross_entropy' and statistic == 'spearman_cross_entropy')"
        " or (loss == 'squared' and statistic == 'spearman_squared_loss')",
        "above",
    )
    yield Claim(
        "Test points with a large Jacobian norm are misclassified more often",
        "§4.4",
        "point_statistics",
        "statistic == 'auroc_jacobian_norm'",
        "above",
        0.5,
    )


def _bounds() -> Iterator[Claim]:
    bounds = {
        "true_row_within_eq_5": (
            "The norm of the row of the true class is within its bounds",
            "Eq. 5",
        ),
        "norm_above_eq_6": ("The Jacobian norm exceeds its lower bound", "Eq. 6"),
        "norm_below_eq_7": ("The Jacobian norm is below the proposed upper bound", "Eq. 7"),
    }
    for statistic, (words, equation) in bounds.items():
        yield Claim(
            f"{words} at most test points",
            f"§A.3, {equation}, Fig. App. 11",
            "bound_statistics",
            f"loss == 'cross_entropy' and statistic == '{statistic}'",
            "above",
            0.5,
        )


CLAIMS = {"novak_2018": (*_capacity(), *_factors(), *_gap(), *_points(), *_bounds())}
