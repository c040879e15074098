"""Backpropagation for any kind of stack."""

from generalization.networks.convolutional import ConvolutionalNetworks
from generalization.networks.stacked_networks import StackedNetworks
from generalization.training.backpropagation import Backpropagation
from generalization.training.convolutional_backpropagation import ConvolutionalBackpropagation
from generalization.training.losses import Loss


def new_backpropagation(
    networks: StackedNetworks, loss: Loss
) -> Backpropagation | ConvolutionalBackpropagation:
    """Build the backpropagation for this kind of stack."""
    if isinstance(networks, ConvolutionalNetworks):
        return ConvolutionalBackpropagation(networks, loss)
    return Backpropagation(networks, loss)
