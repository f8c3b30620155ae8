"""A stand-in for a GPU: tensors that say "cuda" and are computed on the CPU.

``with StandIn() as gpu: y = gpu.block(block)(gpu.tensor(x))`` raises where tensors of two devices
meet, and notes what a real GPU would do: in ``gpu.waits`` what the host would wait for, in
``gpu.copies`` what would be copied from the host, in ``gpu.attention`` which of torch's kernels
each call of scaled dot product attention would take, in ``gpu.largest`` the numbers of the largest
tensor. With ``shapes_only`` nothing is computed, so that any size can be asked about.
"""

from __future__ import annotations

import copy
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

from nonlocal_zoo import build_block
from nonlocal_zoo.kernels import fused_cuda, scores_at_once

aten = torch.ops.aten
GPU = torch.device("cuda", 0)
# What gives the host a number, or a size that depends on numbers.
WAITS = (
    aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal, aten.bincount,
    aten.unique_consecutive, aten._unique2, aten.repeat_interleave, aten.is_nonzero,
)  # fmt: skip
MOVES = (aten._to_copy, aten.copy_, aten._copy_from)


class OnGpu(Tensor):
    """Around a tensor on the CPU, or on the device meta."""

    device = property(lambda self: GPU)
    is_cuda = property(lambda self: True)
    is_cpu = is_meta = property(lambda self: False)

    @staticmethod
    def __new__(cls, inner: Tensor, gpu: StandIn) -> OnGpu:
        return Tensor._make_wrapper_subclass(
            cls, inner.shape, inner.stride(), inner.storage_offset(), dtype=inner.dtype,
            device="cpu",
        )  # fmt: skip

    def __init__(self, inner: Tensor, gpu: StandIn) -> None:
        self.inner, self.gpu = inner, gpu

    def __repr__(self) -> str:
        return f"OnGpu({tuple(self.shape)}, {self.dtype})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        flat, _ = tree_flatten((args, kwargs := dict(kwargs or {})))
        gpu = next(t.gpu for t in flat if isinstance(t, cls))
        gpu.note(func, flat)
        if kwargs.get("device") is not None:
            kwargs["device"] = gpu.device
        inner = tree_map(lambda t: t.inner if isinstance(t, cls) else t, (args, kwargs))
        out = tree_map(gpu.tensor, func(*inner[0], **inner[1]))
        return return_and_correct_aliasing(func, args, kwargs, out)


