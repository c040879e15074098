"""Made-up tables of clouds of noisy copies, and of the training of their networks."""

import numpy as np
import pandas as pd

STEPS = (0, 10, 20, 40, 80)
SIGMAS = (0.1, 0.01)


def made_clouds(generator, *, ensembles=3, seeds=2, steps=STEPS, layers=2):
    """``noise_clouds`` and ``training`` of a study.

    Noise is layer × σ² × a factor that falls from 1 to 0.1 until step 20, and is predicted twice as
    large; s_1 halves until step 10, and then grows with the step. The test loss is least at 40.
    """
    clouds, networks = [], []
    for ensemble in range(ensembles):
        for seed in range(1, seeds + 1):
            for step in steps:
                network = {"ensemble": f"e{ensemble}", "seed": seed, "step": step}
                about = {"final": step == steps[-1], "status": "stopped", "dataset": "mnist"}
                about["architecture"] = "fully_connected"
                about |= {"train_size": 1000, "batch_size": 100, "randomization": "none"}
                about |= {"label_corruption": ensemble / 10, "depth": layers + 1}
                networks.append(network | about | performance(step))
                clouds += [network | row for row in of_network(generator, step, layers)]
    return pd.DataFrame(clouds), pd.DataFrame(networks)


def performance(step):
    return {
        "train_loss": 2 / (1 + step),
        "train_accuracy": min(1, 0.1 + step / 50),
        "test_loss": 1 + abs(step - 40) / 40,
        "test_accuracy": 0.8,
    }


def of_network(generator, step, layers):
    factor = max(0.1, 1 - 0.9 * step / 20)
    for part in ("train", "test"):
        for layer in range(layers + 1):
            for sigma in SIGMAS:
                for label in (0, 1):
                    noise = (
                        sigma**2
                        * (layer * factor if layer else 1)
                        * np.exp(0.01 * generator.normal())
                    )
                    s_1 = 10 * (0.5 if step == 10 else 1 + step / 100)
                    yield {
                        "part": part,
                        "class": label,
                        "layer": layer,
                        "accuracy": 0.75 - sigma,
                        "accuracy_without_noise": 0.75,
                        "sigma": sigma,
                        "ev_1": 1 - noise,
                        "ev_2": noise / 5,
                        "ev_rest": noise * 4 / 5,
                        "s_1": s_1,
                        "s_2": s_1 * (noise / 5) ** 0.5,
                        "predicted_noise": 2 * noise,
                        "layer_norm": 1.0,
                        "signal": s_1,
                        "null_share": 0.1,
                    }
