"""Inner products of the features themselves: low rank, no parameters."""

from __future__ import annotations

from ..operators import GraphOperator, LowRank, Structure
from ..registry import AFFINITIES, choose
from ..signal import GraphSignal
from .base import Affinity


@AFFINITIES.register("inner_product")
class InnerProduct(Affinity):
    """A_ij = x_i . x_j, A = X X' of rank C: LatentGNN's A_sim, and A_lap = D^(-1) X X'.

    Args:
        rectify: relu(x) in place of x. Features behind a ReLU stay as they are.
        symmetrize: A is symmetric unless receivers have features of their own.
        normalize: None for A_sim; "rw" for A_lap, the random walk D^(-1) A. It needs
            ``rectify=True``: the paper does not say what D^(-1) is where the inner products of a
            row cancel, so that its degree is zero or negative.

    Raises:
        ValueError: ``normalize`` without ``rectify``.

    Source: Zhang, Yan, He, "LatentGNN", ICML 2019, section 3.1, Eqs. 3 and 4.
    """

    formula = "x_i·x_j"
    nonnegative_with = "rectify"

    def __init__(
        self, rectify: bool = False, symmetrize: bool = False, normalize: str | None = None
    ) -> None:
        choose("normalize", normalize, [None, "sym", "rw"])
        if normalize and not rectify:
            raise ValueError(
                f"affinity 'inner_product': normalize={normalize!r} with rectify=False, where the "
                "inner products of a row may cancel; allowed: rectify=True, or normalize=None"
            )
        super().__init__(symmetrize, normalize, Structure(nonnegative=rectify, low_rank=True))
        self.rectify = rectify

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        rows, columns = (signal.zero_padding(x) for x in (signal.receivers, signal.x))
        if self.rectify:
            rows, columns = rows.relu(), columns.relu()
        operator = LowRank(rows, columns, nonnegative=self.rectify)
        operator.symmetric = signal.receiver is None
        return operator

    def extra_repr(self) -> str:
        return f"rectify={self.rectify}, {super().extra_repr()}"
