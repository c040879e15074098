"""Graham, *From Generalization to Inner Activations* (a blog post), its preliminary results.

The blog shows a convolutional network on MNIST with true labels, after every epoch. Each claim is
judged there; other networks, datasets and labels extend it, which is ours.
"""

from collections.abc import Iterator

import numpy as np

from generalization.statistics.claim import Claim

SOURCE = "Related results and preliminary findings"
BLOG = (
    "architecture == 'convolutional' and label_corruption == 0 and randomization == 'none' "
    "and dataset in ('mnist', 'mnist_subset')"
)
# ASSUME: an accuracy that noise changes by at most 0.05 is not drastically altered.
ALTERED = 0.05
CONVOLUTIONS, LATER = "kind == 'convolutional'", "layer > 1"
# ASSUME: "around where the train and test loss converge" is within a factor of 1.5 of that step.
AROUND = 1.5
# Statistic → claim, its side and number, what of it is ours, the words of the blog, which layers.
TOLERANCES = {
    "settled_over_converged": float(np.log(AROUND)),
    "accuracy_change": ALTERED,
}
RATIOS = ("s_1_first_change", "s_1_late_change", "settled_over_converged")
CLAIMS_OF = {
    "accuracy_change": (
        "Noise hardly changes the accuracy: with noise less without",
        "near",
        "tolerance",
        "the test and train accuracy are not drastically altered by this amount of noise",
        "",
    ),
    "ev_1_change": (
        "In convolutional layers, the first component explains less variance at the last step than "
        "after the first epoch",
        "below",
        "",
        "it actually captures less of the variance and there is more noise being noticed during "
        "the convolutional layers",
        CONVOLUTIONS,
    ),
    "ev_1_change_beyond_first": (
        "The variance explained by the first component falls less in later layers",
        "above",
        "",
        "this becomes less so for the later layers in the network",
        LATER,
    ),
    "ev_2_change": (
        "The second component explains more variance at the last step than after the first epoch",
        "above",
        "",
        "The second components in general continue to capture more and more of the variance",
        "",
    ),
    "s_1_first_change": (
        "The first singular value drops after the first epoch",
        "below",
        "threshold: initially is one epoch",
        "the first singular value dropping initially",
        "",
    ),
    "s_1_late_change": (
        "The first singular value rises from where train and test loss converge",
        "above",
        "threshold: losses within 10 % of where they end have converged",
        "until it gradually begins to rise around where the train and test loss converge",
        "",
    ),
    "s_1_volatility": (
        "The first singular value is more volatile before train and test loss converge than after",
        "above",
        "statistic",
        "more volatility in general for the initial epochs",
        "",
    ),
    "settled_over_converged": (
        "The remaining components settle where train and test loss converge: ratio of the steps",
        "near",
        "statistic, tolerance",
        "plateau for the rest of the components around where the train and test loss converge",
        "",
    ),
    "settled_beyond_first": (
        "The remaining components settle later in later layers",
        "above",
        "statistic",
        "this convergence is much more gradual for the later layers",
        LATER,
    ),
}


def _claims(statistic: str) -> Iterator[Claim]:
    """The claim in the setting of the blog, and in all others."""
    words, expected, ours, quote, layers = CLAIMS_OF[statistic]
    rows = f"statistic == '{statistic}'" + (f" and {layers}" if layers else "")
    # Fully connected networks have no convolutional layers.
    beyond = rows.replace(f" and {CONVOLUTIONS}", "")
    extended = {
        f"{rows} and {BLOG}": (words, ours),
        f"{beyond} and not ({BLOG})": (
            f"{words} (other networks, datasets or labels)",
            f"setting, {ours}" if ours else "setting",
        ),
    }
    for query, (claim, of_ours) in extended.items():
        yield Claim(
            claim,
            SOURCE,
            "noise_cloud_statistics",
            query,
            expected,
            1.0 if statistic in RATIOS else 0.0,
            **({"tolerance": TOLERANCES[statistic]} if expected == "near" else {}),
            quote=quote,
            ours=of_ours,
            scale="log" if statistic in RATIOS else "identity",
        )


CLAIMS = {
    "graham_inner_activations": tuple(
        claim for statistic in CLAIMS_OF for claim in _claims(statistic)
    )
}
UNTESTED = {
    "graham_inner_activations": (
        "Inner activations reveal adversarial perturbations — networks see Gaussian noise only",
        "The noise in layers tells how well a network generalizes — the blog states no relation "
        "that could be compared with a number",
    )
}
