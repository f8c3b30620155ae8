"""The exponential of a small matrix, divided by the matrix."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Of a graph for all values: enough for t ||X|| up to 2^23, which is a time of 1e6 and 64 columns
# of unit length. There the time stops.
TRACED_DOUBLINGS = 23


def _doublings(x: Tensor, t: Tensor) -> int:
    """The least m with t / 2^m ||X|| <= 1."""
    if torch.compiler.is_compiling():
        return TRACED_DOUBLINGS
    size = 1.0  # the meta device has no values
    if not x.is_meta:
        size = float((t.detach() * _norm(x)).max())
    return max(0, math.ceil(math.log2(size))) if math.isfinite(size) and size > 0 else 0


def _norm(x: Tensor) -> Tensor:
    """||X|| of each (B, 1, 1), the largest sum of a column, at least 1."""
    return x.detach().abs().sum(1, keepdim=True).amax(2, keepdim=True).clamp(min=1)


def decayed_phi(x: Tensor, t: Tensor) -> Tensor:
    """F(t) = e^(-t) (e^(t X) - I) X^(-1), also where X has no inverse: (B, r, r) -> (B, r, r).

    A Taylor series at u = t / 2^m, where u ||X|| <= 1 makes it exact to rounding after few
    terms; then m times F(2u) = (e^(-u) e^(u X) + e^(-u) I) F(u), e^(-u) e^(u X) =
    e^(-u) I + X F(u). Two products a doubling, and none of them overflows while the eigenvalues
    of X are at most 1. (torch.linalg.matrix_exp of [[X, I], [0, 0]] has F in it as well; its
    backward pass takes matrices four times as wide as X.)

    Args:
        x: X.
        t: (1 | B, 1, 1), >= 0; in a traced graph at most 2^23 / ||X||, which it is cut to.
    """
    doublings = _doublings(x, t)
    if torch.compiler.is_compiling():
        t = torch.minimum(t, 2**doublings / _norm(x))
    u = t / 2**doublings
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    terms = 1
    while 1 / math.factorial(terms + 1) > torch.finfo(x.dtype).eps / 4:
        terms += 1
    series = u**terms / math.factorial(terms) * eye
    for k in range(terms - 1, 0, -1):  # sum_k u^k / k! X^(k-1), from the last term
        series = u**k / math.factorial(k) * eye + x @ series
    result = (-u).exp() * series
    for _ in range(doublings):
        decay = (-u).exp() * eye
        result = (2 * decay + x @ result) @ result
        u = 2 * u
    return result
