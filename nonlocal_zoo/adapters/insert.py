"""Blocks inside a network that does not know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..blocks import build_block
from ..registry import check_arguments, choose

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class _After:
    """Forward hook: the host's output goes through its child ``name``.

    The child is looked up in the module that calls, so that copies (an EMA, deepcopy) run their
    own block.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def register(self, host: nn.Module) -> None:
        host.register_forward_hook(self)

    @staticmethod
    def channels(host: nn.Module) -> int:
        """Of what the hook gets."""
        return _convolutions(host)[-1].out_channels

    def __call__(self, module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        return getattr(module, self.name)(output)


class _Before(_After):
    """Forward pre-hook: the host's first input goes through its child ``name``."""

    def register(self, host: nn.Module) -> None:
        host.register_forward_pre_hook(self)

    @staticmethod
    def channels(host: nn.Module) -> int:
        return _convolutions(host)[0].in_channels

    def __call__(self, module: nn.Module, args: tuple) -> tuple:
        return (getattr(module, self.name)(args[0]), *args[1:])


# Name -> which residual block of the stage has the non-local one, and on which side of it.
POSITIONS = {"end": (-1, _After), "before_last": (-1, _Before)}


def insert_block(
    model: nn.Module, stage: str, block: Mapping[str, Any] | str, position: str | int = "end"
) -> nn.Module:
    """Puts one block at the end of a stage, or before one of its residual blocks.

    The block becomes a child of that residual block (of the last one, at the end) and acts through
    a hook there: existing state-dict keys keep their names, and pretrained weights load. Several
    blocks at one place act in the order of insertion.

    Args:
        model: any network; changed in place.
        stage: path of the stage, an nn.Sequential or nn.ModuleList of residual blocks:
            "layer3" in mmseg, mmdet and torchvision ResNets, "stages.2.blocks" in timm.
        block: name of a block, or its arguments for ``build_block``; ``in_channels`` is read off
            the stage unless given.
        position: "end", "before_last", or an index, from 0: before that residual block (2: before
            the third).

    Returns:
        The block.

    Raises:
        ValueError: no such stage, or one that has no residual blocks.
        UnknownNameError: the stage has no such position.
    """
    residual_blocks = _stage(model, stage)
    choose("position", position, [*POSITIONS, *range(len(residual_blocks))])
    index, hook = POSITIONS.get(position, (position, _Before))
    host = residual_blocks[index]
    settings = {"name": block} if isinstance(block, str) else dict(block)
    settings.setdefault("in_channels", hook.channels(host))
    module = build_block(**settings)
    name = f"nonlocal_{position if position in POSITIONS else 'before'}"
    taken = [child for child, _ in host.named_children() if child.startswith(name)]
    name += f"_{len(taken) + 1}" if taken else ""
    host.add_module(name, module)
    hook(name).register(host)
    return module


def insert_blocks(model: nn.Module, insert: Sequence[Mapping[str, Any]]) -> list[nn.Module]:
    """``insert_block`` for each entry: dict(stage=..., block=..., position=...).

    One with ``block=None`` marks a place that a child config may fill, and inserts nothing.
    """
    for entry in insert:
        check_arguments("an entry of insert", ("stage", "block", "position"), entry)
    return [insert_block(model, **entry) for entry in insert if entry["block"] is not None]


def _stage(model: nn.Module, stage: str) -> nn.Sequential | nn.ModuleList:
    try:
        container = model.get_submodule(stage)
    except AttributeError:
        paths = [path for path, m in model.named_modules() if path and _is_stage(m)]
        raise ValueError(
            f"stage={stage!r} is not in {type(model).__name__}. Allowed: {paths}"
        ) from None
    if not _is_stage(container):
        inner = [
            f"{stage}.{path}" for path, m in container.named_modules() if path and _is_stage(m)
        ]
        raise ValueError(
            f"stage={stage!r} is a {type(container).__name__}, not a sequence of residual "
            f"blocks. Allowed below it: {inner}"
        )
    return container


def _is_stage(module: nn.Module) -> bool:
    """A sequence of residual blocks: of modules with convolutions that are no sequences, and no
    convolutions themselves."""
    if not isinstance(module, (nn.Sequential, nn.ModuleList)) or len(module) == 0:
        return False
    last = module[-1]
    parts = (nn.Sequential, nn.ModuleList, *CONVOLUTIONS)
    return not isinstance(last, parts) and bool(_convolutions(last))


def _convolutions(module: nn.Module) -> list[nn.Module]:
    return [m for m in module.modules() if isinstance(m, CONVOLUTIONS)]
