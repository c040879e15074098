"""Made-up networks with and without regularizers, with known accuracies."""

import pandas as pd

CLASSES = {"mnist": 10}
# Names of regularizers → hyper-parameters, in the order of figures.
SETTINGS = {
    "none": {},
    "augmentation": {"augmentation": "crop_flip"},
    "weight decay": {"weight_decay": 0.001},
    "dropout": {"dropout": 0.5},
    "augmentation + dropout": {"augmentation": "crop_flip", "dropout": 0.5},
    "all": {"augmentation": "crop_flip", "weight_decay": 0.001, "dropout": 0.5},
}
REGULARIZED = list(SETTINGS)
GAINS = dict(zip(REGULARIZED, (0, 0.05, -0.01, 0.02, 0.04, 0.06), strict=True))


def accuracies(depth, regularizers, data):
    """Train and test accuracy at the last step."""
    if data == "random_labels":
        return (0.5 if regularizers == "all" else 1.0), 0.1
    return 1.0, 0.5 + 0.03 * depth + GAINS[regularizers] * (1 + depth / 10)


def made_networks(*, depths=(2, 4), regularized=tuple(SETTINGS), dataset="mnist"):
    """``training``: two seeds each; the test accuracy was larger by 0.01 · depth at step 5."""
    rows = []
    for depth in depths:
        for name in regularized:
            for data in ("none", "random_labels"):
                train, test = accuracies(depth, name, data)
                about = {
                    "ensemble": f"{dataset}-{depth}-{name}-{data}",
                    "dataset": dataset,
                    "depth": depth,
                    "randomization": data,
                    "label_corruption": 0.0,
                    **{"augmentation": "none", "weight_decay": 0.0, "dropout": 0.0},
                    **SETTINGS[name],
                    "kept_steps": "[]",
                }
                for seed, off in ((1, -0.01), (2, 0.01)):
                    for step, more in ((0, -0.3), (5, 0.01 * depth), (10, 0.0)):
                        rows.append(
                            about
                            | {
                                "seed": seed,
                                "step": step,
                                "final": step == 10,
                                "status": "stopped",
                                "train_loss": 0.0,
                                "test_loss": 1.0,
                                "train_accuracy": train,
                                "test_accuracy": test + more + off,
                            }
                        )
    return pd.DataFrame(rows)
