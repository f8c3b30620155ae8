"""Functions, sums and products of low-rank operators, through small matrices.

f(L K R') = f(0) I + L f_1(X) K R' with X = K R' L (r x r) and f_1(x) = (f(x) - f(0)) / x: a
multiple of the identity plus low rank, with the same factors. Nothing that may be singular is
inverted and no eigenvector is differentiated, so that gradients hold for any rank and for
eigenvalues that coincide.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..precision import at_least_float32
from .base import GraphOperator
from .chain import chain_matmul
from .dense import Dense
from .diagonal import Diagonal, Identity
from .low_rank import LowRank
from .phi import decayed_phi
from .spectrum import Spectrum


def _unit_columns(factor: Tensor) -> tuple[Tensor, Tensor]:
    """A factor with columns of unit length, and the lengths (B, 1, r) as constants; 1 for 0.

    L K R' = (L / l) (l K r) (R / r)' for any l and r: with these, embeddings of different scale
    leave the small matrices well conditioned.
    """
    factor = at_least_float32(factor)
    length = torch.linalg.vector_norm(factor.detach(), dim=1, keepdim=True)
    length = torch.where(length > 0, length, 1)
    return factor / length, length


def _balanced(operator: LowRank) -> tuple[Tensor, Tensor, Tensor]:
    """L, K (B, r, s), R of the same operator, with unit columns in L and R."""
    left, left_length = _unit_columns(operator.left)
    right, right_length = left, left_length
    if operator.right is not operator.left:
        right, right_length = _unit_columns(operator.right)
    return left, left_length.mT * operator.core_matrix().to(left.dtype) * right_length, right


def resolvent(operator: LowRank, a: Tensor, symmetric: bool) -> GraphOperator:
    """(I - a A)^(-1) = I + L (I - a X)^(-1) a K R' (Woodbury)."""
    if not operator.thin:
        return Dense(operator.to_dense(), symmetric).resolvent(a)
    left, core, right = _balanced(operator)
    small = chain_matmul(core, right.mT, left)
    eye = torch.eye(small.shape[1], dtype=small.dtype, device=small.device)
    rest = LowRank(left, right, torch.linalg.solve(eye - a * small, a * core), symmetric)
    batch, nodes, _ = operator.shape
    return Identity(batch, nodes, left.dtype, left.device) + rest


def heat(operator: LowRank, t: Tensor, symmetric: bool) -> GraphOperator:
    """exp(-t (I - A)) = e^(-t) I + L F(t) K R', F(t) = e^(-t) (e^(t X) - I) X^(-1)."""
    if not operator.thin:
        return Dense(operator.to_dense(), symmetric).heat(t)
    left, core, right = _balanced(operator)
    kernel = decayed_phi(chain_matmul(core, right.mT, left), t) @ core
    decay = (-t).exp().expand(kernel.shape[0], operator.shape[1], 1)
    return Diagonal(decay, nonnegative=True) + LowRank(left, right, kernel, symmetric)


def spectrum(operator: LowRank) -> Spectrum:
    """Of a symmetric A, whose columns lie in the span Q of L: A = Q (Q' A Q) Q'."""
    left, core, right = _balanced(operator)
    basis, triangle = torch.linalg.qr(left)
    small = chain_matmul(triangle, core, right.mT, basis)
    eigenvalues, vectors = torch.linalg.eigh((small + small.mT) / 2)
    return Spectrum(eigenvalues, chain_matmul(basis, vectors))


def product(left: LowRank, right: LowRank) -> LowRank:
    """L_1 (K_1 R_1' L_2 K_2) R_2': the outer factors stay what they are."""
    parts = (left.core_matrix(), left.right.mT, right.left, right.core_matrix())
    dtype = torch.promote_types(torch.promote_types(left.dtype, right.dtype), torch.float32)
    return LowRank(left.left, right.right, chain_matmul(*(part.to(dtype) for part in parts)))


def total(terms: Sequence[LowRank]) -> LowRank:
    """The sum: of the cores where all terms have the same factors, else side by side."""
    first = terms[0]
    if all(term.left is first.left and term.right is first.right for term in terms):
        return LowRank(first.left, first.right, sum(term.core_matrix() for term in terms))
    batch, columns = first.shape[0], sum(term.right.shape[2] for term in terms)
    rows, before = [], 0
    for term in terms:
        core = term.core_matrix().expand(batch, -1, -1)
        after = columns - before - core.shape[2]
        rows.append(F.pad(core, (before, after)))
        before += core.shape[2]
    left = torch.cat([term.left for term in terms], dim=2)
    right = torch.cat([term.right for term in terms], dim=2)
    return LowRank(left, right, torch.cat(rows, dim=1))
