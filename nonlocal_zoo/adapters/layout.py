"""How features lie in what a module gives, and the block on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LAYOUTS = ("channels_first", "channels_last")


@dataclass(frozen=True)
class Layout:
    """What of an output the block takes, and which of its axes is what.

    Attributes:
        order: "channels_first", (B, C, *spatial), or "channels_last", (B, *spatial, C); None:
            channels first, as nobody said and nothing was seen.
        grid: of tokens (B, N, C), or None.
        class_tokens: at the front, that pass the block by.
        output: index or key of the tensor, or None for an output that is one.
        tokens: whether the nodes have one axis, which comes before the channels.
    """

    order: str | None
    grid: tuple[int, ...] | None = None
    class_tokens: int = 0
    output: int | str | None = None
    tokens: bool = False

    def pick(self, outputs: Any) -> Any:
        """The one of ``outputs`` that the block takes."""
        return outputs if self.output is None else outputs[self.output]

    def apply(self, block: Callable[[Tensor], Tensor], outputs: Any) -> Any:
        """``outputs``, of which the one that is meant went through the block.

        Raises:
            ValueError: sequences, of which nobody said whether tokens or channels come first, as
                long as wide.
        """
        if self.output is None:
            return self._through(block, outputs)
        y = self._through(block, outputs[self.output])
        if isinstance(outputs, Mapping):
            changed = {k: y if k == self.output else v for k, v in outputs.items()}
            return type(outputs)(changed)
        several = list(outputs)
        several[self.output] = y  # type: ignore[call-overload]
        if hasattr(outputs, "_fields"):  # a namedtuple
            return type(outputs)(*several)
        return type(outputs)(several)

    def _through(self, block: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        if self.order != "channels_last":
            if self.order is None and isinstance(x, Tensor):
                _refuse_squares(x)
            return block(x)
        # Views: the block reads nodes as rows, which is how tokens lie.
        nodes = x[:, self.class_tokens :].movedim(-1, 1)
        image = nodes if self.grid is None else nodes.unflatten(2, self.grid)
        y = block(image).reshape(nodes.shape).movedim(1, -1)
        return torch.cat([x[:, : self.class_tokens], y], dim=1) if self.class_tokens else y


def _refuse_squares(x: Tensor) -> None:
    if x.dim() == 3 and x.shape[1] == x.shape[2]:
        raise ValueError(
            f"an inserted block gets {tuple(x.shape)}, (B, C, L) or tokens (B, N, C); insert it "
            "with layout='channels_first' or layout='channels_last'"
        )
