"""Accuracy as units are ablated, or noise is added to them."""

import pandas as pd
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_networks
from generalization.units.ablation_curve import ablation_curve
from generalization.units.activation_noise import noisy_accuracies

Curve = tuple[Float64[Tensor, "amounts"], Float64[Tensor, "networks draws amounts"]]


@reads_networks
def ablation_curves(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    generator: torch.Generator,
    *,
    train_samples: int = 1000,
    orders: int = 10,
    increments: int = 20,
    class_means: bool = False,
    max_noise_variance: float = 4.0,
    layer_by_layer: bool = False,
) -> pd.DataFrame:
    """Training accuracy against the fraction of ablated units, and against added noise.

    Morcos et al. 2018: units become zero, or their mean over the training inputs, or, which the
    paper leaves out, that of the sample's class; or noise of s times their variance is added. See
    ``ablated_accuracies`` and ``noisy_accuracies``.

    Args:
        generator: Source of orders and noise.
        orders: Number of random orders, and of draws of noise.
        increments: Number of equal increments from no unit to all, and from no noise to the
            largest.
        class_means: Whether units also become means of classes.
        max_noise_variance: Largest s.
        layer_by_layer: Whether also the units of every single hidden layer are ablated.

    Returns:
        One row per network, layer, mode and amount: ``network``,

        ``layer``
            Hidden layer, from 1, or ``all``.
        ``mode``
            One of ``zero``, ``mean``, ``class_mean`` and ``noise``.
        ``amount``
            Fraction of the units of the layer that are ablated; for noise, s.
        ``accuracy``, ``deviation``
            Mean and standard deviation over orders, or draws of noise; no deviation of a single
            one.
    """
    inputs, labels = train_inputs[:train_samples], train_labels[:train_samples]
    widths = unit_activations(networks, inputs[:1])
    modes = ("zero", "mean", "class_mean") if class_means else ("zero", "mean")
    tables = []
    for layer in (None, *range(len(widths))) if layer_by_layer else (None,):
        layers = range(len(widths)) if layer is None else (layer,)
        name = "all" if layer is None else str(layer + 1)
        for mode in modes:
            curve = ablation_curve(
                networks,
                inputs,
                labels,
                generator,
                orders=orders,
                increments=increments,
                mode=mode,
                layer=layer,
            )
            tables.append(_table(name, mode, *curve))
        scales = torch.linspace(0, max_noise_variance, increments + 1, dtype=torch.float64)
        noisy = noisy_accuracies(
            networks, inputs, labels, generator, scales=scales, draws=orders, layers=layers
        )
        tables.append(_table(name, "noise", scales, noisy))
    return pd.concat(tables, ignore_index=True)


def _table(
    layer: str,
    mode: str,
    amounts: Float64[Tensor, "amounts"],
    accuracies: Float64[Tensor, "networks draws amounts"],
) -> pd.DataFrame:
    deviations = accuracies.std(1) if accuracies.shape[1] > 1 else accuracies[:, 0] * torch.nan
    networks = len(accuracies)
    return pd.DataFrame({
        "network": torch.arange(networks).repeat_interleave(len(amounts)).numpy(),
        "layer": layer,
        "mode": mode,
        "amount": amounts.repeat(networks).cpu().numpy(),
        "accuracy": accuracies.mean(1).flatten().cpu().numpy(),
        "deviation": deviations.flatten().cpu().numpy(),
    })
