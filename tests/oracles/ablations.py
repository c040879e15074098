"""Ablations by the definition: one forward pass from the inputs for each."""

import torch
from torch import nn


class AblatedNetwork(nn.Module):
    """One network of a stack, of which some units are replaced."""

    def __init__(self, networks, member, ablated, mode):
        super().__init__()
        self.network, self.ablated, self.mode = networks[[member]], ablated, mode

    def forward(self, inputs, labels):
        values, intact = inputs.flatten(1).unsqueeze(0), inputs.flatten(1).unsqueeze(0)
        for layer in range(self.network.depth - 1):
            values, intact = (self._activations(layer, some) for some in (values, intact))
            for unit in self.ablated.get(layer, ()):
                values[0, :, unit] = self._replacement(intact[0, :, unit], labels)
        return self.network.affine(self.network.depth - 1, values)[0]

    def _activations(self, layer, values):
        z = self.network.affine(layer, values)
        for one in self.network.normalizations[layer : layer + 1]:
            z = one.scale[0] * (z - one.mean[0]) / (one.variance[0] + 1e-5).sqrt() + one.shift[0]
        return self.network.phi.function(z)

    def _replacement(self, intact, labels):
        if self.mode == "zero":
            return 0.0
        if self.mode == "mean":
            return intact.mean()
        return torch.stack([intact[labels == label].mean() for label in labels])


def slow_accuracies(networks, inputs, labels, orders, mode):
    """``ablated_accuracies`` of a stack, by definition."""
    return torch.tensor(
        [
            [
                [
                    _accuracy(networks, member, inputs, labels, _ablated(order, count), mode)
                    for count in order.counts
                ]
                for order in orders
            ]
            for member in range(len(networks))
        ],
        dtype=torch.float64,
    )


def _accuracy(networks, member, inputs, labels, ablated, mode):
    logits = AblatedNetwork(networks, member, ablated, mode)(inputs, labels)
    return (logits.argmax(-1) == labels).double().mean().item()


def _ablated(order, count):
    """Layer → its units that are among the first of an order."""
    numbers = [(layer, unit) for layer in order.layers for unit in range(order.widths[layer])]
    chosen = [numbers[number] for number in order.units[:count].tolist()]
    return {layer: [unit for of, unit in chosen if of == layer] for layer in order.layers}
