"""What code may ask of how it is run: traced, by torch.compile, torch.export or the ONNX exporter.

A traced graph runs at every height and width, so that a size may be a symbol: a question about its
value would tie the graph to the value that it has now.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

LARGE = 2**20  # nodes: more than any number of channels


def traced() -> bool:
    """Whether a graph is traced, by torch.compile, torch.export or torch.jit.trace."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]


def in_backward_pass() -> bool:
    """Whether autograd is running: what activation checkpointing repeats, it repeats there."""
    return not traced() and torch._C._current_graph_task_id() >= 0


def makes_plain_tensors() -> bool:
    """Whether what is made now may be kept, and what was kept may be used: by no trace, under no
    mode (fake tensors) and in no transform of torch.func."""
    if traced() or torch._C._len_torch_dispatch_stack() > 0:
        return False
    functorch = torch._C._functorch  # pyright: ignore[reportAttributeAccessIssue]
    return functorch.peek_interpreter_stack() is None


def has_values(x: torch.Tensor) -> bool:
    """Whether the numbers in ``x`` may be looked at: it is on a CPU, where nobody has to wait for
    them, and no trace, mode or transform of torch.func stands between."""
    plain = type(x) in (torch.Tensor, torch.nn.Parameter)
    return plain and x.device.type == "cpu" and makes_plain_tensors()


def known_size(size: int) -> int:
    """``size``, or LARGE where it is a symbol: what is not known grows with the image."""
    if not torch.compiler.is_compiling():
        return int(size)
    from torch.fx.experimental.symbolic_shapes import has_static_value

    return int(size) if has_static_value(size) else LARGE


def known_sizes(sizes: Iterable[int]) -> tuple[int, ...]:
    """``known_size`` of each."""
    return tuple(map(known_size if torch.compiler.is_compiling() else int, sizes))


def for_onnx() -> bool:
    """Whether the graph is to be made of ONNX operators alone."""
    if not hasattr(torch.compiler, "is_exporting"):  # torch 2.6
        return torch.onnx.is_in_onnx_export()
    return torch.compiler.is_exporting() and torch.onnx.is_in_onnx_export()


def takes_own_operators() -> bool:
    """Whether the graph should hold loops over blocks of rows as one operator of ours each."""
    return torch.compiler.is_compiling() and not for_onnx()


def require_values(what: str) -> None:
    """Raises NotImplementedError where a graph is traced, which has no values to stop a loop at."""
    if torch.compiler.is_compiling():
        raise NotImplementedError(
            f"{what} takes as many steps as its numbers ask for, and a traced graph cannot know; "
            "allowed there: an affinity of low rank (relu_dot, latent), which has an exact one, "
            "or a polynomial filter"
        )
