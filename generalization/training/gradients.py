"""Backpropagation for any kind of stack."""

from generalization.networks.convolutional import ConvolutionalNetworks
from generalization.networks.module_networks import ModuleNetworks
from generalization.networks.stacked_networks import StackedNetworks
from generalization.training.backpropagation import Backpropagation
from generalization.training.convolutional_backpropagation import ConvolutionalBackpropagation
from generalization.training.losses import Loss
from generalization.training.module_backpropagation import ModuleBackpropagation


def new_backpropagation(
    networks: StackedNetworks | ModuleNetworks, loss: Loss
) -> Backpropagation | ConvolutionalBackpropagation | ModuleBackpropagation:
    """Build the backpropagation for this kind of stack."""
    if isinstance(networks, ModuleNetworks):
        return ModuleBackpropagation(networks, loss)
    if isinstance(networks, ConvolutionalNetworks):
        return ConvolutionalBackpropagation(networks, loss)
    return Backpropagation(networks, loss)
