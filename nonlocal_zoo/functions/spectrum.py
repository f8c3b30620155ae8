"""Eigenvalues and eigenvectors, and functions of an operator through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..operators import Dense, Diagonal, GraphOperator, LowRank, Regrouped
from ..precision import at_least_float32, without_autocast
from .low_rank import as_low_rank
from .small_matrices import balanced

Functions = Callable[[Tensor], Tensor]  # (...) -> (..., K), each entry by itself


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues and eigenvectors of a symmetric A.

    All that may differ from zero, so that A = Q diag(eigenvalues) Q', if it is ``exact``; else
    those of largest magnitude.

    Attributes:
        eigenvalues: (B, r), rising; without gradient.
        basis: Q, (B, N, r) with orthonormal columns; without gradient.
        residual: (B, r), ||A q - lambda q|| of each pair, where they were iterated: A has an
            eigenvalue at most so far from lambda. None where they are exact to rounding.
    """

    eigenvalues: Tensor
    basis: Tensor
    residual: Tensor | None = None

    @property
    def exact(self) -> bool:
        return self.residual is None

    @property
    def device(self) -> torch.device:
        return self.basis.device

    @without_autocast
    def apply(self, operator: GraphOperator, functions: Functions, rhs: Tensor) -> list[Tensor]:
        """f_1(A) rhs, ..., f_K(A) rhs, exact: f(A) = f(0) (I - Q Q') + Q f(Lambda) Q'.

        The gradient with respect to A is that of the matrix function, finite and right where
        eigenvalues coincide or factors lose rank: not one through eigenvectors, but the
        derivative of f(A) in the direction of A's change E (Daleckii and Krein),
        sum_ij f[l_i, l_j] q_i q_i' E q_j q_j', with divided differences f[l, l'], which tend to
        f'. It reaches A's own tensors through ``operator.matmul``. It is a first derivative: a
        second one through it is not right.

        Args:
            operator: A, whose spectrum this is.
            functions: f of tensors of eigenvalues, (...) -> (..., K), differentiable.
            rhs: (B, N, C).

        Raises:
            ValueError: this spectrum is not exact.
        """
        if not self.exact:
            raise ValueError(
                f"functions of an operator need all its eigenvalues; these are "
                f"{self.eigenvalues.shape[1]} of {self.basis.shape[1]}. "
                "Allowed: exact_spectrum(operator)"
            )
        q, rhs = self.basis, at_least_float32(rhs)
        rhs = rhs.to(torch.promote_types(q.dtype, rhs.dtype))
        q = q.to(rhs.dtype)
        inside = q.mT @ rhs
        at_zero = functions(self.eigenvalues.new_zeros(()))  # (K,)
        gains = functions(self.eigenvalues) - at_zero  # (B, r, K)
        values = [
            zero * rhs + q @ (gain.unsqueeze(-1) * inside)
            for zero, gain in zip(at_zero.unbind(-1), gains.unbind(-1), strict=True)
        ]
        if not torch.is_grad_enabled():
            return values
        slopes = self._derivative(operator, functions, q, inside.detach(), rhs.detach())
        # Each slope is linear in A: its value does not count, its gradient does.
        return [y + (s - s.detach()) for y, s in zip(values, slopes, strict=True)]

    def _derivative(
        self, operator: GraphOperator, functions: Functions, q: Tensor, inside: Tensor, rhs: Tensor
    ) -> list[Tensor]:
        """The derivative of f_k(A) rhs in the direction E = A, as a function of that E alone."""
        eigenvalues = self.eigenvalues
        outside = rhs - q @ inside
        image = operator.matmul(torch.cat([q, outside], dim=-1))  # E Q, E (I - Q Q') rhs
        projected = q.mT @ image
        sizes = [q.shape[-1], rhs.shape[-1]]
        to_q, to_outside = projected.split(sizes, dim=-1)
        off_q, off_outside = (image - q @ projected).split(sizes, dim=-1)
        zero = torch.zeros_like(eigenvalues)
        among = divided_difference(functions, eigenvalues[:, :, None], eigenvalues[:, None, :])
        to_zero = divided_difference(functions, eigenvalues, zero)
        at_zero = divided_difference(functions, zero[:, :1], zero[:, :1])
        slopes = []
        for pair, single, rest in zip(among, to_zero, at_zero, strict=True):
            single = single.unsqueeze(-1)
            onto = (pair * to_q) @ inside + single * to_outside
            off = off_q @ (single * inside) + rest.unsqueeze(-1) * off_outside
            slopes.append(q @ onto + off)
        return slopes


@torch.no_grad()
def divided_difference(functions: Functions, a: Tensor, b: Tensor) -> Tensor:
    """(f(a) - f(b)) / (a - b), and f' between them where a and b are too near: (K, ...)."""
    middle, gap = (a + b) / 2, a - b
    slope = torch.func.jvp(functions, (middle,), (torch.ones_like(middle),))[1]
    near = gap.abs() < torch.finfo(gap.dtype).eps ** (1 / 3)  # errors of both ways balance here
    quotient = (functions(a) - functions(b)) / torch.where(near, 1, gap).unsqueeze(-1)
    return torch.where(near.unsqueeze(-1), slope, quotient).movedim(-1, 0).contiguous()


@torch.no_grad()
@without_autocast
def exact_spectrum(operator: GraphOperator) -> Spectrum | None:
    """All eigenvalues that may differ from zero; None where no exact way to them is known.

    There is one for symmetric operators of low rank, and for dense and diagonal ones. It carries no
    gradient: eigenvectors have none where eigenvalues coincide. ``Spectrum.apply`` gives functions
    of A with the right one.
    """
    if not operator.symmetric:
        return None
    match operator:
        case Regrouped():
            return exact_spectrum(operator.operator)
        case Diagonal():
            diagonal = at_least_float32(operator.diagonal)
            eye = torch.diag_embed(torch.ones_like(diagonal).squeeze(2))
            return Spectrum(diagonal.squeeze(2), eye)
        case Dense():
            matrix = at_least_float32(operator.matrix)
            return Spectrum(*torch.linalg.eigh((matrix + matrix.mT) / 2))
    thin = as_low_rank(operator)
    return None if thin is None else _of_low_rank(thin)


def _of_low_rank(operator: LowRank) -> Spectrum:
    """Of a symmetric A, whose columns lie in the span Q of L: A = Q (Q' A Q) Q'."""
    left, core, right = balanced(operator)
    basis, triangle = torch.linalg.qr(left)
    small = triangle @ core @ (right.mT @ basis)
    eigenvalues, vectors = torch.linalg.eigh((small + small.mT) / 2)
    return Spectrum(eigenvalues, basis @ vectors)
