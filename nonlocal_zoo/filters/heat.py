"""Diffusion for a learnt time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..arguments import Count, Time
from ..functions import heat_kernel
from ..operators import GraphOperator
from ..registry import FILTERS
from .base import LinearFilter


@FILTERS.register("heat")
class Heat(LinearFilter):
    """y = exp(-t (I - A)) z W + b with a learnt time t = exp(log_time) > 0.

    The state at time t of dz/dt = -(I - A) z; a low pass. Exact where A has low rank, otherwise
    a series, see ``heat_kernel``.

    Args:
        in_channels, out_channels, bias: of W and b.
        time: t at the start, > 0.

    Raises:
        ValueError: ``time`` is not positive; A is not known to have a spectral radius of at most
            1, and heat then may grow without limit.

    Source: Kondor, Lafferty, "Diffusion Kernels on Graphs and Other Discrete Structures", ICML
    2002, Eq. 5, with the normalised Laplacian; Klicpera et al., "Diffusion Improves Graph
    Learning", NeurIPS 2019, Eq. 1 with its heat coefficients.
    """

    needs = ("square", "bounded")
    formula = "exp(-t (I - A)) z W"

    def __init__(
        self, in_channels: Count, out_channels: Count, bias: bool = True, time: Time = 1.0
    ) -> None:
        if not time > 0:
            raise ValueError(f"time={time!r}; allowed: a number > 0")
        super().__init__(in_channels, out_channels, terms=1, bias=bias)
        self.time = time
        self.log_time = nn.Parameter(torch.empty(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        with torch.no_grad():
            self.log_time.fill_(self.time).log_()

    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        yield heat_kernel(operator, self.log_time.exp()).matmul(z)

    def basis(self, eigenvalues: Tensor) -> Tensor:
        return (self.log_time.exp() * (eigenvalues - 1)).exp().unsqueeze(-1)
