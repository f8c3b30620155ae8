"""The k nearest nodes in space."""

from __future__ import annotations

import torch
from torch import Tensor

from ..arguments import Count, Positive
from ..kernels import rows_at_once
from ..operators import GraphOperator, Sparse
from ..precision import at_least_float32
from ..registry import AFFINITIES
from ..signal import GraphSignal
from ..tracing import has_values
from .base import Affinity


@AFFINITIES.register("knn")
class NearestInSpace(Affinity):
    """A_ij = exp(-|p_i - p_j|^2 / (2 sigma^2)), or 1, for the k nodes j != i nearest to i, else 0.

    p are ``GraphSignal.pos``, or the cells of a picture. All nodes as near as the k-th count, so
    that A does not depend on the order of the nodes. The search compares all pairs, a block of
    rows at a time; for clouds of a hundred thousand points give the edges of a tree search to the
    affinity "graph".

    Positions may be of any dtype but bool and complex ones. Integers are compared as float64, half
    precision as float32.

    Args:
        neighbours: k; graphs with fewer nodes use all of them.
        sigma: in the units of p; None is a weight of 1.
        symmetrize, normalize: see Affinity.

    Raises:
        ValueError: the signal has neither positions nor a grid; positions of another shape, dtype
            or device; on a CPU, a real node that is nowhere; neighbours < 1 or sigma <= 0.
    """

    uses_places = True
    formula = "exp(-|p_i - p_j|²/2σ²) for the k nearest j"

    def __init__(
        self,
        neighbours: Count = 16,
        sigma: Positive | None = None,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__(symmetrize, normalize)
        self.neighbours, self.sigma = neighbours, sigma

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        batch, nodes, _ = signal.x.shape
        pos = signal.pos
        if pos is None:
            if signal.grid is None:
                raise ValueError("pos=None; NearestInSpace needs (B, N, D) positions or a grid")
            pos = cells(signal.grid, at_least_float32(signal.x)).expand(batch, -1, -1)
        dtype = torch.promote_types(pos.dtype, signal.x.dtype)
        pos = _checked(pos, signal)
        graph, row, column = edges = self._search(pos, signal.mask)
        squared = (pos[graph, row] - pos[graph, column]).square().sum(1)
        squared = squared.to(torch.promote_types(dtype, torch.float32))
        weights = torch.ones_like(squared)
        if self.sigma is not None:
            weights = (squared / (-2 * self.sigma**2)).exp()
        return Sparse(edges, weights, (batch, nodes, nodes), nonnegative=True)

    @torch.no_grad()
    def _search(self, pos: Tensor, mask: Tensor | None) -> Tensor:
        """(3, E) edges."""
        pos = pos.double()  # distances that are equal stay so
        batch, nodes, _ = pos.shape
        count = min(self.neighbours, nodes - 1)
        if count == 0:
            return torch.empty(3, 0, dtype=torch.long, device=pos.device)
        found, step = [], rows_at_once(batch, nodes)
        for first in range(0, nodes, step):
            block = pos[:, first : first + step]
            far = torch.cdist(block, pos, compute_mode="donot_use_mm_for_euclid_dist")
            itself = torch.arange(block.shape[1], device=pos.device)
            far[:, itself, first + itself] = torch.inf
            if mask is not None:
                far = far.masked_fill(~mask.unsqueeze(1), torch.inf)
            last = far.topk(count, dim=2, largest=False).values[..., -1:]
            near = (far <= last) & far.isfinite()
            if mask is not None:
                near &= mask[:, first : first + step, None]
            found.append(near.nonzero().T + torch.tensor([[0], [first], [0]], device=pos.device))
        return torch.cat(found, dim=1)


def _checked(pos: Tensor, signal: GraphSignal) -> Tensor:
    """In a dtype whose differences and squares are right, and 0 for padded nodes."""
    fits = pos.dim() == 3 and pos.shape[:2] == signal.x.shape[:2] and pos.shape[2] > 0
    number = not (pos.is_complex() or pos.dtype == torch.bool)
    if not (fits and number and pos.device == signal.x.device):
        raise ValueError(
            f"pos has shape {tuple(pos.shape)} and dtype {pos.dtype}, on {pos.device}; allowed: "
            f"({signal.x.shape[0]}, {signal.x.shape[1]}, D), real numbers, on {signal.x.device}"
        )
    pos = at_least_float32(pos) if pos.is_floating_point() else pos.double()
    pos = signal.zero_padding(pos)
    if has_values(pos) and not pos.isfinite().all():
        graph, node = (~pos.isfinite().all(2)).nonzero()[0].tolist()
        raise ValueError(
            f"pos of node {node} of graph {graph} is {pos[graph, node].tolist()}; allowed: finite"
        )
    return pos


def cells(grid: tuple[int, ...], like: Tensor) -> Tensor:
    """(N, D) coordinates of the cells of a grid, in its units."""
    axes = [torch.arange(n, dtype=like.dtype, device=like.device) for n in grid]
    return torch.cartesian_prod(*axes).reshape(-1, len(grid))
