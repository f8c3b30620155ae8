"""What code may ask while torch.compile, torch.export or the ONNX exporter traces it.

A traced graph runs at every height and width, so that a size may be a symbol: a question about its
value would tie the graph to the value that it has now.
"""

from __future__ import annotations

import torch

LARGE = 2**20  # nodes: more than any number of channels


def known_size(size: int) -> int:
    """``size``, or LARGE where it is a symbol: what is not known grows with the image."""
    if not torch.compiler.is_compiling():
        return int(size)
    from torch.fx.experimental.symbolic_shapes import has_static_value

    return int(size) if has_static_value(size) else LARGE
