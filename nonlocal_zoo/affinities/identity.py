"""No neighbours: what a comparison needs in order to say what mixing the nodes brings."""

from __future__ import annotations

from ..operators import Diagonal, GraphOperator, Identity, Structure
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity


@AFFINITIES.register("identity")
class NoNeighbours(Affinity):
    """A_ij = 1 where i = j, else 0: every node hears itself alone.

    With the adjacency filter it is the block's 1 x 1 convolutions without any mixing of nodes;
    with propagation, no values and no residual, a block that returns its input.

    Args:
        symmetrize, normalize: see Affinity; they change nothing.
    """

    formula = "1 if i = j else 0"

    def __init__(self, symmetrize: bool = False, normalize: str | None = None) -> None:
        super().__init__(symmetrize, normalize, Structure(True, True, True, True, True))

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        x = signal.x
        if signal.mask is None:
            return Identity(x.shape[0], x.shape[1], x.dtype, x.device)
        real = signal.mask.unsqueeze(-1).to(x.dtype)
        return Diagonal(real, nonnegative=True, bounded=True)
