"""Claims of Novak et al. 2018 about linear regions on and off the data."""

from collections.abc import Iterator
from dataclasses import replace

from generalization.statistics.claim import Claim, Control

OVER_UNTRAINED = ("over_untrained", "over_untrained_low", "over_untrained_high")
# Where untrained networks show the same, the ratio tells where the inputs lie.
UNTRAINED = Control("untrained networks", OVER_UNTRAINED, 1.0)
DROPS = (
    "Sensitivity drops significantly in the vicinity of training data while remaining uniform along"
    " random ellipses."
)
BETWEEN_CLASSES = (
    "as the input moves between points of different classes, the function becomes less stable than"
    " when it moves between points of the same class"
)
QUANTITIES = {"jacobian_norm": "Jacobian norm", "transition_density": "transition density"}
# Contrast → what it says, the source's words, and what of the expectation is ours.
CONTRASTS = {
    "near_anchors_vs_between": (
        "is smaller near training images than half way between them",
        DROPS,
        "statistic: windows of 10°, means",
    ),
    "data_vs_random": (
        "is smaller near training images than on random ellipses",
        DROPS,
        "statistic: windows of 10°, means",
    ),
    "same_vs_different": (
        "is smaller on ellipses within one class than across classes",
        BETWEEN_CLASSES,
        "statistic: means",
    ),
    "unevenness_random_over_data": (
        "varies less along a random ellipse than along one through training images",
        DROPS,
        "statistic: spread over sectors of 15°",
    ),
}


def _ellipses() -> Iterator[Claim]:
    for quantity, noun in QUANTITIES.items():
        for contrast, (words, quote, ours) in CONTRASTS.items():
            yield Claim(
                f"The {noun} {words}",
                "§4.1, Fig. 2",
                "ellipse_contrasts",
                f"trained and quantity == '{quantity}' and contrast.str.startswith('{contrast}')",
                "below",
                1.0,
                quote=quote,
                ours=ours,
                scale="log",
                control=UNTRAINED,
            )


def _boundaries() -> Iterator[Claim]:
    sparser = Claim(
        "After training, boundaries of the last hidden layer are sparser around training images "
        "than over the whole square",
        "§4.1, Fig. 3",
        "boundary_contrasts",
        "trained and statistic == 'near_images'",
        "below",
        1.0,
        quote="with training points lying in regions of lower transition density",
        ours="statistic: within 0.1 of an image",
        scale="log",
        control=UNTRAINED,
    )
    yield sparser
    yield replace(
        sparser,
        claim="Boundaries of the last hidden layer are more unevenly spread after training than "
        "before",
        rows="trained and statistic == 'unevenness'",
        expected="above",
        columns=OVER_UNTRAINED,
        quote="after training, transition boundaries become highly non-isotropic",
        ours="statistic: spread over cells; even over places, not directions",
        control=None,
    )


CLAIMS = {"novak_2018": (*_ellipses(), *_boundaries())}
