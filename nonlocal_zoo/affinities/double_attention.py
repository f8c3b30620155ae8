"""Gather, then distribute."""

from __future__ import annotations

from torch import Tensor

from ..operators import Dense, GraphOperator, Product, Structure
from ..precision import at_least_float32
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .pair import PairAffinity


@AFFINITIES.register("double_attention")
class DoubleAttention(PairAffinity):
    """A = V G', of rank c: gather G = softmax over nodes of phi(x), distribute
    V = softmax over the c channels of theta(x). Rows sum to one.

    Efficient attention (Shen et al., WACV 2021, Eq. 5: softmax on the rows of Q and on the
    columns of K) is this same point with one head.

    Args:
        channels, inner_channels, bias: of theta and phi.
        symmetrize, normalize: see Affinity.

    Source: Chen et al., "A^2-Nets: Double Attention Networks", NeurIPS 2018, Eq. 5. The SNL
    authors' "a2" has relu in place of both softmaxes, which is relu_dot.
    """

    known = Structure(nonnegative=True, bounded=True, low_rank=True)
    formula = "Σ_k softmax_k(θ(x_i)) softmax_j(φ(x_j))"

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        theta, phi = self.pair(signal)
        distribute = signal.zero_padding(at_least_float32(theta).softmax(2))
        gather = signal.softmax_over_nodes(phi)
        return Product(_rows_sum_to_one(distribute), _rows_sum_to_one(gather.transpose(1, 2)))


def _rows_sum_to_one(matrix: Tensor) -> Dense:
    return Dense(matrix, nonnegative=True, row_stochastic=True)
