"""A between two projections, in the cheapest order."""

from __future__ import annotations

from torch import Tensor

from ..layers import Epilogue, Projection
from ..operators import Choice, GraphOperator
from ..operators.choice import Way, cheapest
from ..precision import cast
from .values import Values, evaluate


def sandwich(
    operator: GraphOperator, z: Tensor | Values, last: Projection, epilogue: Epilogue
) -> Tensor:
    """epilogue(A z W' + b), z = x V' + v.

    Where A = D G goes through s < N nodes, V may act on the s gathered ones, G z = (G x) V' +
    (G 1) v, and W before they are distributed, D ((G z) W').
    """
    factors = operator.factors()
    if factors is None or last.groups > 1:
        return last.product(operator.matmul(evaluate(z)), epilogue)
    distribute, gather = factors
    few = _gather(gather, z)
    if cheapest(*weights_before(distribute, last)) != 0:
        return last.product(distribute.matmul(few), epilogue)
    weight, bias = epilogue.fold(last.weight, last.bias)
    few = few @ cast(weight, few.dtype).mT
    return distribute.affine(few, bias, epilogue.channels_first)


def _gather(gather: GraphOperator, z: Tensor | Values) -> Tensor:
    if not isinstance(z, Values) or not z.linear or cheapest(*values_after(gather, z)) != 0:
        return gather.matmul(evaluate(z))
    few = gather.matmul(z.input())
    few = few @ cast(z.projection.weight, few.dtype).mT
    bias = z.projection.bias
    return few if bias is None else few + cast(gather.degree() * bias, few.dtype)


def values_after(gather: GraphOperator, z: Values) -> tuple[Way, Way]:
    """(G x) V' or G (x V')."""
    few, nodes = gather.known_shape[1:]
    wide, narrow = z.projection.in_channels, z.projection.out_channels
    after = few * wide * narrow + gather.cost(wide).multiply_adds
    before = nodes * wide * narrow + gather.cost(narrow).multiply_adds
    return ("(G x) V'", after, few * wide), ("G (x V')", before, nodes * narrow)


def weights_before(distribute: GraphOperator, last: Projection) -> tuple[Way, Way]:
    """D (z W') or (D z) W'."""
    nodes, few = distribute.known_shape[1:]
    narrow, wide = last.in_channels, last.out_channels
    before = few * narrow * wide + distribute.cost(wide).multiply_adds
    after = nodes * narrow * wide + distribute.cost(narrow).multiply_adds
    return ("D ((G z) W')", before, few * wide), ("(D (G z)) W'", after, nodes * narrow)


def sandwich_ways(operator: GraphOperator, z: Values, last: Projection) -> list[tuple[Choice, ...]]:
    """The choices that ``sandwich`` makes."""
    factors = operator.factors()
    if factors is None or last.groups > 1:
        return [operator.ways(last.in_channels)]
    distribute, gather = factors
    pairs = [values_after(gather, z)] if z.linear else []
    return [Choice.of(*pair) for pair in (*pairs, weights_before(distribute, last))]
