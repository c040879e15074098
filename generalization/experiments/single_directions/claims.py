"""Morcos et al. 2018, *On the importance of single directions for generalization*.

Sections are cited by topic, since our sources do not number them.
"""

from collections.abc import Iterator
from dataclasses import replace

from generalization.statistics.claim import ABSTRACT, BLOG, MEMORY, Claim, Control

# Of the paper, by the blog on inner activations.
MEMORIZE = (
    "networks which memorize the training set are substantially more dependent on single "
    "directions than those which do not"
)
IDENTICAL = (
    "even across sets of networks with identical topology trained on identical data, but with "
    "different generalization performance"
)
TOPIC = "generalization and single directions"
IN_ABSTRACT = (
    "hyper-parameters and early stopping",
    "dropout",
    "batch normalization: selectivity",
    "class selectivity",
)
BY_CHANCE = Control(
    "stopping at a random kept step",
    ("over_random_step", "over_random_step_low", "over_random_step_high"),
)


def _memorization() -> Iterator[Claim]:
    for mode, what in {"zero": "ablation", "noise": "added noise"}.items():
        yield Claim(
            f"The area under the accuracy curve under {what} decreases with label corruption",
            TOPIC,
            "ablation_statistics",
            f"mode == '{mode}' and statistic == 'spearman_label_corruption'",
            "below",
            quote=MEMORIZE,
            ours="statistic",
            scale="fisher",
        )
        # Networks that fit all begin near an accuracy of 1: both areas should say the same.
        yield Claim(
            f"Relative to the whole network, the area under the accuracy curve under {what} "
            "decreases with label corruption",
            TOPIC,
            "ablation_statistics",
            f"mode == '{mode}' and statistic == 'spearman_label_corruption_normalized'",
            "below",
            quote=MEMORIZE,
            ours="statistic, normalization",
            scale="fisher",
        )
    yield Claim(
        "Among networks of one topology, whatever their labels, those with a smaller area have a "
        "larger gap",
        TOPIC,
        "ablation_statistics",
        "mode == 'zero' and statistic == 'spearman_gap'",
        "below",
        quote=MEMORIZE,
        ours="statistic, which networks: corruption changes the gap and the area",
        scale="fisher",
    )
    yield Claim(
        "Among networks of one topology trained on the same true labels, those with a smaller "
        "area have a larger gap",
        TOPIC,
        "ablation_statistics",
        "mode == 'zero' and statistic == 'spearman_gap_true_labels'",
        "below",
        quote=IDENTICAL,
        ours="statistic",
        scale="fisher",
    )
    yield Claim(
        "Among networks of one topology trained on true labels, those with a larger area have a "
        "higher test accuracy, whatever their other hyper-parameters",
        "hyper-parameters and early stopping",
        "ablation_statistics",
        "mode == 'zero' and statistic == 'spearman_test_accuracy'",
        "above",
        ours="statistic",
        scale="fisher",
    )


def _training() -> Iterator[Claim]:
    claims = {
        "area_against_loss": ("The area decreases while the test loss increases", "below"),
        "log_loss_saved": ("Stopping at the maximum area reduces the test loss", "above"),
    }
    for statistic, (claim, expected) in claims.items():
        yield Claim(
            claim,
            "early stopping",
            "early_stopping",
            f"statistic == '{statistic}' and label_corruption == label_corruption",
            expected,
            ours="statistic: from the least test loss on" if expected == "below" else "statistic",
            control=BY_CHANCE if statistic == "log_loss_saved" else None,
        )


def _regularizers() -> Iterator[Claim]:
    protection = {
        "within": ("Dropout protects against ablation up to the dropout rate", "above"),
        "beyond": ("Dropout does not protect against ablation beyond the dropout rate", "near"),
    }
    for part, (claim, expected) in protection.items():
        yield Claim(
            claim,
            "dropout",
            "dropout_protection",
            f"statistic == 'advantage_{part}'",
            expected,
            # ASSUME: a difference in accuracy of at most 0.05 is no difference.
            **({"tolerance": 0.05} if expected == "near" else {}),
            ours="statistic, tolerance" if expected == "near" else "statistic",
        )
    normalized = {
        "class_selectivity": (
            "Batch normalization lowers the selectivity of units",
            "above",
        ),
        "class_information": (
            "Batch normalization raises the class information of units",
            "below",
        ),
    }
    for quantity, (claim, expected) in normalized.items():
        yield Claim(
            claim,
            f"batch normalization: {quantity.split('_')[1]}",
            "pair_statistics",
            "setting == 'normalization' and better == 'batch' and worse == 'none' and "
            f"quantity == '{quantity}'",
            expected,
            0.5,
            ours="threshold",
            scale="logit",
        )


def _selectivity() -> Iterator[Claim]:
    yield Claim(
        "The class selectivity of a unit does not predict its importance",
        "class selectivity",
        "single_unit_statistics",
        "statistic == 'spearman_importance_selectivity' and labels == 'true' "
        "and normalization == 'none' and dropout == 0",
        "near",
        # ASSUME: a correlation of at most 0.3 is none.
        tolerance=0.3,
        ours="tolerance",
        scale="fisher",
    )


def _known(claim: Claim) -> str:
    """How we know that the paper says it."""
    return BLOG if claim.quote else ABSTRACT if claim.source in IN_ABSTRACT else MEMORY


CLAIMS = {
    "morcos_2018": tuple(
        replace(claim, source=f"{claim.source} ({_known(claim)})")
        for claim in (*_memorization(), *_training(), *_regularizers(), *_selectivity())
    )
}
UNTESTED = {
    "morcos_2018": (
        "Residual networks on ImageNet depend on single directions as they memorize — studies "
        "train small networks on small images",
        "Of 200 networks that differ in their seed, the five that generalize best depend least on "
        "single directions — no study has so many seeds",
        "Setting units to their mean within a class — units are set to zero, or to their mean over "
        "all images",
    )
}