class StandIn(TorchFunctionMode):
    """The mode; see the head of this file.

    Args:
        shapes_only: compute nothing.
    """

    def __init__(self, shapes_only: bool = False) -> None:
        super().__init__()
        self.device = torch.device("meta" if shapes_only else "cpu")
        self.shapes_only = shapes_only
        self.waits: list[str] = []
        self.copies: list[str] = []
        self.attention: list[str] = []
        self.largest = 0

    def __enter__(self) -> StandIn:
        self.patches = [
            mock.patch.object(fused_cuda, "can_use_flash_attention", takes_flash),
            mock.patch.object(fused_cuda, "can_use_efficient_attention", takes_efficient),
        ]
        for patch in self.patches:
            patch.start()
        return super().__enter__()

    def __exit__(self, *error) -> None:
        super().__exit__(*error)
        for patch in self.patches:
            patch.stop()

    def tensor(self, x):
        """``x`` on the GPU, where it is a tensor."""
        if not isinstance(x, Tensor) or isinstance(x, OnGpu):
            return x
        return OnGpu(x.detach().to(self.device), self)

    def block(self, block: nn.Module) -> nn.Module:
        """A copy of it there."""
        block = copy.deepcopy(block)
        for module in block.modules():
            for name, p in module._parameters.items():
                if p is not None:
                    module._parameters[name] = nn.Parameter(self.tensor(p.data), p.requires_grad)
            for name, b in module._buffers.items():
                module._buffers[name] = self.tensor(b)
        return block

    def note(self, func, flat: list) -> None:
        """What the dispatcher sees of a call of one of torch's operators."""
        name = func.overloadpacket
        strangers = [t for t in flat if isinstance(t, Tensor) and not isinstance(t, OnGpu)]
        if name in MOVES and strangers:
            self.copies.append(str(func))
        elif any(t.dim() for t in strangers):
            raise RuntimeError(f"{func}: tensors on cuda and on cpu")
        by_mask = name in (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)
        booleans = by_mask and any(isinstance(t, OnGpu) and t.dtype == torch.bool for t in flat[1:])
        if name in WAITS or booleans:
            self.waits.append(str(func))
        sizes = [t.numel() for t in flat if isinstance(t, OnGpu)]
        self.largest = max(self.largest, *sizes)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is F.scaled_dot_product_attention:
            return self._attend(*args, **kwargs)
        if func is Tensor.tolist and isinstance(args[0], OnGpu):
            self.waits.append("tolist")
            return args[0].inner.tolist()
        if func is Tensor.to and not isinstance(args[0], OnGpu) and isinstance(args[-1], OnGpu):
            self.copies.append("to")
            return self.tensor(args[0].to(args[-1].dtype))
        named = [a for a in (*args, *kwargs.values()) if isinstance(a, (torch.device, str))]
        to_gpu = any(str(a).startswith("cuda") for a in named)
        if not to_gpu:
            return func(*args, **kwargs)
        there = any(isinstance(t, OnGpu) for t in tree_flatten((args, kwargs))[0])
        if func in (torch.tensor, torch.as_tensor, Tensor.to, Tensor.cuda) and not there:
            self.copies.append(func.__name__)
        swap = lambda a: self.device if str(a).startswith("cuda") else a  # noqa: E731
        args = [swap(a) if isinstance(a, (torch.device, str)) else a for a in args]
        kwargs = {k: swap(a) if k == "device" else a for k, a in kwargs.items()}
        return tree_map(self.tensor, func(*args, **kwargs))

    def _attend(self, query, key, value, attn_mask=None, **kwargs):
        params = torch.backends.cuda.SDPAParams(query, key, value, attn_mask, 0.0, False, False)
        kernel = "memory-efficient" if takes_efficient(params) else "math"
        self.attention.append("flash" if takes_flash(params) else kernel)
        if not self.shapes_only:
            return F.scaled_dot_product_attention(query, key, value, attn_mask, **kwargs)
        rest = key.sum((2, 3), keepdim=True) + value.sum(2, keepdim=True)
        return query.sum(3, keepdim=True) + rest


def takes_flash(params) -> bool:
    """Torch's rule for flash attention, of the tensors' widths, dtypes and layout (compute
    capability 8 and newer): aten/src/ATen/native/transformers/cuda/sdp_utils.cpp."""
    widths = {t.shape[3] for t in (params.query, params.key, params.value)}
    half = params.query.dtype in (torch.float16, torch.bfloat16)
    return (
        half and params.attn_mask is None and len(widths) == 1 and max(widths) <= 256
        and _fits(params)
    )  # fmt: skip


def takes_efficient(params) -> bool:
    """The same for memory-efficient attention."""
    half = params.query.dtype in (torch.float16, torch.bfloat16)
    aligned, width = 8 if half else 4, params.query.shape[3]
    widths = width, params.value.shape[3]
    return (
        (half or params.query.dtype == torch.float32) and params.key.shape[3] == width
        and all(w > 0 and w % aligned == 0 for w in widths) and _fits(params)
        and not (params.attn_mask is not None and params.attn_mask.requires_grad)
    )  # fmt: skip


def _fits(params) -> bool:
    tensors = params.query, params.key, params.value
    like = params.query.dtype, params.query.shape[:2]
    return all(
        (t.dtype, t.shape[:2]) == like and t.dim() == 4 and t.shape[2] > 0 and t.stride(3) == 1
        for t in tensors
    )


DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def pass_of(name: str, dtype: torch.dtype, channels: int, side: int) -> StandIn:
    """What a GPU would do in a training step of a block, in the sizes of one image; no numbers.

    Blocks of rows are made larger than they are, since each is a line of Python here.
    """
    block = build_block(name, channels).train().to(dtype)
    with scores_at_once(2**30 if side > 100 else 2**22), StandIn(shapes_only=True) as gpu:
        x = gpu.tensor(torch.empty(1, channels, side, side, dtype=dtype, device="meta"))
        gpu.block(block)(x.requires_grad_()).sum().backward()
    return gpu
