"""Half precision: finite at any activation scale, and near float32 at scale one."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .compare import randomize_

NEAR = {torch.float16: 1e-2, torch.bfloat16: 8e-2}  # relative L2 distance to float32


def _run(block: nn.Module, x: Tensor, dtype: torch.dtype | None) -> tuple[Tensor, list[Tensor]]:
    block = copy.deepcopy(block)  # moving averages move
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        y = block(x)
    y.double().square().mean().sqrt().backward()  # of the scale of y
    return y, [x.grad, *(p.grad for p in block.parameters())]


def check_autocast(
    make: Callable[[], nn.Module], dtype: torch.dtype, scale: float, spread: float = 0.1
) -> None:
    """Forward and backward are finite for inputs of ``scale``, in training mode.

    Args:
        make: a block for 16 channels.
        dtype: torch.float16 or torch.bfloat16.
        scale: of the activations.
        spread: of the weights.
    """
    block = randomize_(make(), spread).train()
    x = torch.randn(2, 16, 13, 11) * scale
    for given in (x.to(dtype), x):  # as a convolution under autocast gives it, and as it is
        _check_finite(block, given, dtype, scale)
    if scale == 1:
        half, exact = (_run(block, x, d)[0].double() for d in (dtype, None))
        error = (half - exact).norm() / exact.norm()
        assert error < NEAR[dtype], f"{dtype}: relative L2 distance to float32 {error:.3g}"


def _check_finite(block: nn.Module, x: Tensor, dtype: torch.dtype, scale: float) -> None:
    y, gradients = _run(block, x, dtype)
    assert y.isfinite().all(), f"{dtype} at scale {scale}: output"
    for (name, _), gradient in zip(
        [("input", None), *block.named_parameters()], gradients, strict=True
    ):
        assert gradient.isfinite().all(), f"{dtype} at scale {scale}: gradient of {name}"
