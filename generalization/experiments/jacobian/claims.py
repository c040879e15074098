"""Novak et al. 2018, *Sensitivity and generalization in neural networks: an empirical study*."""

from collections.abc import Iterator
from dataclasses import replace
from math import log

from generalization.statistics.claim import Claim, Control

# ASSUME: "true" labels carry the verdict; the paper's networks had both kinds, and it does not say
# which are drawn. All labels, within levels of their corruption, stand beside.
LABELS = "given in ['none', 'label_corruption']"
BESIDE = ("control_estimate", "control_low", "control_high")
OVER_CONTROL = ("over_control", "over_control_low", "over_control_high")
# ASSUME: "does not correlate well" is a correlation within ± 0.3; a setting to which a quantity is
# indifferent has the larger value in a share of pairs within 0.5 ± 0.3.
UNRELATED = 0.3
# Words of the abstract on factors.
POOR = (
    "factors associated with poor generalization – such as full-batch training or using random "
    "labels – correspond to lower robustness"
)
GOOD = (
    "factors associated with good generalization – such as data augmentation and ReLU "
    "non-linearities – give rise to more robust functions"
)
BUT_OPTIMIZERS = (
    "correlate with generalization in all considered scenarios except for comparing optimizers"
)
# Setting → the value expected to generalize better, and the other one.
FACTORS = {
    "label_corruption": ("true labels", "random labels"),
    "augmentation": ("augmentation", "no augmentation"),
    "activation": ("ReLU", "HardSigmoid"),
    "optimizer": ("mini-batches (momentum)", "L-BFGS on the full batch"),
}

FACTOR_QUOTES = {
    "label_corruption": POOR,
    "augmentation": GOOD,
    "activation": GOOD,
    "optimizer": POOR,
}


def _relation(
    words: str,
    source: str,
    x: str,
    expected: str,
    quote: str,
    *,
    y: str = "generalization_gap",
    other: str = "",
    given: str = "none",
    ours: str = "statistic",
    control: Control | None = None,
) -> Claim:
    """Claim on a rank correlation between networks that fit."""
    statistic = f"spearman_minus_{other}" if other else "spearman"
    strata = LABELS if given == "none" else f"given.str.endswith('{given}')"
    return Claim(
        words,
        source,
        "paper_relations",
        f"selection == 'fitted' and x == '{x}' and y == '{y}' and statistic == '{statistic}' "
        f"and {strata}",
        expected,
        tolerance=UNRELATED if expected == "near" else None,
        quote=quote,
        ours=ours,
        scale="identity" if other else "fisher",
        control=control,
    )


