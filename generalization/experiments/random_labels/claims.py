"""Zhang et al. 2017, *Understanding deep learning requires rethinking generalization*."""

from collections.abc import Iterator

from generalization.statistics.claim import ABSTRACT, BLOG, MEMORY, Claim

KINDS = {
    "random_labels": "random labels",
    "shuffled_pixels": "shuffled pixels",
    "random_pixels": "random pixels",
    "gaussian": "Gaussian images",
}
# ASSUME: a "small constant factor" is at most 10; networks fit perfectly if most settings do, with
# a train accuracy that counts as fitted in the study: an error that is 0 in all of them has no
# interval, while the share that fits has one.
SMALL_FACTOR, MOST = 10.0, 0.5
FITTED = "threshold (most settings), statistic"
# ASSUME: a test error is at chance level if it is within 5 % of 1 − 1/K.
CHANCE = 0.05
ACHIEVES = "a network can memorize a random labeling of the data and can achieve no training error"
# ASSUME: networks still generalize if they keep four fifths of their test accuracy above chance; a
# gain of less than 0.02 is no benefit.
KEPT, NO_GAIN = 0.8, 0.02


def _claim(
    words: str,
    where: str,
    rows: str,
    expected: str,
    number: float,
    table: str = "fitting_times",
    known: str = MEMORY,
    **more: object,
) -> Claim:
    source = f"{where} ({BLOG if more.get('quote') else known})"
    return Claim(words, source, table, rows, expected, number, **more)


def _fits() -> Iterator[Claim]:
    for kind, words in KINDS.items():
        rows = f"randomization == '{kind}' and statistic == 'fitted_share'"
        yield _claim(
            f"Networks fit {words} perfectly",
            "Fig. 1a",
            rows,
            "above",
            MOST,
            # Of images, the abstract has random noise.
            known=ABSTRACT if kind == "gaussian" else MEMORY,
            quote=ACHIEVES if kind == "random_labels" else "",
            ours=FITTED,
            scale="logit",
        )


def _times() -> Iterator[Claim]:
    rows = "randomization == 'random_labels' and statistic == 'over_true_labels'"
    # A network that has not fitted has taken longer than all its steps.
    at_least = rows.replace("true_labels'", "true_labels_at_least'")
    yield _claim(
        "Networks take longer to fit random labels than true labels",
        "Figs 1a, 1b",
        at_least,
        "above",
        1.0,
        scale="log",
    )
    yield _claim(
        "Networks start to fit random labels later than true labels",
        "Fig. 1a",
        "randomization == 'random_labels' and statistic == 'start_over_true_labels'",
        "above",
        1.0,
        ours="threshold (0.1 above chance)",
        scale="log",
    )
    yield _claim(
        "Random labels slow down fitting by only a small constant factor",
        "Figs 1a, 1b",
        rows,
        "below",
        SMALL_FACTOR,
        ours="threshold",
        scale="log",
    )
    for kind in ("shuffled_pixels", "random_pixels", "gaussian"):
        yield _claim(
            f"Networks fit {KINDS[kind]} faster than random labels",
            "Fig. 1a",
            f"randomization == '{kind}' and statistic == 'over_random_labels'",
            "below",
            1.0,
            scale="log",
        )


def _errors() -> Iterator[Claim]:
    yield _claim(
        "The test error rises steadily with label corruption",
        "Fig. 1c",
        "statistic == 'least_rise'",
        "above",
        0.0,
        ours="statistic",
    )
    yield _claim(
        "With random labels, the test error is at chance level",
        "Fig. 1c",
        "randomization == 'random_labels' and statistic == 'test_error_over_chance'",
        "near",
        1.0,
        tolerance=CHANCE,
        ours="tolerance",
    )


def _regularization() -> Iterator[Claim]:
    table = "regularization_effects"
    yield _claim(
        "Explicit regularization is not necessary: networks without it keep most of their test "
        "accuracy above chance",
        "§3, Table 1",
        "statistic == 'kept_without'",
        "above",
        KEPT,
        table,
        ours="statistic, threshold",
    )
    where = {
        "weight decay": ("§3, Table 4", FITTED),
        "augmentation": ("§3, Table 4", FITTED),
        "dropout": ("§3", f"setting, {FITTED}"),
        "all": ("§3", f"setting, {FITTED}"),
    }
    for regularizers, (place, ours) in where.items():
        words = "all regularizers together" if regularizers == "all" else regularizers
        yield _claim(
            f"Explicit regularization is not sufficient: networks fit random labels with {words}",
            place,
            f"randomization == 'random_labels' and regularizers == '{regularizers}' "
            "and statistic == 'random_label_fitted'",
            "above",
            MOST,
            table,
            ABSTRACT,
            ours=ours,
            scale="logit",
        )
    yield _claim(
        "Changing the architecture gains more test accuracy than regularization",
        "§3, Table 1",
        "statistic == 'architecture_over_regularization'",
        "above",
        0.0,
        table,
        ours="statistic",
    )
    yield _claim(
        "Early stopping gains nothing: the largest test accuracy of the course less the last",
        "§3.1, Fig. 2b",
        "statistic == 'early_stopping_gain' and randomization == 'none' and regularizers == 'none'",
        "near",
        0.0,
        table,
        tolerance=NO_GAIN,
        ours="tolerance",
    )


CLAIMS = {"zhang_2017": (*_fits(), *_times(), *_errors(), *_regularization())}
UNTESTED = {
    "zhang_2017": (
        "Networks fit random labels of CIFAR-10 and ImageNet — datasets are smaller",
        "Regularization is neither necessary nor sufficient on ImageNet — datasets are smaller",
        "A network with two layers and 2n + d weights fits any n points — a theorem, not measured",
        "Gradient descent regularizes linear models — no study trains linear models",
    )
}
