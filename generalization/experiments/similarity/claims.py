"""Claims of Raghu et al. 2017, *SVCCA*, and of Morcos, Raghu & Bengio 2018, *Insights on …*."""

from collections.abc import Iterator

from generalization.statistics.claim import Claim

PWCCA = "similarity == 'pwcca' and statistic == '{}'"
# ASSUME: distances, which are from 0 to 1, are equal if they differ by at most 0.05.
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
    # ASSUME: "far fewer" is less than a half; of logits, few as they are, nothing is claimed.
    yield Claim(
        "Far fewer SVCCA directions than units suffice for 95 % of the accuracy that a layer adds",
        "distributed representations",
        "direction_statistics",
        "statistic == 'share_of_units' and directions == 'svcca' and place != 'logits'",
        "below",
        0.5,
    )
    kinds = {"random_units": "random units", "largest_units": "units of largest activation"}
    for kind, words in kinds.items():
        yield Claim(
            f"More {words} than SVCCA directions are needed",
            "distributed representations",
            "direction_statistics",
            f"statistic == 'ratio_to_svcca' and directions == '{kind}' and place != 'logits'",
            "above",
            1.0,
        )


def _groups() -> Iterator[Claim]:
    learned = PWCCA.format("memorizing_minus_generalizing")
    yield Claim(
        "In early layers, networks that memorize are as far from each other as those that learn",
        "abstract; groups of networks",
        "similarity_contrasts",
        f"{learned} and place == 'first'",
        "near",
        tolerance=EQUAL,
    )
    yield Claim(
        "In later layers, networks that memorize are farther from each other than those that learn",
        "abstract; groups of networks",
        "similarity_contrasts",
        f"{learned} and {LATER}",
        "above",
    )
    yield Claim(
        "In later layers, networks that learn are as far from networks that memorize as these are "
        "from each other",
        "abstract; groups of networks",
        "similarity_contrasts",
        f"{PWCCA.format('between_minus_memorizing')} and {LATER}",
        "near",
        tolerance=EQUAL,
    )


def _width() -> Iterator[Claim]:
    yield Claim(
        "Wider networks are more alike",
        "abstract; width",
        "similarity_trends",
        PWCCA.format("width"),
        "above",
    )
    yield Claim(
        "Wider networks are more alike, by more than chance",
        "abstract; width",
        "similarity_trends",
        PWCCA.format("width_above_null"),
        "above",
    )


CLAIMS = {
    "raghu_2017": (*_convergence(), *_directions()),
    "morcos_2018_similarity": (*_groups(), *_width()),
}
