"""Training histories of networks with and without frozen layers, with given accuracies."""

import pandas as pd

from generalization.hyperparameters import Hyperparameters
from generalization.tables import collect_training

STEPS = (0, 3, 6, 9, 12)


def training_of(
    *, accuracies=None, kinds=("none", "bottom_up"), seeds=(1, 2), steps=STEPS, **chosen
):
    """History of one setting; kind → accuracy at every step, of all seeds."""
    shared = {"dataset": "digits", "max_steps": steps[-1], "batch_size": 50}
    rows, about = [], {}
    for kind in kinds:
        one = Hyperparameters(**shared | chosen | {"freeze_layers": kind})
        name = one.name
        about[name] = one.as_dict()
        course = (accuracies or {}).get(kind, [0.1 + 0.05 * place for place in range(len(steps))])
        rows += [
            {
                "ensemble": name,
                "seed": seed,
                "step": step,
                "train_loss": 1.0,
                "train_accuracy": accuracy,
                "test_loss": 1.0,
                "test_accuracy": accuracy,
                "status": "stopped",
            }
            for seed in seeds
            for step, accuracy in zip(steps, course, strict=True)
        ]
    return collect_training(pd.DataFrame(rows), about)
