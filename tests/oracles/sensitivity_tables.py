"""Tables of output sensitivities and of distances between outputs, with known relations."""

import numpy as np
import pandas as pd

VARIANTS = ("mean", "per_output", "centered", "softmax")
CLASSES, INPUT_RATIO, OF_BIASES = 4, 5.0, 0.5


def made_training(ensembles=6, seeds=(1, 2, 3), steps=(0, 10)):
    """Networks of two depths and two widths that end at different steps."""
    return pd.DataFrame([
        {
            "ensemble": f"e{ensemble}",
            "seed": seed,
            "step": step + (seed if step else 0),
            "final": step == steps[-1],
            "status": "fitted",
            "dataset": "mnist_subset",
            "depth": 2 + ensemble % 2,
            "width": 50 * (1 + ensemble % 3),
            "initialization": "normal",
            "init_scale": 1.0,
            "test_loss": 0.5,
        }
        for ensemble in range(ensembles)
        for seed in seeds
        for step in steps
    ])


def made_sensitivities(training, seed=0):
    """Measures about 1.2 times what little noise gives, which is about what is expected."""
    generator = np.random.default_rng(seed)
    rows = []
    for network in training.to_dict("records"):
        for variant in VARIANTS:
            expected = np.nan if variant == "softmax" else 0.1 * network["width"]
            little = 0.1 * network["width"] * generator.uniform(0.9, 1.1)
            rows.append({
                **{key: network[key] for key in ("ensemble", "seed", "step")},
                "variant": variant,
                "classes": CLASSES,
                "value": 1.2 * little,
                "standard_error": 0.01 * little,
                "small_noise": little,
                "ratio": 1.2,
                "expected_before": expected,
                "expected_before_wide": 1.2 * expected,
                "input_ratio": INPUT_RATIO,
                "variance_of_biases": OF_BIASES,
            })
    return pd.DataFrame(rows)


def made_outputs(training, classes=CLASSES, points=6, seed=0):
    """Outputs of every network: a mean that is not the label, and a spread, by row of training."""
    generator = np.random.default_rng(seed)
    spread = 0.1 * training["width"].to_numpy()[:, None, None]
    mean = generator.standard_normal((points, classes))
    labels = np.eye(classes)[generator.integers(classes, size=points)]
    outputs = mean + spread * generator.standard_normal((len(training), points, classes))
    return outputs, labels


def made_distances(training, outputs, labels, blocks=None):
    """The rows of ``output_distances``, as the profile of every block of seeds gives them."""
    rows = []
    blocks = blocks or [sorted(training["seed"].unique())]
    for row, one in enumerate(training.to_dict("records")):
        about = {key: one[key] for key in ("ensemble", "seed", "step")} | {"classes": CLASSES}
        for output in ("logits", "probabilities"):
            about |= {"output": output}
            rows.append(about | {"squared_distance": _distance(outputs[row], labels)})
            for place, other in enumerate(training.to_dict("records")[:row]):
                together = any({one["seed"], other["seed"]} <= set(block) for block in blocks)
                same = other["ensemble"] == one["ensemble"] and together
                both_last = one["final"] and other["final"]
                if same and (one["step"] == other["step"] or both_last):
                    about_pair = {"other_seed": other["seed"], "other_step": other["step"]}
                    distance = _distance(outputs[row], outputs[place])
                    rows.append(about | about_pair | {"squared_distance": distance})
    return pd.DataFrame(rows)


def _distance(one, other):
    return np.square(one - other).sum(-1).mean()
