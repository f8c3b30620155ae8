"""Softmax of plain dot products: no parameters."""

from __future__ import annotations

from ..layers import GridPool
from ..operators import GraphOperator, Softmax, Structure
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity


@AFFINITIES.register("gaussian")
class Gaussian(Affinity):
    """A_ij = softmax_j(x_i . x_j): row-stochastic, streamed in O(N) memory.

    Args:
        subsample: keys max-pooled by 2 along each image axis.
        symmetrize, normalize: see Affinity.

    Source: Wang et al., "Non-local Neural Networks", CVPR 2018, Eq. 2.
    """

    formula = "softmax_j(x_i·x_j)"

    def __init__(
        self, subsample: bool = False, symmetrize: bool = False, normalize: str | None = None
    ) -> None:
        square = not subsample
        super().__init__(symmetrize, normalize, Structure(square, nonnegative=True, bounded=square))
        self.pool = GridPool() if subsample else None

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        keys = signal.x if self.pool is None else self.pool(signal.x, signal.grid)
        key_mask = signal.mask if self.pool is None else None
        return Softmax(signal.receivers, keys, row_mask=signal.mask, key_mask=key_mask)
