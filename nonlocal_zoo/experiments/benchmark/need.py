"""What a function needs at least, found without running it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Needs(TorchDispatchMode):
    """Bytes of the operation with the largest operands and results together."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor)]
        storages = (t.untyped_storage() for t in tensors)
        sizes = {storage._cdata: storage.nbytes() for storage in storages}
        self.bytes = max(self.bytes, sum(sizes.values()))
        return out


def least_bytes(function: Callable[[], object]) -> int:
    """Bytes without which ``function``, called on meta tensors, cannot run.

    All of one operation's tensors are in memory at once, so that no run can do with less. Torch's
    fused attention is plain on meta tensors: the answer is wrong for code that calls it.
    """
    # What depends on values, and what fails for real too, ends it there.
    with _Needs() as needs, suppress(RuntimeError):
        function()
    return needs.bytes
