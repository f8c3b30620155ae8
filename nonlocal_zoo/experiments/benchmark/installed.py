"""Classes of mmcv and mmseg, where these are installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any

from torch import nn

from .cases import Case
from .classes import Published, inner
from .peers import PEERS, Contender, NoPeer, NoSuchPeer

HEADS = "mmseg.models.decode_heads"


def _non_local(mode: str, case: Case) -> dict[str, Any]:
    return dict(in_channels=case.channels, reduction=case.settings.get("reduction", 2), mode=mode)


def _context(fusion_types: tuple[str, ...], case: Case) -> dict[str, Any]:
    ratio = (inner(case) + 0.5) / case.channels  # int(ratio * C) is c
    return dict(in_channels=case.channels, ratio=ratio, fusion_types=fusion_types)


def _mmcv(mode: str, untrainable: str = "") -> Published:
    return Published("NonLocal2d", "mmcv.cnn.bricks.non_local", partial(_non_local, mode),
                     untrainable=untrainable)  # fmt: skip


def _gc(*fusion_types: str) -> Published:
    return Published("ContextBlock", "mmcv.cnn.bricks.context_block",
                     partial(_context, fusion_types))  # fmt: skip


INSTALLED = {
    "nl": _mmcv("embedded_gaussian"),
    "nl_gaussian": _mmcv("gaussian"),
    "nl_dot": _mmcv("dot_product"),
    "nl_concat": _mmcv("concatenation", "it divides the output of a ReLU in place"),
    "gc": _gc("channel_add"),
    "gc_mul": _gc("channel_add", "channel_mul"),
    "dnl": Published(
        "DisentangledNonLocal2d",
        f"{HEADS}.dnl_head",
        lambda case: dict(_non_local("embedded_gaussian", case), temperature=0.05),
    ),
    "ema": Published(
        "EMAModule",
        f"{HEADS}.ema_head",
        lambda case: dict(channels=case.channels, num_bases=64, num_stages=3, momentum=0.1),
        lambda module, x: x + module(x),  # as EMAHead
        "it passes no gradient to its input",
    ),
    "danet_position": Published(
        "PAM",
        f"{HEADS}.da_head",
        lambda case: dict(in_channels=case.channels, channels=inner(case)),
    ),
    "danet_channel": Published("CAM", f"{HEADS}.da_head", lambda case: {}),
    "cc": Published(
        "mmcv.CrissCrossAttention",
        "mmcv.ops.cc_attention",
        lambda case: dict(in_channels=case.channels, recurrence=2),
        lambda module, x: module(module(x)),  # as CCHead
        name="CrissCrossAttention",
        translated=("recurrence",),
    ),
}


@PEERS.register("installed")
def installed(case: Case, block: nn.Module, paths: Mapping[str, str]) -> Contender:
    """mmcv's or mmseg's class with the block's weights."""
    if case.block not in INSTALLED:
        raise NoSuchPeer("mmcv and mmseg have no such block")
    return INSTALLED[case.block].contender("installed", _import, case, block)


def _import(name: str) -> ModuleType:
    try:
        importlib.import_module("nonlocal_zoo.adapters.mm")  # before mmseg: stands in for its ops
        return importlib.import_module(name)
    except ImportError as error:
        raise NoPeer(f"not installed: {error}") from None
