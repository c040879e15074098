"""Random generators seeded by their purpose."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import torch


def generator_for(*purpose: str | int) -> torch.Generator:
    """Return a generator for one purpose; different purposes give independent random numbers.

    Args:
        purpose: Key of the random numbers, e.g. ``(ensemble, seed, "initialization")``.

    Returns:
        A generator seeded by a 63-bit hash of the purpose, on the CPU so that random numbers do not
        depend on the device.
    """
    words = "\x1f".join(str(word) for word in purpose).encode()
    seed = int.from_bytes(blake2b(words, digest_size=8).digest(), "big") >> 1
    return torch.Generator().manual_seed(seed)


def random_signs(
    shape: Sequence[int], like: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Draw independent fair signs, 1 or −1.

    Args:
        shape: Shape of the result.
        like: Tensor with the dtype and the device of the result.
    """
    bits = torch.randint(2, tuple(shape), generator=generator, device=generator.device)
    return (2 * bits - 1).to(like)


def same_draws(generator: torch.Generator | None, times: int) -> Iterator[torch.Generator | None]:
    """Yield a generator so many times, each time in the state in which it was given."""
    state = None if generator is None else generator.get_state()
    for _ in range(times):
        if generator is not None:
            generator.set_state(state)
        yield generator
