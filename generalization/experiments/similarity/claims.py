"""Claims of Raghu et al. 2017, *SVCCA*, and of Morcos, Raghu & Bengio 2018, *Insights on …*."""

from collections.abc import Iterator

from generalization.statistics.claim import Claim

PWCCA = "similarity == 'pwcca' and statistic == '{}'"
# ASSUME: distances, which lie between 0 and 1, are equal if they differ by at most 0.05.
EQUAL = 0.05
LATER = "place in ('last_hidden', 'logits')"


def _convergence() -> Iterator[Claim]:
    layers = {"convergence_order": "Hidden layers", "convergence_order_with_logits": "All layers"}
    for statistic, words in layers.items():
        yield Claim(
            f"{words} converge to their final representation from the bottom up",
            "abstract; learning dynamics",
            "similarity_trends",
            f"statistic == '{statistic}' and similarity == 'svcca'",
            "above",
        )


def _directions() -> Iterator[Claim]:
    # ASSUME: "far fewer" means less than half; the few logits are excluded.
    yield Claim(
        "Far fewer SVCCA directions than units recover 95 % of the accuracy that a layer adds",
        "distributed representations",
        "direction_statistics",
        "statistic == 'share_of_units' and directions == 'svcca' and place != 'logits'",
        "below",
        0.5,
    )
    kinds = {"random_units": "random units", "largest_units": "units of largest activation"}
    for kind, words in kinds.items():
        yield Claim(
            f"Reaching the same accuracy takes more {words} than SVCCA directions",
            "distributed representations",
            "direction_statistics",
            f"statistic == 'ratio_to_svcca' and directions == '{kind}' and place != 'logits'",
            "above",
            1.0,
        )


def _groups() -> Iterator[Claim]:
    learned = PWCCA.format("memorizing_minus_generalizing")
    yield Claim(
        "In early layers, memorizing networks are as far from each other as generalizing ones",
        "abstract; groups of networks",
        "similarity_contrasts",
        f"{learned} and place == 'first'",
        "near",
        tolerance=EQUAL,
    )
    yield Claim(
        "In later layers, memorizing networks are farther from each other than generalizing ones",
        "abstract; groups of networks",
        "similarity_contrasts",
        f"{learned} and {LATER}",
        "above",
    )
    yield Claim(
        "In later layers, generalizing networks are as far from memorizing networks as "
        "memorizing networks are from each other",
        "abstract; groups of networks",
        "similarity_contrasts",
        f"{PWCCA.format('between_minus_memorizing')} and {LATER}",
        "near",
        tolerance=EQUAL,
    )


def _width() -> Iterator[Claim]:
    yield Claim(
        "Wider networks are more similar",
        "abstract; width",
        "similarity_trends",
        PWCCA.format("width"),
        "above",
    )
    yield Claim(
        "Wider networks are more similar, relative to the chance level",
        "abstract; width",
        "similarity_trends",
        PWCCA.format("width_above_null"),
        "above",
    )


CLAIMS = {
    "raghu_2017": (*_convergence(), *_directions()),
    "morcos_2018_similarity": (*_groups(), *_width()),
}
