"""Similarities by definition, slowly, and layers of which they are known."""

import numpy as np


def centered(x):
    return x - x.mean(0)


def bases(x):
    u, s, _ = np.linalg.svd(centered(x), full_matrices=False)
    return u[:, s > max(x.shape) * np.finfo(float).eps * s[0]]


def canonical(x, y):
    """Variates of both layers and their correlations, from a thin SVD of each."""
    a, b = bases(x), bases(y)
    u, correlations, vh = np.linalg.svd(a.T @ b, full_matrices=False)
    return a @ u, correlations, b @ vh.T


def truncated(x, explained_variance):
    u, s, _ = np.linalg.svd(centered(x), full_matrices=False)
    shares = np.cumsum(s**2) / np.sum(s**2)
    rank = next(k for k in range(1, len(s) + 1) if shares[k - 1] >= explained_variance)
    return u[:, :rank] * s[:rank]


def projection_weighted(x, y):
    variates, correlations, _ = canonical(x, y)
    weights = [sum(abs(h @ unit) for unit in centered(x).T) for h in variates.T]
    return np.average(correlations, weights=weights)


def kernel_alignment(x, y):
    k, other = (centered(layer) @ centered(layer).T for layer in (x, y))
    return np.sum(k * other) / (np.linalg.norm(k) * np.linalg.norm(other))


def unbiased_product(k, other):
    """The U-statistic of HSIC (Song et al. 2012, Eq. 5)."""
    n, ones = len(k), np.ones(len(k))
    k, other = k - np.diag(np.diag(k)), other - np.diag(np.diag(other))
    return (
        np.trace(k @ other)
        + (ones @ k @ ones) * (ones @ other @ ones) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (ones @ k @ other @ ones)
    ) / (n * (n - 3))


def unbiased_alignment(x, y):
    k, other = x @ x.T, y @ y.T
    norms = unbiased_product(k, k) * unbiased_product(other, other)
    return unbiased_product(k, other) / np.sqrt(norms)


def published(x, y, epsilon, threshold):
    """The route of github.com/google/svcca: coefficients, and their mean over the leading ones."""
    units = x.shape[1]
    covariance = np.cov(x.T, y.T)
    xx, xy, yy = (
        covariance[:units, :units],
        covariance[:units, units:],
        covariance[units:, units:],
    )
    x_largest, y_largest = np.abs(xx).max(), np.abs(yy).max()
    xx, yy, xy = xx / x_largest, yy / y_largest, xy / np.sqrt(x_largest * y_largest)
    x_kept, y_kept = np.abs(np.diag(xx)) >= epsilon, np.abs(np.diag(yy)) >= epsilon
    xx, yy, xy = xx[x_kept][:, x_kept], yy[y_kept][:, y_kept], xy[x_kept][:, y_kept]

    def inverse_root(matrix):
        inverse = np.linalg.pinv(matrix + epsilon * np.eye(len(matrix)))
        values, vectors = np.linalg.eigh(inverse)
        return vectors @ np.diag(np.sqrt(values)) @ vectors.T

    coefficients = np.linalg.svd(inverse_root(xx) @ xy @ inverse_root(yy), compute_uv=False)
    leading = next(
        i
        for i in range(len(coefficients) + 1)
        if np.sum(coefficients[:i]) / np.sum(coefficients) >= threshold
    )
    return coefficients, coefficients[:leading].mean()


def planted(generator, samples, shared, own_x, own_y):
    """Two layers with so many directions in common, and their own, mixed."""
    common, x, y = (generator.standard_normal((samples, units)) for units in (shared, own_x, own_y))
    mixed = [np.hstack([common, own]) for own in (x, y)]
    return [layer @ generator.standard_normal((layer.shape[1],) * 2) for layer in mixed]
