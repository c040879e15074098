"""Morcos et al. 2018, *Insights on representational similarity … with canonical correlation*."""

from collections.abc import Iterator

from generalization.claims import Claim

PWCCA = "similarity == 'pwcca' and statistic == '{}'"
# ASSUME: distances, which are from 0 to 1, are equal if they differ by at most 0.05.
EQUAL = 0.05
LATER = "place in ('last_hidden', 'logits')"


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


CLAIMS = (*_groups(), *_width())
