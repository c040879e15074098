"""Claims of Novak et al. 2018 about linear regions on and off the data."""

from collections.abc import Iterator

from generalization.statistics.claim import Claim


def _on_and_off_the_data() -> Iterator[Claim]:
    quantities = {"jacobian_norm": "Jacobian norm", "transition_density": "transition density"}
    contrasts = {
        "near_anchors_vs_between": "is smaller near training images than between them",
        "data_vs_random": "is smaller near training images than on random ellipses",
        "same_vs_different": "is smaller on ellipses within one class than across classes",
    }
    for quantity, noun in quantities.items():
        for contrast, words in contrasts.items():
            yield Claim(
                f"The {noun} {words}",
                "§4.1, Fig. 2",
                "ellipse_contrasts",
                f"trained and quantity == '{quantity}' and contrast.str.startswith('{contrast}')",
                "below",
                1.0,
            )
    yield Claim(
        "After training, boundaries of the last layer are sparser near training images",
        "§4.1, Fig. 3",
        "boundary_contrasts",
        "trained",
        "below",
        1.0,
    )


CLAIMS = {"novak_2018": tuple(_on_and_off_the_data())}
