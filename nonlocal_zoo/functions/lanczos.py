"""Eigenpairs of a symmetric operator that can only be applied: by block Lanczos."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from ..operators import GraphOperator, Regrouped, require
from ..precision import without_autocast
from .krylov import default_tolerance
from .spectrum import Spectrum, exact_spectrum


@torch.no_grad()
@without_autocast
def spectrum(
    operator: GraphOperator, count: int = 32, tolerance: float | None = None, steps: int = 50
) -> Spectrum:
    """The exact spectrum where there is one, else the largest eigenvalues by block Lanczos.

    ``exact`` of the result says which; of the second kind, ``residual`` has a bound of the error
    of each eigenvalue.

    Args:
        operator: A, symmetric.
        count: where it iterates, how many eigenvalues, those of largest magnitude; all N if there
            are no more.
        tolerance: where it iterates, of the residuals ||A q - lambda q|| relative to the largest
            |lambda|; None is eps^(2/3): 2.4e-5 in float32, 3.7e-11 in float64.
        steps: where it iterates, at most; a UserWarning says when they did not do.

    Raises:
        ValueError: A is not known to be symmetric, or ``count`` or ``steps`` is below 1.
    """
    require(operator, ("square", "symmetric"), "the spectrum")
    check_counts(count=count, steps=steps)
    if isinstance(operator, Regrouped):
        return spectrum(operator.operator, count, tolerance, steps)
    return exact_spectrum(operator) or block_lanczos(operator, count, tolerance, steps)


def check_counts(**numbers: int) -> None:
    """Raises ValueError for a number below 1."""
    for field, value in numbers.items():
        if value < 1:
            raise ValueError(f"{field}={value!r}; allowed: an int >= 1")


def outside(basis: Tensor, vectors: Tensor) -> Tensor:
    """The part of (B, N, p) that is orthogonal to a basis (B, N, r); twice is enough."""
    for _ in range(2):
        vectors = vectors - basis @ (basis.mT @ vectors)
    return vectors


def block_lanczos(
    operator: GraphOperator, count: int, tolerance: float | None, steps: int
) -> Spectrum:
    """The ``count`` eigenvalues of largest magnitude of a symmetric A, with eigenvectors.

    Blocks V_0 (random, from a fixed seed), V_1, ... of ``count`` columns are an orthonormal basis
    V of span{V_0, A V_0, A^2 V_0, ...}, and the eigenpairs (l, s) of V' A V give those of A: l and
    V s, with ||A V s - l V s|| = ||B s_last||, B = V_j+1' A V_j. As wide as ``count``, the basis
    holds a repeated eigenvalue as often as it is asked for. Every block is orthogonalised against
    all before it; where A maps it into their span a random direction takes the place of what is
    missing, until the basis is all of R^N.

    Memory: O(steps count N), none of it N x N unless ``count`` is near N.

    Args:
        operator: A, symmetric.
        count, tolerance, steps: see ``spectrum``.

    Source: Golub and Underwood, "The block Lanczos method for computing eigenvalues",
    Mathematical Software III (1977); the residual of a Ritz pair: Parlett, "The Symmetric
    Eigenvalue Problem" (1980), section 13.2.
    """
    batch, nodes, _ = operator.shape
    dtype = torch.promote_types(operator.dtype, torch.float32)
    tolerance, width = tolerance or default_tolerance(dtype), min(count, nodes)
    rounding = 10 * torch.finfo(dtype).eps  # relative to the largest eigenvalue
    generator = torch.Generator().manual_seed(0)

    def random(columns: int) -> Tensor:
        drawn = torch.randn(batch, nodes, columns, generator=generator, dtype=dtype)
        return drawn.to(operator.device)

    block, _ = torch.linalg.qr(random(width))
    basis, projected = block[..., :0], block.new_zeros(batch, 0, 0)
    reached = False
    for _ in range(steps):
        image = operator.matmul(block)
        basis = torch.cat([basis, block], dim=2)
        projected = _border(projected, basis.mT @ image)
        eigenvalues, vectors = torch.linalg.eigh(projected)
        size = eigenvalues.abs().amax(1, keepdim=True)
        largest = eigenvalues.abs().topk(width, dim=1).indices.sort(dim=1).values
        eigenvalues = eigenvalues.gather(1, largest)
        vectors = vectors.gather(2, largest.unsqueeze(1).expand(-1, vectors.shape[1], -1))
        last, free = block.shape[2], nodes - basis.shape[2]
        block = _next(basis, image, random(min(width, free)), rounding * size)
        coupling = block.mT @ image
        bound = torch.linalg.vector_norm(coupling @ vectors[:, -last:], dim=1)
        reached = free == 0 or bool((bound <= tolerance * size).all())
        if reached:
            break
    q = basis @ vectors
    residual = torch.linalg.vector_norm(operator.matmul(q) - q * eigenvalues.unsqueeze(1), dim=1)
    if not reached:
        warnings.warn(
            f"{count} eigenvalues: {steps} steps of block Lanczos did not reach residuals of "
            f"{tolerance:.1e} of the largest; the largest residual is {residual.max():.1e}",
            stacklevel=4,
        )
    return Spectrum(eigenvalues, q, residual)


def _border(matrix: Tensor, columns: Tensor) -> Tensor:
    """A symmetric (B, n, n) with p more columns (B, n + p, p), and rows: (B, n + p, n + p)."""
    n = matrix.shape[1]
    above, corner = columns[:, :n], columns[:, n:]
    left = torch.cat([matrix, above.mT], dim=1)
    return torch.cat([left, torch.cat([above, (corner + corner.mT) / 2], dim=1)], dim=2)


def _next(basis: Tensor, image: Tensor, spare: Tensor, floor: Tensor) -> Tensor:
    """An orthonormal basis of what ``image`` has outside ``basis``, filled up from ``spare``.

    Args:
        basis, image, spare: (B, N, r), (B, N, p), (B, N, q) with q <= p; the result is as spare.
        floor: (B, 1), of singular values; what is below is rounding.
    """
    u, size, _ = torch.linalg.svd(outside(basis, image), full_matrices=False)
    kept, size = u[..., : spare.shape[2]], size[:, : spare.shape[2]]
    filled = torch.where((size > floor).unsqueeze(1), kept, spare)
    return torch.linalg.qr(outside(basis, filled))[0]
