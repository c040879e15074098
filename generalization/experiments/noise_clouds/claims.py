"""Graham, *From Generalization to Inner Activations* (a blog post), its preliminary results."""

from collections.abc import Iterator

from generalization.statistics.claim import Claim

SOURCE = "Related results and preliminary findings"
# Of the three scales of noise the middle one, and images that the networks have not seen.
ROWS = "part == 'test' and sigma == 0.1 and statistic == '{}'"


def _claims() -> Iterator[Claim]:
    about = {
        "ev_1_change": ("The first component explains less after training", "below", 0.0),
        "ev_1_change_beyond_first": (
            "In later layers what the first component explains falls less than in the first",
            "above",
            0.0,
        ),
        "ev_2_change": ("The second component explains more after training", "above", 0.0),
        "noise_over_input": ("A trained layer filters noise out", "below", 1.0),
        "s_1_first_change": ("The first singular value drops at first", "below", 1.0),
        "s_1_late_change": (
            "The first singular value rises once the test loss is least",
            "above",
            1.0,
        ),
        "settled_least_loss_spearman": (
            "The rest of the components settles later where the test loss is least later",
            "above",
            0.0,
        ),
    }
    for statistic, (words, expected, number) in about.items():
        rows = ROWS.format(statistic)
        rows += " and layer > 1" if statistic == "ev_1_change_beyond_first" else ""
        yield Claim(words, SOURCE, "noise_cloud_statistics", rows, expected, number)
    yield Claim(
        "The rest of the components settles where the test loss is least: ratio of the steps",
        SOURCE,
        "noise_cloud_statistics",
        ROWS.format("settled_over_least_loss"),
        "near",
        1.0,
        # ASSUME: the blog's "near" is from half the steps to one and a half times them.
        tolerance=0.5,
    )


CLAIMS = {"graham_inner_activations": tuple(_claims())}
