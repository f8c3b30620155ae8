"""Blocks inside a network that does not know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..blocks import NonLocalBlock, build_block
from ..registry import UnknownNameError, check_arguments, choose
from ..signal import GraphSignal
from .layout import LAYOUTS, Layout
from .place import find_place, hooks_below
from .probe import read_layout


def insert_block(
    model: nn.Module,
    stage: str,
    block: Mapping[str, Any] | str,
    position: str | int = "end",
    *,
    layout: str | None = None,
    grid: Sequence[int] | None = None,
    class_tokens: int = 0,
    output: int | str | None = None,
    example: Any = None,
) -> NonLocalBlock:
    """Puts one block after a module, or before one of the modules of a sequence.

        insert_block(resnet, "layer3", "snl")
        insert_block(vit, "blocks.8", "snl", grid=(14, 14), class_tokens=1)
        insert_block(backbone, "", "snl", output=2)  # on the third of its outputs

    The block becomes a child of that module (of the last one in a sequence) and acts through a
    hook there: state-dict keys that existed keep their names, and pretrained weights load. Several
    blocks at one place act in the order of insertion. ``remove_block`` takes one out again.

    Where ``in_channels`` is not given, the network runs up to that module, in eval mode and
    without gradients, to see what the module gives: twice, on inputs of two sizes, because the
    axis that stays the same is that of the channels. With ``in_channels`` it is asked nothing.

    Args:
        model: any network; changed in place.
        stage: path of the module: "layer3" in mmseg, mmdet and torchvision ResNets, "stages.2" in
            timm, "features.16" of a VGG; "" is the network itself.
        block: name of a block, or its arguments for ``build_block``.
        position: "end": after it, and after the last one of a sequence; "before_last", or an index
            from 0: before that module of a sequence (2: before the third).
        layout: "channels_first", (B, C, *spatial), or "channels_last", (B, *spatial, C), of which
            tokens (B, N, C) are one case. None: as seen; with ``in_channels``, channels first.
        grid: of tokens that are the cells of a picture, in its order; one number may be -1. A
            sequence has (-1,). Without it tokens are a set, and blocks that ask for a grid are
            refused.
        class_tokens: so many tokens at the front pass the block by.
        output: index or key of the tensor that the block takes, where the module gives several.
        example: what ``model`` is called with: a tensor, or a tuple of arguments. None: zeros, as
            wide as its first layer takes them.

    Returns:
        The block.

    Raises:
        ValueError: no such module, one that the network does not call, or whose output shows no
            width; the argument that helps is named.
        UnknownNameError: the sequence has no such position, or there is no such block.
    """
    if layout is not None:
        choose("layout", layout, LAYOUTS)
    place = find_place(model, stage, position)
    settings = _settings(block)
    form = Layout(layout, None if grid is None else tuple(grid), class_tokens, output)
    if settings.get("in_channels") is None:
        label = f"stage={stage!r}"
        form, settings["in_channels"] = read_layout(model, place, form, example, label)
    module = build_block(**settings)
    if form.tokens and grid is None:
        _refuse_missing_grid(module, stage)
    place.enter(module, form)
    return module


def insert_blocks(model: nn.Module, insert: Sequence[Mapping[str, Any]]) -> list[NonLocalBlock]:
    """``insert_block`` for each entry: dict(stage=..., block=..., position=...), and its others.

    One with ``block=None`` marks a place that a child config may fill, and inserts nothing.

    Raises:
        TypeError: an entry has a key too many, or lacks one.
        ValueError, UnknownNameError: as ``insert_block``, with the entry named.
    """
    if isinstance(insert, (Mapping, str)):
        raise TypeError(f"insert={insert!r}; allowed: a list of dicts, insert=[dict(...)]")
    keys = ("stage", "block", "position", "layout", "grid", "class_tokens", "output", "example")
    for number, entry in enumerate(insert):
        label = f"insert[{number}]"
        if not isinstance(entry, Mapping):
            raise TypeError(f"{label}={entry!r}; allowed: dict(stage=..., block=...)")
        check_arguments(label, keys, entry)
        for key in ("stage", "block"):
            if key not in entry:
                raise TypeError(f"{label} needs the key {key!r}, as in dict(stage=..., block=...)")
    blocks = []
    for number, entry in enumerate(insert):
        if entry["block"] is None:
            continue
        try:
            blocks.append(insert_block(model, **entry))
        except (TypeError, ValueError, UnknownNameError) as error:
            for block in reversed(blocks):
                remove_block(model, block)
            kinds = (UnknownNameError, TypeError, ValueError)
            kind = next(kind for kind in kinds if isinstance(error, kind))
            raise kind(f"insert[{number}]: {error}") from error
    return blocks


def remove_block(model: nn.Module, block: nn.Module) -> None:
    """Takes an inserted block out of ``model``, which is then what it was before.

    Args:
        block: what ``insert_block`` returned; in a copy of the network, the copy of it.

    Raises:
        ValueError: it is not one that was inserted here.
    """
    for place, hook in hooks_below(model):
        if hook.block_of(place) is block:
            hook.remove(place)
            return
    raise ValueError(
        f"block={type(block).__name__} was not inserted in this {type(model).__name__}; allowed: "
        "one of inserted_blocks(model)"
    )


def inserted_blocks(model: nn.Module) -> dict[str, nn.Module]:
    """The inserted blocks of a network, by their paths."""
    names = {module: path for path, module in model.named_modules()}
    blocks = [hook.block_of(place) for place, hook in hooks_below(model)]
    return {names[block]: block for block in blocks}


def _settings(block: Mapping[str, Any] | str) -> dict[str, Any]:
    if not isinstance(block, (Mapping, str)):
        raise TypeError(f"block={block!r}; allowed: a name, or a dict of build_block's arguments")
    return {"name": block} if isinstance(block, str) else dict(block)


def _refuse_missing_grid(block: NonLocalBlock, stage: str) -> None:
    """Raises ValueError for a block that does not take a set of nodes, which is tried."""
    training = block.training
    weight = next(block.parameters(), torch.empty(0))
    nodes = weight.new_zeros(1, 4, block.in_channels or 1)
    try:
        with torch.no_grad():
            block.eval().on_nodes(GraphSignal(nodes))
    except ValueError as error:
        raise ValueError(
            f"stage={stage!r} gives tokens, and the block asks for where they are ({error}); "
            "allowed: grid=(H, W) of the picture that they are from, or (-1,) for a sequence"
        ) from error
    block.train(training)
