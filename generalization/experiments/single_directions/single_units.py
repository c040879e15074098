"""Selectivity of single units, their information about classes, and accuracy without them."""

import pandas as pd
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.units.information import class_information
from generalization.units.selectivity import class_selectivities
from generalization.units.single_ablations import accuracies_without

SIGNED = "negative activations have no selectivity"


@reads_networks
def single_units(
    networks: Networks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    generator: torch.Generator,
    *,
    train_samples: int = 1000,
    bins: int = 20,
    permutations: int = 20,
) -> pd.DataFrame:
    """Selectivity, information and importance of every hidden unit (Morcos et al. 2018).

    Args:
        generator: Source of the permutations.
        bins: Number of bins of the activations of a unit, for its information.
        permutations: Number of permutations of the labels, for the chance level of information.

    Returns:
        One row per network, hidden layer and unit: ``network``, ``layer`` and ``unit``, both from
        1, and

        ``mean_activation``
            Mean over the training inputs; of a feature map also over positions, as in all columns
            below.
        ``class_selectivity``
            See ``class_selectivities``.
        ``mutual_information``
            See ``class_information``; in bits.
        ``null_information``
            Mean of ``mutual_information`` over permutations of the labels: about 0, as far as the
            bias is known.
        ``importance``
            Loss of training accuracy if this unit alone is set to zero.
        ``note``
            Why there is no selectivity; empty where there is.
    """
    inputs, labels = train_inputs[:train_samples], train_labels[:train_samples]
    activations = unit_activations(networks, inputs)
    widths = [layer.shape[-1] for layer in activations]
    accuracy = (logits_of(networks, inputs).argmax(-1) == labels).double().mean(-1)
    draws = torch.rand(permutations, len(labels), generator=generator, dtype=torch.float64)
    permuted = labels[draws.argsort(1).to(labels.device)]
    tables = []
    for layer, of_layer in enumerate(activations):
        alone = accuracies_without(networks, inputs, labels, widths=widths, layer=layer)
        columns = {
            "mean_activation": of_layer.double().mean(1),
            "class_selectivity": class_selectivities(of_layer, labels),
            "mutual_information": _information(of_layer, labels, bins),
            "null_information": _information(of_layer, permuted, bins).mean(0),
            "importance": accuracy.unsqueeze(1) - alone,
        }
        tables.append(_table(layer, columns))
    return pd.concat(tables, ignore_index=True)


def _information(
    activations: Float[Tensor, "networks samples units"],
    labels: Int64[Tensor, "*permutations samples"],
    bins: int,
) -> Float64[Tensor, "*permutations networks units"]:
    """Information of the units of all networks at once."""
    networks, _, units = activations.shape
    of_all = activations.transpose(0, 1).flatten(1)
    return class_information(of_all, labels, bins=bins).unflatten(-1, (networks, units))


def _table(layer: int, columns: dict[str, Float64[Tensor, "networks units"]]) -> pd.DataFrame:
    networks, units = columns["importance"].shape
    table = pd.DataFrame({
        "network": torch.arange(networks).repeat_interleave(units).numpy(),
        "layer": layer + 1,
        "unit": torch.arange(1, units + 1).repeat(networks).numpy(),
        **{name: values.flatten().cpu().numpy() for name, values in columns.items()},
    })
    return table.assign(note=table["class_selectivity"].isna().map({True: SIGNED, False: ""}))
