"""Functions that are affine in none of the features they are given, or not in several together.

Features are tensors that a module computes from its inputs. A module that bends them by such a
function, as by a gate a σ(b), has hidden layers that its activation functions do not show.

Args:
    arguments: Positional arguments of a call, in lists or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

# Not affine in a feature; what numpy makes of one is not seen.
CURVED = {
    *("abs", "clamp", "clamp_max", "clamp_min", "clip", "cos", "fmax", "fmin", "maximum"),
    *("minimum", "sin", "gt", "ge", "lt", "le", "array", "numpy"),
    *("acos", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cosh", "erf", "erfc", "exp"),
    *("exp2", "expm1", "floor", "fmod", "frac", "log", "log10", "log1p", "log2", "logaddexp"),
    *("logit", "rdiv", "reciprocal", "remainder", "round", "rpow", "rsqrt", "rtruediv", "sgn"),
    *("sign", "sinc", "sinh", "sqrt", "square", "tan", "trunc", "amax", "amin", "cummax"),
    *("cummin", "kthvalue", "logcumsumexp", "logsumexp", "max", "median", "min", "msort", "sort"),
    *("cumprod", "prod", "topk", "glu", "log_softmax", "softmax", "softmin", "lp_pool1d"),
    *("lp_pool2d", "lp_pool3d", "gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu"),
    *("rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell", "multi_head_attention_forward"),
    *("scaled_dot_product_attention", "argmax", "argmin", "argsort", "heaviside"),
    *("bucketize", "cdist", "corrcoef", "cosine_similarity", "cov", "dist", "hypot", "matrix_norm"),
    *("mode", "nanmedian", "nanquantile", "norm", "pairwise_distance", "pdist", "polar"),
    *("quantile", "renorm", "searchsorted", "std", "std_mean", "var", "var_mean", "vector_norm"),
    *(
        "absolute",
        "aminmax",
        "angle",
        "arccos",
        "arcsin",
        "arcsinh",
        "arctan",
        "arctan2",
        "arctanh",
    ),
    *("copysign", "digamma", "erfinv", "fix", "floor_divide", "frexp", "greater", "greater_equal"),
    *("i0", "less", "less_equal", "lgamma", "mvlgamma", "polygamma", "igamma", "igammac"),
    *("cond", "geqrf", "lstsq", "lu", "lu_factor", "lu_factor_ex", "norm_except_dim"),
    *("nuclear_norm", "pinv", "pinverse", "qr", "svd", "svdvals", "vander", "_powsum"),
    *("cholesky", "cholesky_ex", "det", "eig", "eigh", "eigvals", "eigvalsh", "inv", "inv_ex"),
    *("inverse", "logdet", "matrix_exp", "matrix_power", "slogdet", "solve", "gumbel_softmax"),
    *("binary_cross_entropy_with_logits", "cross_entropy", "hinge_embedding_loss"),
    *("multilabel_soft_margin_loss", "soft_margin_loss", "log_sigmoid_forward"),
    *("floordiv", "frobenius_norm", "mod", "rfloordiv", "rmod"),
}
# Affine in one feature, but not in two.
PRODUCTS = {
    *("addbmm", "addcmul", "addmm", "addmv", "baddbmm", "bilinear", "bmm", "chain_matmul"),
    *("conv1d", "conv2d", "conv3d", "cross", "dot", "einsum", "imatmul", "imul", "inner", "kron"),
    *("linear", "matmul", "mm", "mul", "multiply", "mv", "outer", "rmatmul", "rmul", "tensordot"),
    *("cumulative_trapezoid", "multi_dot", "trapezoid", "trapz", "vdot", "vecdot"),
}
QUOTIENTS = {"addcdiv", "div", "divide", "itruediv", "true_divide", "truediv", "ldexp"}
POWERS = {"float_power", "ipow", "pow"}
# A tensor like a feature is none.
NEW = ("_like", "new_empty", "new_full", "new_ones", "new_tensor", "new_zeros")


def bends(name: str, arguments: tuple[Any, ...], is_feature: Callable[[Any], bool]) -> bool:
    """Return whether a function is not affine in its features.

    Args:
        name: Name of the function, or of the method of tensors.
        is_feature: Tells whether an argument is a feature.
    """
    name = name.strip("_").removeprefix("linalg_")
    features = list(filter(is_feature, leaves(arguments)))
    if name in CURVED or name.startswith("special_"):
        return bool(features)
    if name == "lerp":
        return any(map(is_feature, arguments[2:])) and len(features) > 1
    if name in PRODUCTS:
        return len(features) > 1
    if name in QUOTIENTS:
        return any(map(is_feature, arguments[1:]))
    if name in POWERS:
        return bool(features) and arguments[1:2] not in {(1,), (1.0,)}
    # Which of two features is chosen bends them; a node of a traced module has no type.
    return name == "where" and any(
        getattr(one, "dtype", None) in {torch.bool, None} for one in features
    )


def leaves(values: Any) -> Iterator[Any]:
    """Yield what lists, tuples and dictionaries hold."""
    if isinstance(values, dict):
        values = tuple(values.values())
    if isinstance(values, list | tuple):
        for value in values:
            yield from leaves(value)
    else:
        yield values


def mark_results(name: str, arguments: tuple[Any, ...], found: Any) -> None:
    """Mark what a function makes of features, or writes them to, as features.

    Args:
        name: Name of the function.
        found: Its result.
    """
    if not name.endswith(NEW) and any(map(is_feature, leaves(arguments))):
        for one in leaves((found, arguments[:1] if writes(name) else ())):
            mark_feature(one)


def writes(name: str) -> bool:
    """Return whether a function of this name writes to its first argument."""
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def mark_feature(value: Any) -> None:
    """Mark a tensor as a feature."""
    if isinstance(value, Tensor):
        value._is_feature = True


def is_feature(value: Any) -> bool:
    """Return whether a tensor was marked."""
    return isinstance(value, Tensor) and getattr(value, "_is_feature", False)
