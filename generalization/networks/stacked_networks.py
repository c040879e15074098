"""Stacks of networks of any architecture."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from generalization.networks.architectures import Architecture
from generalization.networks.convolutional import ConvolutionalNetworks
from generalization.networks.fully_connected import FullyConnectedNetworks

StackedNetworks = FullyConnectedNetworks | ConvolutionalNetworks

# Of fully connected networks these are the widths.
AnyArchitecture = tuple[int, ...] | Architecture


def networks_of_tensors(
    tensors: Mapping[str, Tensor], activation: str, architecture: AnyArchitecture
) -> StackedNetworks:
    """A stack of an architecture from what ``tensors`` of another one gives, changed or not."""
    if isinstance(architecture, Architecture):
        return ConvolutionalNetworks.of_tensors(tensors, activation, architecture)
    return FullyConnectedNetworks.of_tensors(tensors, activation)
