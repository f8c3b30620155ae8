"""Low rank with factors that are made a block of nodes at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from ..tracing import known_size
from .base import Cost, GraphOperator
from .chain import chain_matmul
from .choice import Choice
from .known import known_product
from .low_rank import LowRank
from .node_factor import NodeFactor


class NodeLowRank(GraphOperator):
    """A = L K R' like LowRank, of factors that are made in blocks of nodes.

    Args:
        left: L.
        core: K (B, r, s).
        right: R.
        nonnegative: what the caller knows of A.
        gathered: (x, R' x), see LowRank.
    """

    def __init__(
        self,
        left: NodeFactor,
        core: Tensor,
        right: NodeFactor,
        nonnegative: bool = False,
        gathered: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__((left.batch, left.size, right.size), core.dtype, core.device)
        self.left, self.core, self.right, self.nonnegative = left, core, right, nonnegative
        self.gathered = gathered

    def matmul(self, rhs: Tensor) -> Tensor:
        self.check_rhs(rhs)
        dtype = torch.promote_types(self.dtype, rhs.dtype)
        if dtype == torch.float16:  # as LowRank
            dtype = torch.float32
        gathered = known_product(self.gathered, rhs)
        if gathered is None:
            gathered = self.right.gather(rhs.to(dtype))
        few = chain_matmul(self.core.to(dtype), gathered.to(dtype))
        return self.left.distribute(few).to(dtype)

    def transpose(self) -> GraphOperator:
        return NodeLowRank(self.right, self.core.mT, self.left, self.nonnegative)

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        if rows.shape[1] == columns.shape[1] == 1:  # numbers: the core takes them
            core = (rows * columns * self.core).to(self.dtype)
            return NodeLowRank(self.left, core, self.right, gathered=self.gathered)
        return super().scale(rows, columns)

    def low_rank(self) -> LowRank:
        left = self.left.form()
        right = left if self.right is self.left else self.right.form()
        return LowRank(left, right, self.core, self.symmetric, self.nonnegative, self.bounded)

    def ways(self, channels: int) -> tuple[Choice, ...]:
        multiply_adds, columns = self.cost(channels).multiply_adds, self.left.rank + self.right.rank
        return (
            Choice("L (K (R' z)), L and R in blocks", multiply_adds, columns * channels, True),
            Choice("L (K (R' z))", multiply_adds, columns * known_size(self.left.size), False),
        )

    def cost(self, channels: int) -> Cost:
        _, rows, columns = self.known_shape
        through = rows * self.left.rank + columns * self.right.rank
        core = self.left.rank * self.right.rank
        size = self.core.element_size()
        return Cost((through + core) * channels, size * (rows + columns) * channels)
