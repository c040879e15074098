"""Graham, *From Generalization to Inner Activations* (a blog post), its preliminary results."""

from collections.abc import Iterator

from generalization.statistics.claim import Claim

SOURCE = "Related results and preliminary findings"
# The middle one of three noise levels, on held-out images.
ROWS = "part == 'test' and sigma == 0.1 and statistic == '{}'"


def _claims() -> Iterator[Claim]:
    about = {
        "ev_1_change": ("The first component explains less variance after training", "below", 0.0),
        "ev_1_change_beyond_first": (
            "The variance explained by the first component falls less in later layers",
            "above",
            0.0,
        ),
        "ev_2_change": ("The second component explains more variance after training", "above", 0.0),
        "noise_over_input": ("Trained layers filter out noise", "below", 1.0),
        "s_1_first_change": ("The first singular value drops early in training", "below", 1.0),
        "s_1_late_change": (
            "The first singular value rises after the minimum of the test loss",
            "above",
            1.0,
        ),
        "settled_least_loss_spearman": (
            "The remaining components settle later where the test loss reaches its minimum later",
            "above",
            0.0,
        ),
    }
    for statistic, (words, expected, number) in about.items():
        rows = ROWS.format(statistic)
        rows += " and layer > 1" if statistic == "ev_1_change_beyond_first" else ""
        yield Claim(words, SOURCE, "noise_cloud_statistics", rows, expected, number)
    yield Claim(
        "The remaining components settle at the minimum of the test loss: ratio of the steps",
        SOURCE,
        "noise_cloud_statistics",
        ROWS.format("settled_over_least_loss"),
        "near",
        1.0,
        # ASSUME: the blog's "near" means between 0.5 and 1.5 times the step.
        tolerance=0.5,
    )


CLAIMS = {"graham_inner_activations": tuple(_claims())}
