"""What a block is measured against, by name: a new kind of peer is one function here.

A peer has the block's own weights, so that it must give the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from ... import formulas
from ...fuse import fuse
from ...registry import Registry
from .cases import Case

PEERS = Registry("peer")
COMPILED = ", compiled"  # after the name of a contender: under torch.compile


class NoPeer(Exception):
    """The block has such a peer, and it cannot be had here; says why."""


class NoSuchPeer(NoPeer):
    """Nobody published one of that kind: there is nothing to say about it."""


@dataclass(frozen=True)
class Contender:
    """One way to compute a block's answer.

    Attributes:
        name: "block" or that of a peer, and COMPILED after it.
        forward: x -> y.
        parameters: whose gradients a backward pass is for.
        on_meta: the same on meta tensors, to find what it needs; None where it streams.
    """

    name: str
    forward: Callable[[Tensor], Tensor]
    parameters: tuple[nn.Parameter, ...]
    on_meta: Callable[[], Callable[[Tensor], Tensor]] | None = None


def own(case: Case, block: nn.Module) -> Contender:
    """The block itself."""
    return Contender("block", block, tuple(block.parameters()))


def compiled(found: Contender, case: Case) -> Contender:
    """The same under torch.compile.

    A formula of ours reads its settings at each call; of it the operations alone are compiled.
    """
    forward = found.forward
    if not isinstance(forward, nn.Module):
        forward = make_fx(forward)(case.input())
    return replace(found, name=found.name + COMPILED, forward=torch.compile(forward))


@PEERS.register("dense")
def dense(case: Case, block: nn.Module, paths: Mapping[str, str]) -> Contender:
    """The reference's formula as plain torch code of ours, N x N matrix and all."""
    settings = case.settings

    def formula(weights: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda x: formulas.block(settings, weights, x, case.training)

    weights = block.state_dict(keep_vars=True)
    forward = formula(weights)
    _try(forward, case, block)
    return Contender(
        "dense", forward, tuple(block.parameters()), lambda: formula(_to_meta(weights))
    )


@PEERS.register("sdpa")
def sdpa(case: Case, block: nn.Module, paths: Mapping[str, str]) -> Contender:
    """The same formula with torch's scaled_dot_product_attention for its softmax."""
    used = []

    def attention(query: Tensor, key: Tensor, scale: float) -> Callable[[Tensor], Tensor]:
        used.append(True)
        return formulas.fused_attention(query, key, scale)

    settings, weights = case.settings, block.state_dict(keep_vars=True)

    def forward(x: Tensor) -> Tensor:
        return formulas.block(settings, weights, x, case.training, attention)

    _try(forward, case, block)
    if not used:
        raise NoSuchPeer("no softmax over nodes")
    return Contender("sdpa", forward, tuple(block.parameters()))


@PEERS.register("fused")
def fused(case: Case, block: nn.Module, paths: Mapping[str, str]) -> Contender:
    """The block's own inference copy: what nonlocal_zoo.fuse makes of it."""
    if case.training:
        raise NoSuchPeer("a fused block is for inference")
    copied = fuse(block, verbose=False)
    return Contender("fused", copied, tuple(copied.parameters()))


def place_of(block: nn.Module) -> Tensor:
    """A tensor with the dtype and the device of a block; blocks without weights have defaults."""
    return next(block.parameters(), next(block.buffers(), torch.empty(0)))


def _to_meta(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        key: value.detach().to("meta").requires_grad_(value.requires_grad)
        for key, value in weights.items()
    }


def _try(forward: Callable[[Tensor], Tensor], case: Case, block: nn.Module) -> None:
    """Raises NoPeer where a part of the formula is missing, found on a tiny input."""
    grid = (min(n, 2) for n in case.grid)
    try:
        with torch.no_grad():
            forward(torch.ones(2, case.channels, *grid).to(place_of(block)))
    except formulas.NoFormula as error:
        raise NoPeer(str(error)) from None
