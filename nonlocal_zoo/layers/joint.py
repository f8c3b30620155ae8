"""Several projections through one matrix product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..precision import cast
from .activation import activate_product
from .epilogue import NOTHING, Epilogue
from .linear import linear
from .projection import Projection


def project(x: Tensor, *projections: Projection, mask: Tensor | None = None) -> Sequence[Tensor]:
    """Several projections of the same features, through one matrix product where that is one."""
    if any(p.groups > 1 for p in projections):
        return [p(x, mask) for p in projections]
    y, folds = _product(x, projections, mask)
    widths = [p.out_channels for p in projections]
    if None not in folds and len({type(p.activation) for p in projections}) == 1:
        return activate_product(projections[0].activation, y).split_with_sizes(widths, dim=2)
    triples = zip(projections, y.split_with_sizes(widths, dim=2), folds, strict=True)
    return [p.finish(part, fold, mask) for p, part, fold in triples]


def project_jointly(x: Tensor, *projections: Projection) -> Tensor:
    """The same side by side in one tensor, of projections that end alike, without a norm."""
    y, _ = _product(x, projections)
    return activate_product(projections[0].activation, y)


def _product(
    x: Tensor, projections: Sequence[Projection], mask: Tensor | None = None
) -> tuple[Tensor, list[Epilogue | None]]:
    weights, biases, folds = [], [], []
    for p in projections:
        p.check(x)
        fold = p.epilogue(x, mask)
        weight, bias = (fold or NOTHING).fold(p.weight, p.bias)
        weights.append(weight)
        biases.append(bias)
        folds.append(fold)
    missing = [b is None for b in biases]
    if all(missing):
        return linear(x, torch.cat(weights)), folds
    if any(missing):
        pairs = zip(weights, biases, strict=True)
        biases = [w.new_zeros(w.shape[0]) if b is None else b for w, b in pairs]
    return linear(x, torch.cat(weights), torch.cat(biases)), folds


def sum_of_products(parts: Sequence[tuple[Tensor, Projection]], epilogue: Epilogue) -> Tensor:
    """epilogue(sum_k x_k W_k' + b_k), through one matrix product where that is one.

    An x_k of one node is what all nodes get.
    """
    if len(parts) == 1:
        return parts[0][1].product(parts[0][0], epilogue)
    if any(p.groups > 1 for _, p in parts):
        (x, p), *rest = parts
        y = p.product(x, epilogue)
        return y + sum_of_products(rest, epilogue.without_shift())
    nodes = next((x.shape[1] for x, _ in parts if x.shape[1] != 1), 1)
    dtype = torch.float16  # the widest: rational filters of half-precision features are float32
    for x, p in parts:
        p.check(x)
        dtype = torch.promote_types(dtype, x.dtype)
    biases = [p.bias for _, p in parts if p.bias is not None]
    weight = torch.cat([p.weight for _, p in parts], dim=1)
    weight, bias = epilogue.fold(weight, sum(biases[1:], start=biases[0]) if biases else None)
    xs = [cast(x, dtype).expand(-1, nodes, -1) for x, _ in parts]
    return linear(xs, weight, bias, epilogue.channels_first)
