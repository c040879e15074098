"""Trace of the Gauss–Newton matrix of the loss, computed exactly instead of by random probes.

Parameters are the weights and biases of networks whose normalizations are folded into them. The
trace is invariant to permuting units, but not to rescaling layers against each other.
"""

from jaxtyping import Float64
from torch import Tensor

from generalization.derivatives.gradient_factors import fisher_moments
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_weights
from generalization.networks.sharing import once
from generalization.samples import TrainInputs, first_samples


@reads_weights
def gauss_newton_trace(
    networks: Networks, train_inputs: TrainInputs, *, train_samples: int = 1000
) -> Float64[Tensor, "networks _"]:
    """Trace of the Gauss–Newton matrix Jᵀ (diag(σ) − σσᵀ) J of the loss at every training sample.

    For the cross-entropy this is the trace of the Fisher information, E_{y~σ} ‖∇ℓ_y‖², which does
    not depend on the labels. With δ_l = ∂f/∂z_l,

        tr = Σ_l ‖(a_{l-1}, 1)‖² tr(δ_lᵀ (diag(σ) − σσᵀ) δ_l).

    Returns:
        R × N traces, in nats per squared unit of the parameters.
    """
    first = first_samples(train_samples, train_inputs)
    return once(fisher_moments, networks, *first).traces
