"""All layer pairs of two networks: ours beside an SVD of both layers for every pair."""

from functools import partial

import numpy as np
import torch
from timing import print_table, sgemm_rate, take_turns

from generalization.representations.canonical import canonical_correlations
from generalization.representations.layers import compared_layers
from generalization.representations.products import cross_products
from generalization.representations.representation import joined, represented
from generalization.similarities.linear_cka import linear_cka
from generalization.similarities.mean_cca import mean_cca
from generalization.similarities.pwcca import pwcca
from generalization.similarities.svcca import svcca

SAMPLES, LAYERS = 10_000, 10
SIMILARITIES = (mean_cca, svcca, pwcca, linear_cka)
# Width, pairs that the ordinary way does, of which the time is multiplied; repeats; what else of
# ours is timed.
SHAPES = ((200, 20, 3, SIMILARITIES), (500, 5, 1, SIMILARITIES), (1000, 2, 1, ()))


def networks(width: int) -> list[list[np.ndarray]]:
    """Two ReLU networks of random weights, what their layers say to the same Gaussian inputs."""
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((SAMPLES, width)).astype(np.float32)
    found = []
    for _ in range(2):
        said, recorded = inputs, []
        for _ in range(LAYERS):
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
    return list(compared_layers(similarity, *layers, asymmetric=similarity is pwcca))


def compare(width: int, done: int, repeats: int, similarities: tuple) -> None:
    a, b = networks(width)
    pairs = [(i, j) for i in range(LAYERS) for j in range(LAYERS)]
    chosen = pairs[:: len(pairs) // done][:done]
    found, expected = np.empty((LAYERS, LAYERS)), {}

    def by_pairs() -> None:
        expected.update({(i, j): ordinary(a[i], b[j]) for i, j in chosen})

    name = "mean CCA, an SVD of both for every pair"
    variants = {"ours, mean CCA": lambda: np.copyto(found, ours(a, b)), name: by_pairs}
    variants |= {
        f"ours, {similarity.__name__}, with null and held out": partial(scores, similarity, a, b)
        for similarity in similarities
    }
    seconds = take_turns(variants, repeats=repeats, warmups=0)
    seconds[name] *= len(pairs) / done
    title = f"{LAYERS} × {LAYERS} layers of {width} units, {SAMPLES:,} points"
    print_table(
        f"{title} ({done} of {len(pairs)} pairs timed of the second)",
        seconds,
        ours="ours, mean CCA",
        flops=products(width),
        limit=sgemm_rate(),
    )
    difference = max(abs(found[place] - value) for place, value in expected.items())
    print(f"  largest difference of a mean correlation: {difference:.1e}")
    if difference > 1e-5:
        raise SystemExit(f"Mean correlations must agree to 1e-5, not {difference}.")


def products(width: int) -> int:
    """Operations of the products of all pairs of layers, and of one triangle of all Gram matrices.

    They are in double precision, of which the rate is at most half of that of sgemm.
    """
    return 2 * SAMPLES * width**2 * (LAYERS**2 + LAYERS)


def main() -> None:
    torch.set_num_threads(1)
    for shape in SHAPES:
        compare(*shape)


if __name__ == "__main__":
    main()