def _capacity() -> Iterator[Claim]:
    yield _relation(
        "Among networks that fit their training set, larger ones have a smaller gap",
        "§1, Fig. 1 left",
        "number_of_parameters",
        "below",
        "larger networks often generalize better",
    )
    loss = "train loss does not correlate well with generalization"
    source = "Fig. 1 right"
    yield _relation(
        "The training loss does not correlate with the gap",
        source,
        "training_loss",
        "near",
        loss,
        ours="tolerance",
    )
    yield _relation(
        "The training loss correlates with the gap less than the Jacobian norm does",
        "Fig. 1 right, Fig. 5",
        "training_loss",
        "below",
        loss,
        other="jacobian_norm",
        ours="reading",
    )
    yield Claim(
        "The network that generalizes best has a training loss orders of magnitude above that of "
        "networks that generalize worse",
        source,
        "paper_relations",
        "selection == 'fitted' and x == 'training_loss' and statistic == 'best_over_least_loss'",
        "above",
        2.0,
        quote="the best model … has training loss many orders of magnitude higher than models that"
        " generalize worse",
        ours="threshold (two orders), statistic (10th percentile)",
        control=Control(
            "range of losses",
            BESIDE,
            2.0,
            beside="how far losses lie apart, without which the claim could not hold",
        ),
    )
    robust = "why large networks tend to converge to less sensitive functions"
    untrained = Control("untrained networks", BESIDE)
    for given, words in {"none": "Larger", "depth": "Of one depth, wider"}.items():
        yield _relation(
            f"{words} networks have a smaller Jacobian norm",
            "§A.2",
            "number_of_parameters",
            "below",
            robust,
            y="jacobian_norm",
            given=given,
            control=untrained,
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
                f"setting == '{setting}' and quantity == '{quantity}'",
                "near" if exception else "above",
                0.5,
                tolerance=UNRELATED if exception else None,
                quote=BUT_OPTIMIZERS if exception else FACTOR_QUOTES[setting],
                ours="tolerance" if exception else "threshold",
                scale="logit",
            )
    yield Claim(
        "Networks trained with augmentation have a higher test accuracy than without",
        "§A.5.4",
        "pair_statistics",
        "setting == 'augmentation' and quantity == 'test_accuracy'",
        "above",
        0.5,
        quote="all networks trained with data augmentation reached a higher test accuracy",
        ours="threshold (the source says all: a share of 1)",
        scale="logit",
    )
    coupled = Claim(
        "Where a setting changes the gap, the Jacobian norm changes in the same direction",
        "§4.2",
        "pair_statistics",
        "quantity == 'jacobian_norm'",
        "above",
        0.5,
        ("coupled", "coupled_low", "coupled_high"),
        quote="change in generalization is coupled with the respective change in sensitivity",
        ours="threshold",
        scale="logit",
    )
    excess = ("coupled_excess", "coupled_excess_low", "coupled_excess_high")
    exchanged = Control("changes exchanged between pairs", excess)
    # What exchange leaves is what the setting does to both: here the claim itself.
    beside = "exchange keeps what the setting does to both, which is the claim"
    yield replace(coupled, control=replace(exchanged, beside=beside))
    yield replace(
        coupled,
        claim="Pair by pair, the Jacobian norm changes in the same direction as the gap",
        ours="threshold, reading",
        control=exchanged,
    )


def _gap() -> Iterator[Claim]:
    yield _relation(
        "The Jacobian norm correlates with the gap",
        "§4.3, Fig. 5",
        "jacobian_norm",
        "above",
        "Jacobian norm correlates with generalization gap on all considered datasets",
        ours="statistic; given the design, see the league's partial correlation",
    )
    yield _relation(
        "The number of transitions alone does not correlate with the gap",
        "§4.3, Fig. App. 7",
        "transitions",
        "near",
        "does not generally correlate with generalization gap",
        ours="tolerance",
    )
    performance = {"test_accuracy": "test accuracy", "generalization_gap": "gap"}
    for y, words in performance.items():
        yield _relation(
            f"The Jacobian norm of probabilities correlates with the {words} more than that of "
            "logits does",
            "§3, footnote 1",
            "jacobian_norm",
            "above",
            "with respect to logits … experimentally turned out less predictive of test "
            "performance (not shown)",
            y=y,
            other="logit_jacobian_norm",
            ours="statistic, measure of performance",
        )


def _points() -> Iterator[Claim]:
    yield Claim(
        "The Jacobian norm at a test point correlates with the loss at that point",
        "§4.4, Figs 6, App. 8",
        "point_statistics",
        "(loss == 'cross_entropy' and statistic == 'spearman_cross_entropy')"
        " or (loss == 'squared' and statistic == 'spearman_squared_loss')",
        "above",
        quote="Jacobian norm at a point is predictive of the cross-entropy loss, but the "
        "relationship is not a linear one",
        ours="statistic",
        scale="fisher",
        control=Control(
            "least confidence",
            OVER_CONTROL,
            beside="by Eqs 5 to 7 the norm is a function of the confidence, through which the "
            "paper itself explains the relation",
        ),
    )
    yield Claim(
        "Test points with a large Jacobian norm are misclassified more often",
        "§4.4",
        "point_statistics",
        "statistic == 'auroc_jacobian_norm'",
        "above",
        0.5,
        ours="statistic",
        scale="logit",
    )
    yield Claim(
        "Most test points of the largest Jacobian norms are misclassified",
        "§4.4",
        "point_statistics",
        "statistic == 'top_error_jacobian_norm'",
        "above",
        0.5,
        quote="points having the highest values of the Jacobian norm to be mostly misclassified",
        ours="statistic (largest 1 %)",
        scale="logit",
        control=Control("error at all points", OVER_CONTROL, 1.0),
    )
    yield Claim(
        "Some misclassified points have a Jacobian norm orders of magnitude below that of points "
        "that are right",
        "§4.4",
        "point_statistics",
        "statistic == 'wrong_below_right'",
        "above",
        2.0,
        quote="certain misclassified points … have a Jacobian norm many orders of magnitude smaller"
        " than that of the correctly classified points",
        ours="threshold (two orders), statistic (an extreme)",
    )


