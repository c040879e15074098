"""Trace of the Gauss–Newton matrix of the loss, exact unless there are many classes.

Parameters are the weights and biases of networks whose normalizations are folded into them. The
trace is invariant to permuting units, but not to rescaling layers against each other.
"""

from jaxtyping import Float64
from torch import Generator, Tensor

from generalization.derivatives.fisher_sketch import fisher_traces
from generalization.derivatives.gradient_factors import fisher_moments
from generalization.derivatives.row_counts import ROWS
from generalization.derivatives.row_sketch import Rows, told_mean
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_weights
from generalization.networks.sharing import once
from generalization.samples import TrainInputs, first_samples


@reads_weights
def gauss_newton_trace(
    networks: Networks,
    train_inputs: TrainInputs,
    *,
    generator: Generator | None = None,
    train_samples: int = 1000,
    rows: int | str = ROWS,
) -> Float64[Tensor, "networks _"]:
    """Trace of the Gauss–Newton matrix Jᵀ (diag(σ) − σσᵀ) J of the loss at every training sample.

    For the cross-entropy this is the trace of the Fisher information, E_{y~σ} ‖∇ℓ_y‖², which does
    not depend on the labels. With δ_l = ∂f/∂z_l,

        tr = Σ_l ‖(a_{l-1}, 1)‖² tr(δ_lᵀ (diag(σ) − σσᵀ) δ_l).

    Source: this project's own choice, because it is exact and needs no labels; the matrix is
    that of Schraudolph 2002.

    Args:
        generator: Source on the CPU of random rows; the traces are exact without one.
        rows: Number of rows of a root of diag(σ) − σσᵀ, one backward pass each, that are drawn at
            every sample of a module with more than 128 classes; ``all`` for exact traces.

    Returns:
        R × N traces, in nats per squared unit of the parameters.
    """
    (first,) = first_samples(train_samples, train_inputs)
    drawn = fisher_traces(networks, first, Rows(rows, generator))
    return told_mean(drawn) if drawn else once(fisher_moments, networks, first).traces
