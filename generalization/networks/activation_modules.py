"""Where the linear regions of activation modules meet."""

from torch import nn


def thresholds_of(part: nn.Module) -> tuple[float, ...]:
    """Where the linear regions of a unit meet, ascending; nothing if that is not known.

    Tanh has none. Its threshold 0 is a convention.
    """
    match part:
        case nn.ReLU() | nn.LeakyReLU() | nn.PReLU() | nn.Tanh():
            return (0.0,)
        case nn.Hardtanh():  # and ReLU6
            return (part.min_val, part.max_val)
        case nn.Hardsigmoid():
            return (-3.0, 3.0)
    return ()
