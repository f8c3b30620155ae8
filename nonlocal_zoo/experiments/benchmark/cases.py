"""What is measured: a block at a size, dtype, device, number of threads and mode."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from ...blocks import NonLocalBlock, build_block, list_blocks
from ...blocks.build import block_settings
from ...registry import choose, near

DTYPES = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16", "float64")}
MODES = ("forward", "train")


@dataclass(frozen=True)
class Case:
    """One block on one input.

    Attributes:
        block: of ``list_blocks()``.
        channels, grid, batch: the input is (batch, channels, *grid).
        overrides: arguments of build_block.
        dtype, device, threads: names, and torch's intra-op threads.
        mode: "forward" (eval, no gradient) or "train" (training mode, forward and backward,
            gradients of the input and of all parameters).
        peers: names of PEERS.
    """

    block: str
    channels: int
    grid: tuple[int, ...]
    batch: int = 1
    overrides: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 1
    mode: str = "forward"
    peers: tuple[str, ...] = ("dense",)

    def __post_init__(self) -> None:
        choose("dtype", self.dtype, DTYPES)
        choose("mode", self.mode, MODES)
        if min((self.channels, self.batch, self.threads, *self.grid)) < 1:
            raise ValueError(f"{self}: allowed: channels, sizes, batch and threads >= 1")

    @property
    def nodes(self) -> int:
        """N."""
        return math.prod(self.grid)

    @property
    def size(self) -> str:
        """The grid as text: 97x97."""
        return "x".join(map(str, self.grid))

    @property
    def training(self) -> bool:
        return self.mode == "train"

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.batch, self.channels, *self.grid)

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of NonLocalBlock, complete."""
        return block_settings(self.block, **self.overrides)

    def at(self, **changes: Any) -> Case:
        """The same with other attributes."""
        return replace(self, **changes)

    def build(self) -> NonLocalBlock:
        """The block with random weights that are the same each time; nothing starts at zero."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            block = randomize(build_block(self.block, self.channels, **self.overrides))
        return block.to(self.device, DTYPES[self.dtype]).train(self.training)

    def input(self) -> Tensor:
        """Normally distributed, the same each time."""
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(self.shape, generator=generator)
        return x.to(self.device, DTYPES[self.dtype]).requires_grad_(self.training)


def randomize(block: nn.Module) -> nn.Module:
    """Weights of variance 1 / fan-in, norms around one: features keep their scale through it."""
    for parameter in block.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
        else:
            nn.init.uniform_(parameter, -0.5, 0.5)
    for module in block.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.GroupNorm, nn.LayerNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    for unit in block.units:
        if unit.gamma is not None:
            nn.init.ones_(unit.gamma)
    return block


def grid_of(size: str) -> tuple[int, ...]:
    """ "97x97" -> (97, 97).

    Raises:
        ValueError: it is no such text.
    """
    try:
        return tuple(int(n) for n in size.split("x"))
    except ValueError:
        raise ValueError(f"size {size!r}; allowed: 97x97, or 4x32x32, or 1000") from None


def names_of(patterns: Sequence[str]) -> list[str]:
    """Names of the blocks that match one of the patterns.

    Raises:
        ValueError: one that none matches.
    """
    names: list[str] = []
    for pattern in patterns:
        found = list_blocks(pattern)
        if not found:
            raise ValueError(f"no block matches {pattern!r}.{near(pattern, list_blocks())}")
        names += [name for name in found if name not in names]
    return names


def under(cases: Iterable[Case], **choices: Sequence[Any]) -> Iterator[Case]:
    """Each case with each combination of the choices: dtype=[...], device=[...], mode=[...]."""
    cases = list(cases)
    for values in product(*choices.values()):
        for case in cases:
            yield case.at(**dict(zip(choices, values, strict=True)))
