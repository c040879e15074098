"""Claims of Raghu et al. 2017, *SVCCA*, and of Morcos, Raghu & Bengio 2018, *Insights on …*."""

from collections.abc import Iterator

from generalization.experiments.similarity.convergence_orders import BEYOND_LINE
from generalization.experiments.similarity.similarity_contrasts import OVER_UNTRAINED
from generalization.experiments.similarity.width_correlations import BEYOND_UNTRAINED
from generalization.statistics.claim import ABSTRACT, BLOG, MEMORY, Claim, Control

PWCCA = "similarity == 'pwcca' and statistic == '{}'"
# ASSUME: distances, which lie between 0 and 1, are equal if they differ by at most 0.05.
EQUAL = 0.05
LATER = "place in ('last_hidden', 'logits')"


def _convergence() -> Iterator[Claim]:
    shares = {"50": "half", "90": "nine tenths"}
    for share, words in shares.items():
        yield Claim(
            f"Hidden layers go {words} of the way from their own start from the bottom up",
            f"abstract; learning dynamics ({ABSTRACT})",
            "similarity_trends",
            f"statistic == 'convergence_order_own_start_{share}' and similarity == 'svcca'",
            "above",
            ours="statistic",
            # What comes from depth alone, a network shows on the straight line to its end, too.
            control=Control("networks on the straight line", tuple(BEYOND_LINE)),
        )


def _directions() -> Iterator[Claim]:
    # ASSUME: "far fewer" means less than half; the few logits are excluded.
    yield Claim(
        "Far fewer SVCCA directions than units recover 95 % of the accuracy that a layer adds",
        f"distributed representations ({MEMORY})",
        "direction_statistics",
        "statistic == 'share_of_units' and directions == 'svcca' and place != 'logits'",
        "below",
        0.5,
        ours="threshold",
        scale="logit",
    )
    kinds = {"random_units": "random units", "largest_units": "units of largest activation"}
    for kind, words in kinds.items():
        yield Claim(
            f"Reaching the same accuracy takes more {words} than SVCCA directions",
            f"distributed representations ({BLOG})",
            "direction_statistics",
            f"statistic == 'ratio_to_svcca' and directions == '{kind}' and place != 'logits'",
            "above",
            1.0,
            quote="they use baselines composed of random and maximum activation neurons",
            scale="log",
        )


def _freezing() -> Iterator[Claim]:
    statistic = "statistic == '{}'"
    yield Claim(
        "Freezing layers from the bottom up saves computation",
        f"freeze training ({MEMORY})",
        "freezing_effects",
        statistic.format("cost_ratio"),
        "below",
        1.0,
        scale="log",
        counted=True,
    )
    yield Claim(
        "Networks whose layers are frozen from the bottom up generalize better",
        f"freeze training ({MEMORY})",
        "freezing_effects",
        statistic.format("accuracy_gain"),
        "above",
    )
    yield Claim(
        "Networks whose layers are frozen from the bottom up are more accurate than others that "
        "have cost as much computation",
        f"freeze training ({MEMORY})",
        "freezing_effects",
        statistic.format("accuracy_gain_at_equal_cost"),
        "above",
        ours="statistic",
    )


def _groups() -> Iterator[Claim]:
    learned = PWCCA.format("memorizing_minus_generalizing")
    yield Claim(
        "In early layers, memorizing networks are as far from each other as generalizing ones",
        f"groups of networks ({MEMORY})",
        "similarity_contrasts",
        f"{learned} and place == 'first'",
        "near",
        tolerance=EQUAL,
        ours="tolerance",
    )
    yield Claim(
        "In later layers, memorizing networks are farther from each other than generalizing ones",
        f"abstract; groups of networks ({ABSTRACT})",
        "similarity_contrasts",
        f"{learned} and {LATER}",
        "above",
        control=Control("untrained networks", tuple(OVER_UNTRAINED)),
    )
    yield Claim(
        "In later layers, generalizing networks are farther from memorizing networks than from "
        "each other",
        f"groups of networks ({MEMORY})",
        "similarity_contrasts",
        f"{PWCCA.format('between_minus_generalizing')} and {LATER}",
        "above",
        control=Control("untrained networks", tuple(OVER_UNTRAINED)),
    )
    yield Claim(
        "In later layers, generalizing networks are as far from memorizing networks as "
        "memorizing networks are from each other",
        f"groups of networks ({MEMORY})",
        "similarity_contrasts",
        f"{PWCCA.format('between_minus_memorizing')} and {LATER}",
        "near",
        tolerance=EQUAL,
        ours="tolerance",
    )


def _width() -> Iterator[Claim]:
    yield Claim(
        "Wider networks are more similar",
        f"abstract; width ({ABSTRACT})",
        "similarity_trends",
        PWCCA.format("width"),
        "above",
        ours="statistic",
        scale="fisher",
        control=Control("untrained networks", tuple(BEYOND_UNTRAINED)),
    )
    yield Claim(
        "Wider networks are more similar, relative to the chance level",
        f"abstract; width ({ABSTRACT})",
        "similarity_trends",
        PWCCA.format("width_above_null"),
        "above",
        ours="statistic",
        scale="fisher",
        control=Control("untrained networks", tuple(BEYOND_UNTRAINED)),
    )


def _stability() -> Iterator[Claim]:
    # That directions differ where they were told apart says nothing; later kept steps count.
    # ASSUME: a correlation that is less than 0.01 smaller is as good as the same: in a network that
    # has stopped learning, directions differ by less, and always in this sense.
    yield Claim(
        "Directions that are stable at half of training remain more correlated with the layer "
        "than unstable ones",
        f"signal and noise; directions over training ({BLOG})",
        "stability_statistics",
        "statistic == 'stable_minus_unstable_later'",
        "above",
        0.01,
        quote="contain both “signal” and “noise” components",
        ours="threshold, statistic",
    )


def _clusters() -> Iterator[Claim]:
    yield Claim(
        "Networks of other learning rates are farther from each other than networks that differ in "
        "their seed alone",
        f"abstract; clusters of solutions ({ABSTRACT})",
        "solution_clusters",
        f"{PWCCA.format('between_minus_within_ensembles')} and place == 'last_hidden'",
        "above",
        ours="statistic",
    )


CLAIMS = {
    "raghu_2017": (*_convergence(), *_directions(), *_freezing()),
    "morcos_2018_similarity": (*_groups(), *_width(), *_stability(), *_clusters()),
}
UNTESTED = {
    "raghu_2017": (
        "Layers converge from the bottom up in networks for ImageNet and for language — studies "
        "train small networks on small images",
        "Sensitivity of layers to classes by the Fourier transform — not measured",
        "Different architectures learn similar representations — compared in figures only",
    ),
    "morcos_2018_similarity": (
        "Unstable directions are noise, which the task does not need — pruned subspaces are not "
        "measured",
        "Recurrent networks converge from the bottom up, and change over time — no study trains "
        "recurrent networks",
        "Groups of networks on ImageNet — studies train small networks on small images",
    ),
}
