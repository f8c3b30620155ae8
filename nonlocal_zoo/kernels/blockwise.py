"""Functions of many rows, a block of rows at a time, forward and backward.

    y = function(*rows, *whole)

computed as one call of ``function`` for each block of the tensors in ``rows`` (B, N, ...), so that
what the function makes on the way is never larger than one block. Backward passes compute each
block again. The gradient of such a function is such a function itself, so that derivatives of any
order, and those of ``torch.func``, are made in blocks too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..precision import without_autocast

Tensors = tuple[Tensor, ...]

SCORES_AT_ONCE = 2**22  # numbers of one block that may be in memory together: 16 MiB in float32
FEW = 4  # blocks, up to which nothing is computed again: that is faster, and keeps four blocks


def rows_at_once(batch: int, columns: int) -> int:
    """How many rows of ``columns`` numbers each may be in memory together."""
    return max(1, SCORES_AT_ONCE // (batch * columns))


def scores_in_cache(x: Tensor) -> int:
    """How many scores a tile may have that is read several times."""
    return SCORES_AT_ONCE // 16 if x.is_cpu else SCORES_AT_ONCE


@contextmanager
def scores_at_once(scores: int) -> Iterator[None]:
    """Inside, at most so many numbers of a block are in memory together."""
    global SCORES_AT_ONCE
    before, SCORES_AT_ONCE = SCORES_AT_ONCE, scores
    try:
        yield
    finally:
        SCORES_AT_ONCE = before


@dataclass(frozen=True)
class Plan:
    """How a function is computed in blocks.

    Attributes:
        function: (*rows, *whole) -> tensors, for any number of rows.
        size: rows in a block.
        rows: how many of the tensors are cut into blocks along axis 1; the rest are whole.
        sums: for each result, whether it is a sum over the rows; else it has a row for each row.
        fast: the same as ``function`` for all rows at once, where there is a faster way.
        fast_gradients: (gradients of the results, tensors, results) -> gradients of the tensors,
            where there is a faster way that has no derivative itself; or None, where that way has
            none for these.
        keep: how many blocks there may be before any is computed again.
    """

    function: Callable[..., Tensors]
    size: int
    rows: int
    sums: tuple[bool, ...] = (False,)
    fast: Callable[..., Tensors] | None = None
    fast_gradients: Callable[..., Sequence[Tensor | None] | None] | None = None
    keep: int = FEW


def in_blocks(plan: Plan, *tensors: Tensor) -> Tensors:
    """``plan.function`` of all rows.

    Args:
        tensors: first those that are cut into blocks, (B, N, ...), then those that are not.
    """
    graph = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    kept = plan.keep if graph else 1
    few = tensors[0].shape[1] <= kept * plan.size and plan.fast is None
    if few or tensors[0].is_meta:
        return plan.function(*tensors)
    return _InBlocks.apply(plan, *tensors)


@without_autocast
def _run(first: Tensor, *others: Tensor, plan: Plan) -> Tensors:
    tensors = (first, *others)
    if plan.fast is not None:
        return plan.fast(*tensors)
    count, results = first.shape[1], []
    for start in range(0, count, plan.size):
        block = slice(start, start + plan.size)
        parts = plan.function(*(t[:, block] for t in tensors[: plan.rows]), *tensors[plan.rows :])
        if not results:
            # Filled in place: small results kept among the freed blocks leave holes in the heap
            # that the next blocks do not fit into.
            results = [
                torch.zeros_like(part) if total else part.new_empty(_long(part, count))
                for part, total in zip(parts, plan.sums, strict=True)
            ]
        for result, part, total in zip(results, parts, plan.sums, strict=True):
            if total:
                result += part
            else:
                result[:, block] = part
    return tuple(results)


def _long(part: Tensor, count: int) -> torch.Size:
    return torch.Size((part.shape[0], count, *part.shape[2:]))


def _pullback(plan: Plan, tensors: Tensors, wanted: list[int], grads: Tensors) -> Tensors:
    """Gradients of the ``wanted`` tensors, again as a function in blocks of rows."""
    own, of_rows = plan.rows, [k for k, total in enumerate(plan.sums) if not total]
    of_sums = [k for k, total in enumerate(plan.sums) if total]

    ends = [len(of_rows), own, len(of_sums), len(tensors) - own]

    def function(*arguments: Tensor) -> Tensors:
        given = iter(arguments)
        of_row, rows, of_sum, whole = ([next(given) for _ in range(n)] for n in ends)
        values = rows + whole

        def of_wanted(*chosen: Tensor) -> Tensors:
            replaced = dict(zip(wanted, chosen, strict=True))
            results = plan.function(*(replaced.get(k, v) for k, v in enumerate(values)))
            return tuple(results[k] for k in (*of_rows, *of_sums))

        pull = torch.func.vjp(of_wanted, *(values[k] for k in wanted))[1]
        return pull((*of_row, *of_sum))

    back = Plan(function, plan.size, len(of_rows) + own, tuple(k >= own for k in wanted))
    return _InBlocks.apply(
        back,
        *(grads[k] for k in of_rows),
        *tensors[:own],
        *(grads[k] for k in of_sums),
        *tensors[own:],
    )


class _InBlocks(torch.autograd.Function):
    @staticmethod
    def forward(plan: Plan, *tensors: Tensor) -> Tensors:
        return tuple(_run(*tensors, plan=plan))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensors) -> None:
        ctx.plan, *tensors = inputs
        ctx.count = len(tensors)
        ctx.save_for_backward(*tensors, *output)
        ctx.save_for_forward(*tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        if all(grad is None for grad in grads):
            return (None,) * (1 + ctx.count)
        plan, saved = ctx.plan, ctx.saved_tensors
        tensors, outputs = saved[: ctx.count], saved[ctx.count :]
        wanted = [k for k, need in enumerate(ctx.needs_input_grad[1:]) if need]
        if plan.fast_gradients is not None and not torch.is_grad_enabled():
            found = plan.fast_gradients(grads, tensors, outputs)
            if found is not None:
                return None, *found
        full = tuple(
            torch.zeros_like(output) if grad is None else grad
            for grad, output in zip(grads, outputs, strict=True)
        )
        found = iter(_pullback(plan, tensors, wanted, full))
        return None, *(next(found) if k in wanted else None for k in range(ctx.count))

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Tensor | None) -> Tensors:
        plan, tensors = ctx.plan, ctx.saved_tensors[: ctx.count]
        moving = [k for k, tangent in enumerate(tangents) if tangent is not None]
        own = [k for k in moving if k < plan.rows]
        others = [k for k in moving if k >= plan.rows]
        ends = [plan.rows, len(own), ctx.count - plan.rows, len(others)]

        def function(*arguments: Tensor) -> Tensors:
            given = iter(arguments)
            rows, along_rows, whole, along = ([next(given) for _ in range(n)] for n in ends)
            values = rows + whole

            def of_moving(*chosen: Tensor) -> Tensors:
                replaced = dict(zip(moving, chosen, strict=True))
                return plan.function(*(replaced.get(k, v) for k, v in enumerate(values)))

            primals = tuple(values[k] for k in moving)
            return torch.func.jvp(of_moving, primals, (*along_rows, *along))[1]

        return _InBlocks.apply(
            Plan(function, plan.size, plan.rows + len(own), plan.sums),
            *tensors[: plan.rows],
            *(tangents[k] for k in own),
            *tensors[plan.rows :],
            *(tangents[k] for k in others),
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple, plan: Plan, *tensors: Tensor) -> tuple[Tensors, Any]:
        """One after the other: a block of each would be as large as the batch."""
        results = [
            _InBlocks.apply(
                plan,
                *(
                    t if dim is None else t.select(dim, k)
                    for t, dim in zip(tensors, in_dims[1:], strict=True)
                ),
            )
            for k in range(info.batch_size)
        ]
        stacked = tuple(torch.stack(parts) for parts in zip(*results, strict=True))
        return stacked, (0,) * len(stacked)
