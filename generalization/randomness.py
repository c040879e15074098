"""Randomness that depends on what it is for, and on nothing else."""

from hashlib import blake2b

import torch


def generator_for(*purpose: str | int) -> torch.Generator:
    """A generator of its own for every purpose: the same words give the same numbers.

    Args:
        purpose: What the numbers are for, for example ``(ensemble, seed, "initialization")``.

    Returns:
        A CPU generator, seeded by a 63-bit hash of the words. It is made on the CPU so that a
        network begins the same on every device.
    """
    words = "\x1f".join(str(word) for word in purpose).encode()
    seed = int.from_bytes(blake2b(words, digest_size=8).digest(), "big") >> 1
    return torch.Generator().manual_seed(seed)
