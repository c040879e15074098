"""Made-up measures and profiles of a study whose test loss follows sensitivity as it is told to."""

import numpy as np
import pandas as pd

SIZES = {(2, 100): 80_000, (3, 90): 79_500, (5, 78): 80_500, (5, 100): 110_000, (2, 78): 62_000}
MEASURES = (
    "output_sensitivity",
    "output_sensitivity_per_output",
    "centered_output_sensitivity",
    "softmax_output_sensitivity",
)
CONSTANTS = {"input_ratio": 10.0, "classes": 10, "variance_of_biases": 0.5}


def made_study(generator, *, datasets=("mnist_subset",), slope=0.5, noise=0.05, seeds=(1, 2, 3)):
    """``measures``, ``output_sensitivities``, ``prediction_errors`` and ``training``.

    ln L = slope · ln S + noise, S that of the mean logit after training; S falls with depth and
    with dropout, grows with init scale, and is ten times as large per output.
    """
    measured, profiled, errors = [], [], []
    for dataset in datasets:
        for position, about in enumerate(ensembles()):
            for seed in seeds:
                network = {"ensemble": f"{dataset}-{position:08x}", "seed": seed}
                before = 0.3 * np.exp(-0.5 * about["depth"] + 2 * np.log(about["init_scale"]))
                after = before * np.exp(
                    1.5 + 0.3 * generator.standard_normal() - 2 * about["dropout"]
                )
                loss = np.exp(slope * np.log(after) + noise * generator.standard_normal())
                for step, s in {0: before, 900: after}.items():
                    row = network | {"step": step, "final": step > 0, "status": "fitted"}
                    row |= {"dataset": dataset} | about | performance(step, loss)
                    values = dict(zip(MEASURES, s * np.array([1, 10, 11, 0.01]), strict=True))
                    values["number_of_parameters"] = SIZES[about["depth"], about["width"]]
                    measured += [row | {"measure": name, "value": v} for name, v in values.items()]
                    kept = network | {"step": step}
                    profiled += [
                        kept | {"variant": variant} | CONSTANTS for variant in ("mean", "softmax")
                    ]
                    errors.append(kept | errors_of(row["test_loss"]))
    measures = pd.DataFrame(measured)
    training = measures.drop(columns=["measure", "value", "generalization_gap"]).drop_duplicates([
        "ensemble",
        "seed",
        "step",
    ])
    return measures, pd.DataFrame(profiled), pd.DataFrame(errors), training


def ensembles():
    """Depth and width × init scale × dropout."""
    return [
        {"depth": depth, "width": width, "init_scale": scale, "dropout": dropout}
        | {"kept_steps": "[0]", "activation": "relu"}
        for depth, width in SIZES
        for scale in (1.0, 2.0)
        for dropout in (0.0, 0.5)
    ]


def performance(step, loss):
    return {
        "train_loss": 1e-4 if step else 2.3,
        "train_accuracy": 1.0 if step else 0.1,
        "test_loss": loss if step else 2.3,
        "test_accuracy": np.exp(-0.3 * loss) if step else 0.1,
        "generalization_gap": 1 - np.exp(-0.3 * loss) if step else 0.0,
    }


def errors_of(loss):
    squared = 2 * (1 - np.exp(-loss)) ** 2
    return {
        "cross_entropy": loss,
        "squared_error": squared,
        "lower_bound": 0.9 * (squared / 2) ** 0.5,
        "squared_logit_error": 30 * loss**2,
    }
