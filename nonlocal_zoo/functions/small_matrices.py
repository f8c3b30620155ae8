"""Functions of low-rank operators through matrices of the rank's size.

f(L K R') = f(0) I + L f_1(X) K R' with X = K R' L (r x r) and f_1(x) = (f(x) - f(0)) / x: a
multiple of the identity plus low rank, with the same factors. Nothing that may be singular is
inverted and no eigenvector is differentiated, so that gradients hold for any rank and for
eigenvalues that coincide.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..operators import GraphOperator, LowRank
from ..precision import at_least_float32


def as_factor(value: float | Tensor, operator: GraphOperator) -> Tensor:
    """A number or tensor as (1 | B, 1, 1), in float32 or better, on the operator's device.

    Raises:
        ValueError: neither one value nor one per graph.
    """
    dtype = torch.promote_types(operator.dtype, torch.float32)
    factor = torch.as_tensor(value, dtype=dtype, device=operator.device)
    if factor.numel() not in (1, operator.shape[0]):
        raise ValueError(
            f"factor has shape {tuple(factor.shape)}; allowed: one value, or one per graph "
            f"({operator.shape[0]}, 1, 1)"
        )
    return factor.reshape(-1, 1, 1)


def balanced(operator: LowRank) -> tuple[Tensor, Tensor, Tensor]:
    """L, K (B, r, s), R of the same operator, with columns of unit length in L and R.

    L K R' = (L / l) (l K r) (R / r)' for any l and r: with these, embeddings of different scale
    leave the small matrices well conditioned.
    """
    left, left_length = _unit_columns(operator.left)
    right, right_length = left, left_length
    if operator.right is not operator.left:
        right, right_length = _unit_columns(operator.right)
    core = operator.core_matrix().to(left.dtype)
    return left, left_length.transpose(1, 2) * core * right_length, right


def _unit_columns(factor: Tensor) -> tuple[Tensor, Tensor]:
    """A factor with columns of unit length, and the lengths (B, 1, r) as constants; 1 for 0."""
    factor = at_least_float32(factor)
    length = torch.linalg.vector_norm(factor.detach(), dim=1, keepdim=True)
    length = torch.where(length > 0, length, 1)
    return factor / length, length
