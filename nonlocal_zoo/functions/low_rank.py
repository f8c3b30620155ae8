"""The low-rank form of an operator, where it has one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..operators import Dense, GraphOperator, LowRank, Product, Scaled, Sum
from ..operators.base import Factor
from ..precision import cast, without_autocast


@without_autocast
def as_low_rank(operator: GraphOperator) -> LowRank | None:
    """The same operator as one product of thin factors L K R'; None where it is not known as one.

    Sums and scalings of low-rank operators are low rank, and products as soon as one side is.
    """
    match operator:
        case LowRank():
            return operator
        case Scaled():
            inner = as_low_rank(operator.operator)
            result = inner and _scaled(inner, operator)
        case Sum():
            terms = [as_low_rank(term) for term in operator.terms]
            result = None if None in terms else _total(terms)
        case Product():
            result = _product(operator)
        case _:
            return None
    if result is not None:
        result.symmetric, result.nonnegative = operator.symmetric, operator.nonnegative
        result.bounded = operator.bounded
    return result


def _scaled(inner: LowRank, operator: Scaled) -> LowRank:
    """Numbers go into the core; factors of the nodes go into L and R."""
    left, core, right = inner.left, inner.core, inner.right
    rows, columns, number = operator.rows_alone, operator.column_factors, operator.number
    if _is_number(rows) and _is_number(columns):
        for factor in (rows, columns):
            number = number if factor is None else number * factor
        return LowRank(left, right, cast(number * inner.core_matrix(), inner.dtype))
    if number != 1:
        core = number * inner.core_matrix()
    left = left if rows is None else cast(rows * left, inner.dtype)
    if rows is columns and right is inner.left:
        right = left  # still one tensor to keep
    elif columns is not None:
        right = cast(columns * right, inner.dtype)
    return LowRank(left, right, core)


def _is_number(factor: Factor | None) -> bool:
    return not isinstance(factor, torch.Tensor) or factor.shape[1] == 1


def _total(terms: Sequence[LowRank]) -> LowRank:
    """The sum, with each factor once: L = [L_1, L_2, ...], and a core of their cores in blocks.

    Of T P' + P T' it has the rank of [T, P], and one tensor is both factors.
    """
    lefts = _each_once([term.left for term in terms])
    rights = _each_once([term.right for term in terms])
    same = {id(x) for x in lefts} == {id(x) for x in rights}
    rights = lefts if same else rights
    rows = []
    for left in lefts:
        row = []
        for right in rights:
            cores = [t.core_matrix() for t in terms if t.left is left and t.right is right]
            zero = terms[0].core_matrix().new_zeros(1, left.shape[2], right.shape[2])
            row.append(sum(cores, start=zero).expand(left.shape[0], -1, -1))
        rows.append(torch.cat(row, dim=2))
    left = _side_by_side(lefts)
    right = left if same else _side_by_side(rights)
    return LowRank(left, right, torch.cat(rows, dim=1))


def _each_once(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return list({id(x): x for x in tensors}.values())


def _side_by_side(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat([*tensors], dim=2)


def _product(operator: Product) -> LowRank | None:
    left, right = as_low_rank(operator.left), as_low_rank(operator.right)
    if left is not None and right is not None:  # the outer factors stay what they are
        dtype = torch.promote_types(operator.dtype, torch.float32)
        between = left.right.transpose(1, 2).to(dtype) @ right.left.to(dtype)
        core = left.core_matrix().to(dtype) @ between @ right.core_matrix().to(dtype)
        return LowRank(left.left, right.right, core)
    if left is not None:
        return LowRank(left.left, operator.right.transpose().matmul(left.right), left.core)
    if right is not None:
        return LowRank(operator.left.matmul(right.left), right.right, right.core)
    return _through_few(operator)


def _through_few(operator: Product) -> LowRank | None:
    """D G with D (N, s), s < N, is of rank s: where both are formed already."""
    left, right = operator.left, operator.right
    if operator.factors() is None or not (isinstance(left, Dense) and isinstance(right, Dense)):
        return None
    return LowRank(left.matrix, right.matrix.transpose(1, 2))
