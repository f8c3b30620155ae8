"""Few keys: the cells of a spatial pyramid."""

from __future__ import annotations

from collections.abc import Sequence

from ..arguments import Count
from ..layers import Projection
from ..operators import GraphOperator, GridAverage, Softmax, Structure
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity


@AFFINITIES.register("pyramid")
class Pyramid(Affinity):
    """A = softmax(theta(x) (P phi(x))' / sqrt(c)) P, with P averages over the cells of a pyramid.

    N x S times S x N with S about 110: linear in N. Averaging is linear, so that P v is what the
    values are pooled to, and A is square: every filter works on it. Rows sum to one.

    Args:
        channels, inner_channels, bias: of theta and phi, each followed by batch norm and relu.
        sizes: cells along each axis of the grid.
        shared: theta = phi.
        symmetrize, normalize: see Affinity.

    Raises:
        ValueError: the nodes are not those of an image.

    Source: Zhu et al., "Asymmetric Non-local Neural Networks for Semantic Segmentation", ICCV
    2019, Eqs. 6 to 8 (APNB); SNL-Classification/model/nls/anl.py. With receivers of their own
    (``GraphSignal.receiver``, the high-level features) it is AFNB, Eq. 9.
    """

    uses_grid = True
    formula = "softmax(θ(X)(Pφ(X))'/√c) P"

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        sizes: Sequence[Count] = (1, 3, 6, 8),
        shared: bool = True,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__(symmetrize, normalize, Structure(nonnegative=True, bounded=True))

        def embedding() -> Projection:
            return Projection(channels, inner_channels, bias, norm="batch", activation="relu")

        self.phi = embedding()
        self.theta = None if shared else embedding()
        self.sizes, self.scale = tuple(sizes), inner_channels**-0.5

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        phi = theta = self.phi(signal.x)
        if self.theta is not None or signal.receiver is not None:
            theta = (self.theta or self.phi)(signal.receivers)
        grid = signal.grid or ()  # there is one: ``uses_grid``
        pool = GridAverage(phi.shape[0], grid, self.sizes, phi.dtype, phi.device)
        return Softmax(theta * self.scale, pool.matmul(phi)).compose(pool)
