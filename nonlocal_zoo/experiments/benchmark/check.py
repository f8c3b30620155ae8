"""Is the answer right? Against the formula in float64, before any time is taken."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ... import formulas
from .cases import DTYPES, Case
from .need import least_bytes

EXACT = 1e-9  # relative error of outputs, both sides in float64
EXACT_GRADIENT = 1e-7
CHECK_BYTES = 2**30  # the formula may take so much; larger sizes are checked at a smaller one


class Verdict(NamedTuple):
    """``error`` of the case's dtype against float64, at ``size``; ``wrong`` says what is, or ""."""

    error: float
    size: str
    wrong: str


def relative(actual: Tensor, expected: Tensor, floor: float = 1e-30) -> float:
    """||actual - expected|| / max(||expected||, floor); inf where something is not finite."""
    if actual.shape != expected.shape:
        return math.inf
    actual, expected = (t.detach().to("cpu", torch.float64) for t in (actual, expected))
    error = ((actual - expected).norm() / expected.norm().clamp(min=floor)).item()
    return error if math.isfinite(error) else math.inf


def allowed(dtype: str) -> float:
    """Relative error that rounding may make: the root of the dtype's epsilon."""
    return EXACT if dtype == "float64" else torch.finfo(DTYPES[dtype]).eps ** 0.5


def check(case: Case, block: nn.Module) -> Verdict:
    """Output and gradients (of input and parameters) in float64; output in the case's dtype too.

    At the case's own size if the formula takes no more than CHECK_BYTES there, else at half of
    its sides, and so on: weights and settings are the same. In a narrow dtype the block may be
    off by ``allowed``, or by three times the error that the formula makes in that dtype.

    Raises:
        NoFormula: there is nothing to compare with.
    """
    narrow = copy.deepcopy(block)
    wide = copy.deepcopy(block).to("cpu", torch.float64)
    weights = {k: v.clone() for k, v in wide.state_dict(keep_vars=True).items()}
    small = case
    while _needs(small, weights) > CHECK_BYTES and max(small.grid) > 1:
        small = small.at(grid=tuple(max(n // 2, 1) for n in small.grid))
    narrow_x = small.input().detach()
    x = narrow_x.to("cpu", torch.float64).requires_grad_()
    with torch.enable_grad():
        expected, actual = formulas.block(small.settings, weights, x, small.training), wide(x)
    for what, error, limit in _exact(actual, expected, x, wide):
        if not error <= limit:
            return Verdict(error, small.size, f"{what} is off by {error:.1g}")
    with torch.no_grad():
        dense = formulas.block(small.settings, narrow.state_dict(), narrow_x, small.training)
        limit = max(allowed(case.dtype), 3 * relative(dense, expected))
        error = relative(narrow(narrow_x), expected)
    if not error <= limit:
        return Verdict(error, small.size, f"output in {case.dtype} is off by {error:.1g}")
    return Verdict(error, small.size, "")


def _exact(
    actual: Tensor, expected: Tensor, x: Tensor, block: nn.Module
) -> Iterator[tuple[str, float, float]]:
    """(what, its error, what is allowed)."""
    yield "output", relative(actual, expected), EXACT
    named = {"the input": x, **dict(block.named_parameters())}
    grad = torch.randn(actual.shape, generator=torch.Generator().manual_seed(2)).double()
    ours, theirs = (
        torch.autograd.grad(y, list(named.values()), grad, allow_unused=True)
        for y in (actual, expected)
    )
    zero = [torch.zeros_like(value) for value in named.values()]
    ours = [z if g is None else g for g, z in zip(ours, zero, strict=True)]
    theirs = [z if g is None else g for g, z in zip(theirs, zero, strict=True)]
    largest = max(g.abs().max().item() for g in theirs)
    for name, a, b in zip(named, ours, theirs, strict=True):
        # Of a parameter that changes nothing (a bias before a softmax) both are rounding.
        floor = 1e-6 * largest * b.numel() ** 0.5
        yield f"gradient of {name}", relative(a, b, floor), EXACT_GRADIENT


def _needs(case: Case, weights: dict[str, Tensor]) -> int:
    meta = {k: v.detach().to("meta").requires_grad_(v.requires_grad) for k, v in weights.items()}
    x = torch.empty(case.shape, device="meta", dtype=torch.float64, requires_grad=True)

    def trained() -> None:
        formulas.block(case.settings, meta, x, case.training).sum().backward()

    return least_bytes(trained)
