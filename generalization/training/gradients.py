"""How gradients of a stack of networks are found."""

from generalization.networks.convolutional import ConvolutionalNetworks
from generalization.networks.stacked_networks import StackedNetworks
from generalization.training.backpropagation import Backpropagation
from generalization.training.convolutional_backpropagation import ConvolutionalBackpropagation
from generalization.training.losses import Loss


def gradients_of(
    networks: StackedNetworks, loss: Loss
) -> Backpropagation | ConvolutionalBackpropagation:
    """What adds up the gradients of the loss of a stack."""
    if isinstance(networks, ConvolutionalNetworks):
        return ConvolutionalBackpropagation(networks, loss)
    return Backpropagation(networks, loss)
