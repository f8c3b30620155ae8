"""How the eigenvalues of an operator are spread, without computing them one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operators import GraphOperator, Regrouped
from ..precision import without_autocast
from .lanczos import check_counts, outside, spectrum
from .spectrum import Spectrum


@dataclass(frozen=True)
class Density:
    """Density of states (1 / N) sum_i delta(x - lambda_i), as weights at points.

    Attributes:
        points: (B, n).
        weights: (B, n), they sum to one.
        nodes: N.
    """

    points: Tensor
    weights: Tensor
    nodes: int

    def trace(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """sum_i f(lambda_i), of an f of each entry by itself: (B,)."""
        return self.nodes * (self.weights * function(self.points)).sum(1)

    def histogram(self, edges: Tensor) -> Tensor:
        """How many eigenvalues lie in each bin [edges_k, edges_k+1), the last one closed.

        Args:
            edges: (n + 1,), rising.

        Returns:
            (B, n), of floats: they are estimates where the density is one.
        """
        inside = (self.points >= edges[0]) & (self.points <= edges[-1])
        bins = (torch.bucketize(self.points, edges, right=True) - 1).clamp(0, len(edges) - 2)
        counts = self.weights.new_zeros(len(self.points), len(edges) - 1)
        return self.nodes * counts.scatter_add(1, bins, self.weights * inside)


@torch.no_grad()
@without_autocast
def density(operator: GraphOperator, count: int = 32, probes: int = 8, steps: int = 64) -> Density:
    """How all N eigenvalues are spread, for histograms and traces of functions of A.

    Exact where the spectrum is. Else ``count`` eigenvalues as of ``spectrum``, and stochastic
    Lanczos quadrature for the N - count others: ``probes`` random vectors of ``steps`` steps.

    Raises:
        ValueError: A is not known to be symmetric, or a number is below 1.
    """
    check_counts(count=count, probes=probes, steps=steps)
    if isinstance(operator, Regrouped):
        return density(operator.operator, count, probes, steps)
    known = spectrum(operator, count)
    if known.exact:
        return exact_density(known)
    return estimated_density(operator, known, probes, steps)


def exact_density(spectrum: Spectrum) -> Density:
    """All that the spectrum does not list is zero."""
    values, nodes = spectrum.eigenvalues, spectrum.basis.shape[1]
    weights = torch.full_like(values, 1 / nodes)
    rest = torch.full_like(values[:, :1], 1 - values.shape[1] / nodes)
    return Density(F.pad(values, (0, 1)), torch.cat([weights, rest], dim=1), nodes)


def estimated_density(operator: GraphOperator, known: Spectrum, probes: int, steps: int) -> Density:
    """The known eigenvalues, and stochastic Lanczos quadrature for all others.

    On the space orthogonal to the known eigenvectors, of dimension n = N - k: for random vectors
    v there (signs, projected, of unit length; fixed seed) the Gauss quadrature of v' f(A) v has
    the eigenvalues of Lanczos's tridiagonal T as points and the squared first entries of its
    eigenvectors as weights; (n / N) times their mean over the vectors estimates the density. It is
    exact for polynomials up to degree 2 steps - 1 but for the spread of v' f(A) v over the v,
    which falls with 1 / sqrt(probes). Known eigenvalues have no error.

    Memory: O(probes steps N).

    Args:
        operator: A, symmetric.
        known: some eigenpairs of A.
        probes: how many v.
        steps: of Lanczos's iteration.

    Source: Lin, Saad and Yang, "Approximating spectral densities of large matrices", SIAM Review
    58 (2016), section 3.2.1; Ubaru, Chen and Saad, "Fast estimation of tr(f(A)) via stochastic
    Lanczos quadrature", SIAM J. Matrix Anal. Appl. 38 (2017).
    """
    batch, nodes, count = known.basis.shape
    left = nodes - count
    share = torch.full_like(known.eigenvalues, 1 / nodes)
    if left == 0:
        return Density(known.eigenvalues, share, nodes)
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (batch, nodes, probes), generator=generator).to(known.basis)
    start = F.normalize(outside(known.basis, 2 * signs - 1), dim=1)
    points, weights = _quadrature(operator, start, min(steps, left))
    return Density(
        torch.cat([known.eigenvalues, points.flatten(1)], dim=1),
        torch.cat([share, left / nodes / probes * weights.flatten(1)], dim=1),
        nodes,
    )


def _quadrature(operator: GraphOperator, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Points and weights (B, P, steps) for each column of ``start`` (B, N, P).

    A column whose Krylov space is exhausted goes on as zero or as rounding: T is then that of the
    space and a block beside it, whose eigenvectors have no first entry and so no weight.
    """
    batch, nodes, probes = start.shape
    past = start.new_zeros(batch, probes, nodes, steps)
    tridiagonal = start.new_zeros(batch, probes, steps, steps)
    now = start
    for k in range(steps):
        past[..., k] = now.mT
        image = operator.matmul(now)
        tridiagonal[..., k, k] = (now * image).sum(1)
        rest = outside(past[..., : k + 1], image.mT.unsqueeze(3)).squeeze(3).mT
        beta = torch.linalg.vector_norm(rest, dim=1)
        now = rest / torch.where(beta > 0, beta, 1).unsqueeze(1)
        if k + 1 < steps:
            tridiagonal[..., k, k + 1] = tridiagonal[..., k + 1, k] = beta
    points, vectors = torch.linalg.eigh(tridiagonal)
    return points, vectors[..., 0, :] ** 2
