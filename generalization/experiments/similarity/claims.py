"""Raghu et al. 2017, *SVCCA: singular vector canonical correlation analysis*."""

from collections.abc import Iterator

from generalization.claims import Claim


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


CLAIMS = (*_convergence(), *_directions())
