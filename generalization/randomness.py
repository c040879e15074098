"""Random generators seeded by their purpose."""

from collections.abc import Sequence
from hashlib import blake2b

import torch


def generator_for(*purpose: str | int) -> torch.Generator:
    """Generator for one purpose: equal purposes give equal random numbers, and no others do.

    Args:
        purpose: Identifies the use of the numbers, e.g. ``(ensemble, seed, "initialization")``.

    Returns:
        A CPU generator, seeded by a 63-bit hash of the purpose. It is on the CPU so that networks
        have the same initialization on every device.
    """
    words = "\x1f".join(str(word) for word in purpose).encode()
    seed = int.from_bytes(blake2b(words, digest_size=8).digest(), "big") >> 1
    return torch.Generator().manual_seed(seed)


def random_signs(
    shape: Sequence[int], like: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Draw independent fair signs, 1 or −1.

    Args:
        shape: Of the result.
        like: A tensor with the dtype and on the device of the result.
    """
    bits = torch.randint(2, tuple(shape), generator=generator, device=generator.device)
    return (2 * bits - 1).to(like)