def _curves() -> Iterator[Claim]:
    factor = "tolerance (a factor of two)"
    top, bottom = "§A.3, Eq. 5, Fig. App. 11 top", "§A.3, Eq. 7, Fig. App. 11 bottom"
    bounds = "We validate these approximate bounds"
    tightly = "is tightly related to the cross-entropy loss"
    # The text introduces Eq. 7 as an upper bound, which it is not; the claim follows the caption.
    approximation = "the norm approximation from Equation 7"
    exchanged = Control(
        "exchanged residuals",
        OVER_CONTROL,
        beside="exchange keeps the curve and the scatter around it, and so the relation",
    )

    def curve(words, source, statistic, expected, number, quote, ours, **settings):
        rows = f"loss == 'cross_entropy' and statistic == '{statistic}'"
        settings = {"quote": quote, "ours": ours} | settings
        return Claim(words, source, "bound_statistics", rows, expected, number, **settings)

    two = {"tolerance": log(2), "scale": "log"}
    true_row, norm = "The norm of the true class's row", "The Jacobian norm"
    say = "is what Eq. {} says, to a factor of two, on average over points"
    yield curve(
        f"{true_row} {say.format(5)}", top, "ratio_eq_5", "near", 1.0, bounds, factor, **two
    )
    spread = "threshold (a factor of {}), statistic"
    yield curve(
        f"{true_row} is what Eq. 5 says point by point, to a factor of two",
        *(top, "spread_eq_5", "below", log(2), tightly, spread.format("two")),
    )
    yield curve(
        f"{norm} is above its lower bound on average over points",
        "§A.3, Eq. 6, Fig. App. 11 bottom",
        *("ratio_eq_6", "above", 1.0, "the lower bound from Equation 6", "statistic"),
        scale="log",
    )
    yield curve(
        f"{norm} {say.format(7)}", bottom, "ratio_eq_7", "near", 1.0, approximation, factor, **two
    )
    yield curve(
        f"{norm} is what Eq. 7 says point by point, to a factor of three",
        *(bottom, "spread_eq_7", "below", log(3), approximation, spread.format("three")),
    )
    for equation, words, source in ((5, true_row, top), (7, norm, bottom)):
        yield curve(
            f"Over points, the logarithms of {words[0].lower()}{words[1:]} and of Eq. {equation} "
            "correlate",
            *(source, f"correlation_eq_{equation}", "above", 0.9, tightly, "threshold, statistic"),
            scale="fisher",
            control=exchanged,
        )
    yield curve(
        f"{norm} is at least √(K/(K−1)) times that of the true class's row",
        *("§A.3, from Eq. 6", "norm_above_true_row", "always", 1.0, "", "statistic"),
    )


CLAIMS = {"novak_2018": (*_capacity(), *_factors(), *_gap(), *_points(), *_curves())}

UNTESTED = {
    "novak_2018": (
        "The best network has the most parameters, 10⁴ times those of the smallest that fits — no "
        "study here trains networks over four orders of magnitude",
        "Networks up to depth 65 and width 2¹⁶ show the same — no study here has networks as deep "
        "or as wide",
        "All relations hold on whole CIFAR-10 and CIFAR-100 — full-size studies need a cluster",
        "Networks fit random labels on CIFAR-10 and are more sensitive there — no study here trains"
        " on random labels of CIFAR-10",
        "ReLU networks generalize better and are less sensitive than HardSigmoid ones in all pairs "
        "of a large sweep — reduced studies compare fewer pairs",
        "Relations hold over thousands of networks — no study here trains as many",
        "Error bars over seeds 1 to 8 of each setting — the unit of every interval here is the "
        "ensemble, of which seeds are replicates",
        "Large networks have a larger space of robust solutions — §A.2 states it as a conjecture, "
        "with no measurement",
    )
}
