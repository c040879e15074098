"""Largest eigenvalue of the Gauss–Newton matrix of the loss.

Parameters and invariances are those of ``gauss_newton_trace``.
"""

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh
from torch import Generator, Tensor, nn

from generalization.derivatives.directional_derivatives import (
    directional_derivatives,
    layer_parameters,
)
from generalization.derivatives.gradient_factors import gradient_sum
from generalization.errors import warn_of_no_value
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_weights
from generalization.networks.softmax import softmax
from generalization.samples import TrainInputs, first_samples


@reads_weights
def gauss_newton_eigenvalue(
    networks: Networks,
    train_inputs: TrainInputs,
    generator: Generator,
    *,
    train_samples: int = 1000,
    tolerance: float = 1e-6,
) -> Float64[Tensor, "networks"]:
    """Largest eigenvalue of the mean Gauss–Newton matrix over training samples, by Lanczos.

    The matrix is never formed: a product with a vector is a directional derivative of the logits,
    the curvature of the loss in logit space, and a backward pass.

    Source: this project's own choice: the largest eigenvalue of the Hessian, the sharpness of
    Cohen et al. 2021, with the Gauss–Newton matrix of Schraudolph 2002 in its place, which has
    no negative eigenvalues.

    Args:
        generator: Source of the initial vector, on the CPU, which all networks share.
        tolerance: Relative accuracy of the eigenvalue.

    Returns:
        R eigenvalues, in nats per squared unit of the parameters; NaN where the iteration does not
        converge.
    """
    (inputs,) = first_samples(train_samples, train_inputs)
    if isinstance(networks, nn.Module):
        stacks = [networks]
    else:
        stacks = [networks[[member]] for member in range(len(networks))]
    found = [
        _largest_eigenvalue(network, inputs, generator.clone_state(), tolerance)
        for network in stacks
    ]
    return torch.tensor(found, dtype=torch.float64, device=train_inputs.device)


def _largest_eigenvalue(
    network: Networks, inputs: Tensor, generator: Generator, tolerance: float
) -> float:
    """Return the largest eigenvalue of the Gauss–Newton matrix of one network.

    Raises:
        ArpackError: If the iteration fails at a matrix that is not 0.
    """
    shapes = [layer.shape for layer in layer_parameters(network)]
    sizes = [shape.numel() for shape in shapes]

    def product(vector: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(vector.ravel()).to(inputs).split(sizes)
        direction = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
        _, along = directional_derivatives(network, inputs, direction)
        total = gradient_sum(network, inputs, _curvature_rows, along[0])
        return torch.cat([layer.flatten() for layer in total]).cpu().numpy() / len(inputs)

    count = sum(sizes)
    begin = torch.randn(count, generator=generator, dtype=torch.float64).numpy()
    matrix = LinearOperator((count, count), product, dtype=np.float64)
    try:
        return eigsh(matrix, 1, v0=begin, tol=tolerance, return_eigenvectors=False)[0]
    except ArpackNoConvergence:
        warn_of_no_value("the Lanczos iteration did not converge")
        return float("nan")
    except ArpackError:
        if product(begin).any():
            raise
        return 0.0  # The matrix is 0, as where the logits do not depend on the parameters.


def _curvature_rows(
    logits: Float[Tensor, "*batch classes"], along: Float[Tensor, "*batch classes"]
) -> tuple[Float[Tensor, "*batch 1 classes"], Float64[Tensor, "*batch"]]:
    """Return σ ∘ (h − ⟨σ, h⟩), the Hessian in logit space times a change h, and the scale 1."""
    probabilities, along = softmax(logits), along.double()
    rows = probabilities * (along - (probabilities * along).sum(-1, keepdim=True))
    return rows.unsqueeze(-2).to(logits.dtype), rows.new_ones(rows.shape[:-1])
