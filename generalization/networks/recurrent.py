"""Recurrent layers step by step: torch's fused kernels lack batching rules and derivatives.

Args:
    weights: Weights and biases of all layers and directions, in the order of torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

# Map from the input of a step, the states and the weights of a layer to the new states.
Cell = Callable[[Tensor, Sequence[Tensor], Sequence[Tensor]], Sequence[Tensor]]


def _simple(activation: Callable[[Tensor], Tensor]) -> Cell:
    def cell(x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]) -> Sequence[Tensor]:
        of_input, of_state = _both(x, states[0], weights)
        return (activation(of_input + of_state),)

    return cell


def _gru(x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]) -> Sequence[Tensor]:
    of_input, of_state = (one.chunk(3, -1) for one in _both(x, states[0], weights))
    reset, update = ((a + b).sigmoid() for a, b in zip(of_input[:2], of_state[:2], strict=True))
    new = (of_input[2] + reset * of_state[2]).tanh()
    return (new + update * (states[0] - new),)


def _lstm(x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]) -> Sequence[Tensor]:
    hidden, memory = states
    enter, forget, new, leave = sum(_both(x, hidden, weights)).chunk(4, -1)
    memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
    hidden = leave.sigmoid() * memory.tanh()
    projected = len(weights) % 2
    return (linear(hidden, weights[-1]) if projected else hidden), memory


def _both(x: Tensor, hidden: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return what the input and the state contribute to the gates."""
    biases = weights[2:4] if len(weights) >= 4 else (None, None)
    return linear(x, weights[0], biases[0]), linear(hidden, weights[1], biases[1])


def _of_cell(cell: Cell, fused: Callable[..., Any]) -> Callable[..., tuple[Tensor, ...]]:
    """Return the function of all layers of a cell, with the arguments of the fused kernel."""

    def recurrent(*arguments: Any) -> tuple[Tensor, ...]:
        inputs, begin, weights, _, layers, _, _, both_ways, batch_first = arguments
        if not isinstance(weights, list | tuple):
            return fused(*arguments)  # Packed sequences of different lengths.
        begin = begin if isinstance(begin, list | tuple) else (begin,)
        steps = inputs.unbind(1 if batch_first else 0)
        ways = 2 if both_ways else 1
        each = len(weights) // (layers * ways)
        last: list[Sequence[Tensor]] = []
        for layer in range(layers):
            found = []
            for way in range(ways):
                number = layer * ways + way
                states = [one[number] for one in begin]
                own = weights[number * each : (number + 1) * each]
                outputs, states = _one_way(cell, steps, states, own, reverse=way == 1)
                found.append(outputs)
                last.append(states)
            steps = [torch.cat(outputs, -1) for outputs in zip(*found, strict=True)]
        states = (torch.stack(one) for one in zip(*last, strict=True))
        return torch.stack(list(steps), 1 if batch_first else 0), *states

    return recurrent


def _one_way(
    cell: Cell,
    steps: Sequence[Tensor],
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    *,
    reverse: bool,
) -> tuple[list[Tensor], Sequence[Tensor]]:
    """Return the outputs of one layer in one direction, and its last states."""
    outputs = []
    for step in reversed(steps) if reverse else steps:
        states = cell(step, states, weights)
        outputs.append(states[0])
    return outputs[::-1] if reverse else outputs, states


def _alone(cell: Cell) -> Callable[..., Any]:
    """Return the function of a single step, with the arguments of the fused kernel."""

    def step(x: Tensor, states: Any, *weights: Tensor | None) -> Any:
        many = isinstance(states, list | tuple)
        given = [one for one in weights if one is not None]
        found = cell(x, states if many else (states,), given)
        return tuple(found) if many else found[0]

    return step


STEP_BY_STEP = {
    torch.rnn_tanh_cell: _alone(_simple(torch.tanh)),
    torch.rnn_relu_cell: _alone(_simple(torch.relu)),
    torch.gru_cell: _alone(_gru),
    torch.lstm_cell: _alone(_lstm),
    torch.rnn_tanh: _of_cell(_simple(torch.tanh), torch.rnn_tanh),
    torch.rnn_relu: _of_cell(_simple(torch.relu), torch.rnn_relu),
    torch.gru: _of_cell(_gru, torch.gru),
    torch.lstm: _of_cell(_lstm, torch.lstm),
}


@contextmanager
def weights_replaced(module: nn.Module, places: Mapping[str, Tensor]) -> Iterator[None]:
    """Give recurrent layers the parameters that replace theirs, of which they hold a list.

    Args:
        module: Module with any layers.
        places: Replacements by the names of all places of parameters.
    """
    before = []
    for prefix, part in module.named_modules():
        if isinstance(part, nn.RNNBase):
            before.append((part, part._flat_weights))
            names = part._flat_weights_names
            places_of = [f"{prefix}.{name}" if prefix else name for name in names]
            part._flat_weights = [
                places.get(place, own)
                for place, own in zip(places_of, part._flat_weights, strict=True)
            ]
    try:
        yield
    finally:
        for part, weights in before:
            part._flat_weights = weights
