"""Made-up courses of networks on random data, with known times to fit."""

import numpy as np
import pandas as pd

# Kind of data → step at which its networks reach a train accuracy of one half.
TIMES = {
    ("none", 0.0): 30,
    ("none", 0.5): 60,
    ("random_labels", 0.0): 120,
    ("shuffled_pixels", 0.0): 40,
    ("random_pixels", 0.0): 80,
    ("gaussian", 0.0): 50,
}
ERRORS = {("none", 0.0): 0.2, ("none", 0.5): 0.5, ("random_labels", 0.0): 0.9}
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def made_courses(*, depths=(2, 4), seeds=3, kinds=tuple(TIMES), dataset="mnist"):
    """``training``: networks of depth 4 take twice as long; accuracy is straight in ln(1 + step).

    Seeds 1, 2, 3 take 1/1.1, 1, and 1.1 times as long.
    """
    rows = []
    for depth in depths:
        for place, kind in enumerate(kinds):
            for seed in range(1, seeds + 1):
                time = TIMES[kind] * (depth / 2) * 1.1 ** (seed - 2)
                about = {
                    "ensemble": f"{dataset}-{depth}-{place}",
                    "seed": seed,
                    "dataset": dataset,
                    "depth": depth,
                    "randomization": kind[0],
                    "label_corruption": kind[1],
                    "kept_steps": "[]",
                }
                rows += [about | at_step(step, time, kind, seed) for step in STEPS]
    return pd.DataFrame(rows)


def at_step(step, time, kind, seed):
    accuracy = min(1.0, 0.5 * np.log1p(step) / np.log1p(time))
    return {
        "step": step,
        "final": step == STEPS[-1],
        "status": "fitted",
        "train_accuracy": accuracy,
        "train_loss": 2.5 * (1 - accuracy),
        "test_loss": 1.0,
        "test_accuracy": 1 - ERRORS.get(kind, 0.3) - 0.01 * (seed - 2),
    }
