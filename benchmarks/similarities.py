"""All layer pairs of two networks: ours beside an SVD of both layers for every pair."""

import numpy as np
import torch
from timing import print_table, take_turns

from generalization.representations.canonical import canonical_correlations
from generalization.representations.layers import compared_layers
from generalization.representations.products import cross_products
from generalization.representations.representation import joined, represented
from generalization.similarities.linear_cka import linear_cka
from generalization.similarities.mean_cca import mean_cca
from generalization.similarities.pwcca import pwcca
from generalization.similarities.svcca import svcca

SAMPLES = 10_000
# Layers, width, pairs that the ordinary way does, of which the time is multiplied; repeats.
SHAPES = ((10, 200, 20, 3), (4, 1000, 2, 1))


def networks(layers: int, width: int) -> list[list[np.ndarray]]:
    """Two ReLU networks of random weights, what their layers say to the same Gaussian inputs."""
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((SAMPLES, width)).astype(np.float32)
    found = []
    for _ in range(2):
        said, recorded = inputs, []
        for _ in range(layers):
            weights = generator.standard_normal((width, width)).astype(np.float32)
            said = np.maximum(said @ weights * np.sqrt(2 / width, dtype=np.float32), 0)
            recorded.append(said)
        found.append(recorded)
    return found


def ordinary(x: np.ndarray, y: np.ndarray) -> float:
    """Mean CCA of one pair as one would write it."""
    bases = []
    for layer in (x, y):
        centered = layer.astype(np.float64) - layer.mean(0, dtype=np.float64)
        u, s, _ = np.linalg.svd(centered, full_matrices=False)
        bases.append(u[:, s > max(layer.shape) * np.finfo(float).eps * s[0]])
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).clip(0, 1).mean()


def ours(a: list[np.ndarray], b: list[np.ndarray]) -> np.ndarray:
    """Mean CCA of all pairs, and nothing else."""
    layers_a, layers_b = ([represented(layer) for layer in net] for net in (a, b))
    products = cross_products(layers_a, layers_b)
    return np.array([
        [
            canonical_correlations(
                one.whole.basis, other.whole.basis, joined(one, other, products[i][j])
            )
            .mean()
            .item()
            for j, other in enumerate(layers_b)
        ]
        for i, one in enumerate(layers_a)
    ])


def scores(similarity, a: list[np.ndarray], b: list[np.ndarray]) -> list:
    layers = ([[represented(layer)] for layer in net] for net in (a, b))
    return list(compared_layers(similarity, *layers))


def compare(layers: int, width: int, done: int, repeats: int) -> None:
    a, b = networks(layers, width)
    pairs = [(i, j) for i in range(layers) for j in range(layers)]
    chosen = pairs[:: len(pairs) // done][:done]
    expected = {}

    def by_pairs() -> None:
        expected.update({(i, j): ordinary(a[i], b[j]) for i, j in chosen})

    variants = {
        "ours, mean CCA": lambda: ours(a, b),
        "ours, mean CCA with null and held out": lambda: scores(mean_cca, a, b),
        "ours, SVCCA with null and held out": lambda: scores(svcca, a, b),
        "ours, PWCCA both ways, null and held out": lambda: scores(pwcca, a, b),
        "ours, linear CKA with null": lambda: scores(linear_cka, a, b),
        "mean CCA, an SVD of both for every pair": by_pairs,
    }
    seconds = take_turns(variants, repeats=repeats, warmups=0)
    seconds["mean CCA, an SVD of both for every pair"] *= len(pairs) / done
    title = f"{layers} × {layers} layers of {width} units, {SAMPLES:,} points"
    print_table(f"{title} ({done} pairs timed of the last)", seconds, ours="ours, mean CCA")
    found = ours(a, b)
    difference = max(abs(found[place] - value) for place, value in expected.items())
    print(f"  largest difference of a mean correlation: {difference:.1e}")
    if difference > 1e-5:
        raise SystemExit(f"Mean correlations must agree to 1e-5, not {difference}.")


def main() -> None:
    torch.set_num_threads(1)
    for shape in SHAPES:
        compare(*shape)


if __name__ == "__main__":
    main()
